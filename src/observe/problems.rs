use super::status::Circuit;
use super::status::Peer;
use super::status::Status;
use super::status::Used;

/// From this part of a limit on it is told.
const NEARLY: f64 = 0.8;

/// From this part of lost packets on it is told, if so many packets were sent.
const LOSS: f64 = 0.02;
const LOSS_PACKETS: u64 = 1000;

/// Days before the end of a certificate at which it is told, each once in the log.
pub(super) const EXPIRY_DAYS: f64 = 30.0;

const DAY: f64 = 86_400.0;

/// What is slow or will fail, why, and what to do: one sentence each. `now` is in seconds since 1970.
pub(super) fn problems(status: &Status, now: f64) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(nearly(
        "[gateway] memory",
        "bytes",
        status.memory,
        "raise it, or see which circuits are parked",
    ));
    found.extend(nearly(
        "open files",
        "files",
        status.open_files,
        "raise the limit of the service (LimitNOFILE)",
    ));
    for certificate in &status.certificates {
        let days = (certificate.expires_timestamp_seconds - now) / DAY;
        if days < EXPIRY_DAYS {
            let whose = match certificate.whose.as_str() {
                "own" => "the certificate of this daemon".to_owned(),
                "peer" => format!("the certificate of peer {}", certificate.name),
                _ => "an authority in ca.pem".to_owned(),
            };
            found.push(match days {
                ..0.0 => format!("{whose} has expired"),
                _ => format!("{whose} expires in {days:.1} days: issue another one"),
            });
        }
    }
    if !status.reloads.is_last_applied {
        let first = status.reloads.mistakes.first().map_or("", String::as_str);
        found.push(format!(
            "the configuration on disk has mistakes, and was not applied: {first}"
        ));
    }
    if !status.reloads.needs_restart.is_empty() {
        let keys = status.reloads.needs_restart.join(", ");
        found.push(format!("changed on disk, and without effect before a restart: {keys}"));
    }
    let unanswered = status.discover.iter().filter(|one| !one.error.is_empty());
    found.extend(unanswered.map(|one| {
        format!(
            "no answer for [[discover]] {}, so its last answer is used: {}",
            one.source, one.error
        )
    }));
    found.extend(status.peers.iter().flat_map(of_peer));
    found.extend(status.circuits.iter().filter_map(of_circuit));
    if status.log.dropped > 0 {
        found.push(format!(
            "{} log lines were lost: nobody reads them fast enough",
            status.log.dropped
        ));
    }
    found
}

fn nearly(what: &str, unit: &str, used: Used, remedy: &str) -> Option<String> {
    let part = used.used as f64 / used.limit.max(1) as f64;
    let Used { used, limit } = used;
    (part >= NEARLY).then(|| format!("{what}: {used} of {limit} {unit} are used; {remedy}"))
}

fn of_peer(peer: &Peer) -> Vec<String> {
    let name = &peer.name;
    let mut found = Vec::new();
    match peer.state.as_str() {
        "down" if peer.error.is_empty() => found.push(format!("peer {name} is down")),
        "down" => found.push(format!("peer {name} cannot be reached: {}", peer.error)),
        "stalled" => found.push(format!("peer {name} does not answer; another trunk is tried")),
        _ => {}
    }
    let loss = peer.packets_lost as f64 / peer.packets_sent.max(1) as f64;
    if peer.packets_sent >= LOSS_PACKETS && loss >= LOSS {
        found.push(format!(
            "peer {name}: {:.1} % of the packets to it are lost on the way",
            loss * 100.0
        ));
    }
    found
}

fn of_circuit(circuit: &Circuit) -> Option<String> {
    let (local, remote) = (&circuit.local, &circuit.remote);
    match circuit.state.as_str() {
        "blocked" => Some(format!(
            "{local} to {remote}: the remote node reads too slowly, so processes of {local} that send to it wait"
        )),
        "silent" => Some(format!(
            "{remote}: nothing is heard of this node, though its host answers"
        )),
        _ => None,
    }
}
