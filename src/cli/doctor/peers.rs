use super::finding::Finding;
use crate::observe::Status;
use crate::observe::status::Peer;
use crate::wire::VERSION;

/// Datagrams that a path without tunnels carries: 1,500 bytes of Ethernet, less the headers of IPv6 and UDP.
const DATAGRAM: u64 = 1452;

/// From this part of lost packets on it is told, if so many packets were sent.
const LOSS: f64 = 0.02;
const LOSS_PACKETS: u64 = 50;

/// What there is to tell of the peers, as a daemon that has dialled all of them sees them.
pub(super) fn peers(status: &Status) -> Vec<Finding> {
    let mut found: Vec<Finding> = status.peers.iter().flat_map(peer).collect();
    if found.is_empty() {
        found.push(Finding::ok(
            "peers",
            "none is configured; others may dial in, as [accept] says",
        ));
    }
    found
}

fn peer(peer: &Peer) -> Vec<Finding> {
    let name = &peer.name;
    if peer.state != "up" {
        return vec![unreachable(peer)];
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

fn unreachable(peer: &Peer) -> Finding {
    let (name, error) = (&peer.name, &peer.error);
    let is = |text: &str| error.contains(text);
    let (check, remedy) = match () {
        () if is("no answer from UDP") => (
            "UDP",
            "packets to it, or its answers, are lost: let UDP to this port through in both directions on both hosts and everything between \
             them; if `beamway status` on the peer shows this daemon as up, only the direction from here to there is blocked",
        ),
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
        peers(&status).iter().map(|one| (one.check, one.level)).collect()
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
