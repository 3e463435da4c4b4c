use std::net::SocketAddr;

use super::finding::Finding;
use crate::observe::Status;
use crate::observe::status::Discover;
use crate::observe::status::Peer;
use crate::wire::VERSION;

/// Datagrams that a path without tunnels carries: 1,500 bytes of Ethernet, less the headers of IPv6 and UDP.
const DATAGRAM: u64 = 1452;

/// From this part of lost packets on it is told, if so many packets were sent.
const LOSS: f64 = 0.02;
const LOSS_PACKETS: u64 = 50;

/// What there is to tell of the peers, as a daemon that has dialled all of them sees them. `running` is what the daemon of this host tells,
/// if it runs: peers dial that one.
pub(super) fn peers(status: &Status, running: Option<&Status>) -> Vec<Finding> {
    let mut found: Vec<Finding> = status.discover.iter().map(discover).collect();
    found.extend(status.peers.iter().flat_map(|one| peer(one, running)));
    if found.is_empty() {
        found.push(Finding::ok(
            "peers",
            "none is configured or connected; others may dial in, as [accept] says",
        ));
    }
    found
}

fn discover(one: &Discover) -> Finding {
    let Discover {
        source,
        found,
        connected,
        error,
    } = one;
    let is_asked = source != "exchange";
    match () {
        () if !error.is_empty() => Finding::failure(
            "DNS",
            format!("[[discover]] {source}: {error}"),
            "correct the name, or the name server (/etc/resolv.conf, or `server`)",
        ),
        () if is_asked && *found == 0 => Finding::warning(
            "DNS",
            format!("[[discover]] {source}: the name has no address but that of this daemon"),
            "are the other daemons up, and is the name the one that has their addresses?",
        ),
        () if connected < found => Finding::warning(
            "DNS",
            format!("[[discover]] {source}: {connected} of {found} are connected"),
            "the log of the daemon says why the others cannot be reached",
        ),
        () => Finding::ok(
            "DNS",
            format!("[[discover]] {source}: {found} found, all of them connected"),
        ),
    }
}

fn peer(peer: &Peer, running: Option<&Status>) -> Vec<Finding> {
    let name = &peer.name;
    if peer.state != "up" {
        return vec![unreachable(peer, running)];
    }
    let round_trip = peer.round_trip_seconds * 1e3;
    let mut found = vec![Finding::ok(
        "peers",
        format!(
            "{name} answers at {}: {}, round trip {round_trip:.1} ms",
            peer.address, peer.software
        ),
    )];
    found.push(if peer.datagram_bytes < DATAGRAM {
        Finding::warning(
            "path MTU",
            format!(
                "{name}: the path carries datagrams of {} bytes, less than Ethernet does",
                peer.datagram_bytes
            ),
            "look for tunnels and firewalls that drop ICMP on the way; it works, but costs throughput",
        )
    } else {
        Finding::ok(
            "path MTU",
            format!("{name}: datagrams of {} bytes", peer.datagram_bytes),
        )
    });
    let loss = peer.packets_lost as f64 / peer.packets_sent.max(1) as f64;
    if peer.packets_sent >= LOSS_PACKETS && loss >= LOSS {
        found.push(Finding::warning(
            "packet loss",
            format!("{name}: {:.1} % of the packets are lost", loss * 100.0),
            "look at the network between the hosts",
        ));
    }
    found.push(if peer.protocol < VERSION {
        Finding::warning(
            "protocol",
            format!(
                "{name} speaks version {} of the protocol, this program {VERSION}",
                peer.protocol
            ),
            "upgrade the peer: each release speaks its own version and the one before",
        )
    } else {
        Finding::ok("protocol", format!("{name} speaks version {}", peer.protocol))
    });
    found
}

/// Which direction is blocked, as far as that can be told from here.
fn blocked(error: &str, running: Option<&Status>) -> &'static str {
    let address = error
        .split_once("from UDP ")
        .and_then(|(_, rest)| rest.split_once(": "));
    let address = address.and_then(|(address, _)| address.parse::<SocketAddr>().ok());
    let arrives = |running: &Status| {
        let ip = address.map(|address| address.ip().to_canonical().to_string());
        ip.is_some_and(|ip| running.unanswered.contains(&ip))
    };
    match running.map(arrives) {
        Some(true) => {
            "its packets arrive here, but nothing from here arrives there: let UDP out of this host, and in to this port over there"
        }
        Some(false) => {
            "nothing from there has arrived here within the last minute either: the daemon there is not running, or UDP is blocked in both \
             directions, or it does not dial this host; let UDP to this port through both ways on both hosts and everything between them"
        }
        None => {
            "packets to it, or its answers, are lost: let UDP to this port through in both directions on both hosts and everything between \
             them; while the daemon of this host runs, this check tells which direction is blocked"
        }
    }
}

fn unreachable(peer: &Peer, running: Option<&Status>) -> Finding {
    let (name, error) = (&peer.name, &peer.error);
    let is = |text: &str| error.contains(text);
    let (check, remedy) = match () {
        () if is("no answer from UDP") => ("UDP", blocked(error, running)),
        () if is("clock") || is("not valid before") || is("expired") => (
            "clock",
            "set the clocks of both hosts (timedatectl), or renew the certificate that has expired",
        ),
        () if is("cannot resolve") => ("DNS", "correct `address` in the [[peer]], or the name server"),
        () if is("was sent to UDP") => ("UDP", "the kernel of this host says why; see its routes and firewall"),
        () if is("versions") => (
            "protocol",
            "upgrade the older of both: each release speaks its own version and the one before",
        ),
        () if is("certificate") || is("refused") => (
            "names",
            "the two certificates, or `name` and `[accept]`, do not fit each other: the text says which",
        ),
        () => ("peers", "is the daemon there running?"),
    };
    let error = if error.is_empty() {
        "no session within the time for this check"
    } else {
        error
    };
    Finding::failure(check, format!("{name} at {}: {error}", peer.address), remedy)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn found(peer: Peer) -> Vec<(&'static str, Level)> {
        let status = Status {
            peers: vec![peer],
            ..Status::default()
        };
        peers(&status, None).iter().map(|one| (one.check, one.level)).collect()
    }

    #[test]
    fn a_peer_that_answers_is_looked_at_closely() {
        let good = Peer {
            state: "up".into(),
            datagram_bytes: 1452,
            protocol: VERSION,
            packets_sent: 100,
            ..Peer::default()
        };
        let ok = [("peers", Level::Ok), ("path MTU", Level::Ok), ("protocol", Level::Ok)];
        assert_eq!(found(good.clone()), ok);
        let bad = Peer {
            datagram_bytes: 1200,
            protocol: VERSION - 1,
            packets_lost: 3,
            ..good
        };
        let warned = [
            ("peers", Level::Ok),
            ("path MTU", Level::Warning),
            ("packet loss", Level::Warning),
            ("protocol", Level::Warning),
        ];
        assert_eq!(found(bad), warned);
    }

    #[test]
    fn the_direction_that_is_blocked_is_told() {
        let error = "no answer from UDP [::ffff:10.0.0.1]:4471: does the daemon run there";
        let running = |unanswered: &[&str]| Status {
            unanswered: unanswered.iter().map(|&one| one.to_owned()).collect(),
            ..Status::default()
        };
        for (running, expected) in [
            (None, "tells which direction"),
            (Some(running(&["10.0.0.2"])), "both directions"),
            (Some(running(&["10.0.0.1"])), "its packets arrive here"),
        ] {
            let told = blocked(error, running.as_ref());
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn ways_to_find_peers_are_looked_at() {
        for (source, found, connected, error, expected) in [
            ("dns a", 2, 2, "", Level::Ok),
            ("exchange", 0, 0, "", Level::Ok),
            ("dns a", 0, 0, "", Level::Warning),
            ("dns a", 2, 1, "", Level::Warning),
            ("srv a", 2, 2, "no answer", Level::Failure),
        ] {
            let one = Discover {
                source: source.into(),
                found,
                connected,
                error: error.into(),
            };
            assert_eq!(discover(&one).level, expected, "{one:?}");
        }
    }

    #[test]
    fn each_reason_has_its_own_remedy() {
        for (error, check) in [
            ("no answer from UDP 10.0.0.1:4471: does the daemon run there", "UDP"),
            ("nothing was sent to UDP 10.0.0.1:4471: operation not permitted", "UDP"),
            (
                "our certificate: expired; by the peer's clock it is 2020; check the clocks of both hosts",
                "clock",
            ),
            ("cannot resolve h:1: no such host", "DNS"),
            ("the peer speaks versions 1 to 2 of the protocol", "protocol"),
            ("refused \"x\": its certificate does not contain that name", "names"),
            ("", "peers"),
        ] {
            let peer = Peer {
                state: "down".into(),
                error: error.into(),
                ..Peer::default()
            };
            assert_eq!(found(peer), [(check, Level::Failure)], "{error}");
        }
    }
}
