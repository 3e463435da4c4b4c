use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::time::Duration;
use std::time::SystemTime;

use tokio::time::timeout;

use super::finding::Finding;
use crate::carrier::Loaded;
use crate::carrier::own_hosts;
use crate::carrier::uncovered;
use crate::cli::open_files;
use crate::epmd::io::registration::names;
use crate::gateway::Hosts;

/// Days before the end of a certificate at which it is told, and at which it is urgent.
const SOON: u64 = 30;
const URGENT: u64 = 7;

/// The nodes for which the limit on open files should suffice, all of them connected to as many others.
const NODES: u64 = 100;

/// How long a port mapper may take.
const EPMD_TIME: Duration = Duration::from_secs(2);

fn days_until(until: SystemTime, now: SystemTime) -> u64 {
    until.duration_since(now).unwrap_or_default().as_secs() / 86_400
}

/// The daemon's certificate, its authorities, and the hosts of nodes that it names.
pub(super) fn certificates(loaded: &Loaded, now: SystemTime) -> Vec<Finding> {
    let check = "certificate";
    let identity = &loaded.identity;
    let name = &loaded.config.gateway.name;
    let mut found = Vec::new();
    for (what, until, remedy) in [
        (
            "this daemon's certificate",
            identity.valid_until(),
            format!("beamway certs renew --dir DIR {name}; a running daemon notices it"),
        ),
        (
            "an authority in ca.pem",
            identity.authorities_valid_until(),
            "add another authority to ca.pem on all hosts, then renew all certificates with it (certs/README.md)"
                .to_owned(),
        ),
    ] {
        let days = days_until(until, now);
        found.push(match days {
            0..URGENT => Finding::failure(check, format!("{what} expires in {days} days"), remedy),
            URGENT..SOON => Finding::warning(check, format!("{what} expires in {days} days"), remedy),
            _ => Finding::ok(check, format!("{what} is valid for {days} days")),
        });
    }
    let hosts = loaded.config.epmd.hosts.clone();
    let hosts = hosts.map_or_else(|| Hosts::of_this_machine(own_hosts()), Hosts::configured);
    let uncovered = (!loaded.config.epmd.listen.is_empty())
        .then(|| uncovered(name, &hosts.announced(), identity.hosts()))
        .flatten();
    found.extend(uncovered.map(|advice| match advice.split_once("; issue ") {
        Some((text, remedy)) => Finding::warning("names", text, format!("issue {remedy}")),
        None => Finding::warning("names", advice, ""),
    }));
    found
}

/// What the limit on open files suffices for.
pub(super) fn files() -> Finding {
    let limit = open_files::raise();
    let nodes = limit.saturating_sub(1000).isqrt();
    let text = format!("at most {limit}: enough for about {nodes} nodes here that are all connected to as many others");
    match nodes {
        ..NODES => Finding::warning(
            "open files",
            text,
            "raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd)",
        ),
        _ => Finding::ok("open files", text),
    }
}

/// The buffers of the UDP socket, in bytes: granted by the kernel, and configured.
pub(super) fn buffers((granted, asked): (usize, usize)) -> Finding {
    let check = "UDP buffers";
    if granted >= asked {
        return Finding::ok(check, format!("{granted} bytes"));
    }
    Finding::warning(
        check,
        format!("the kernel grants {granted} of {asked} bytes: bursts of packets are lost on a busy host"),
        format!("sysctl -w net.core.rmem_max={asked} net.core.wmem_max={asked}, and the same in /etc/sysctl.d"),
    )
}

/// Who answers at the addresses of the port mapper. `is_running` tells whether the daemon runs.
pub(super) async fn port_mapper(addresses: &[SocketAddr], is_running: bool) -> Vec<Finding> {
    let check = "port mapper";
    let mut found = Vec::new();
    for address in addresses {
        let names = timeout(EPMD_TIME, names(*address)).await;
        let is_there = !matches!(&names, Ok(Err(_)));
        found.push(match (is_running, is_there) {
            (true, true) => Finding::ok(check, format!("the daemon answers at {address}")),
            // The daemon leaves it out.
            (true, false) if address.ip().is_loopback() && (address.is_ipv6() || lacks(address.ip())) => continue,
            (true, false) => Finding::failure(
                check,
                format!("nobody answers at {address}, though the daemon runs"),
                "does another program have the address? ss -ltnp",
            ),
            (false, false) => Finding::ok(check, format!("{address} is free")),
            (false, true) => Finding::failure(
                check,
                format!("the daemon does not run, and another port mapper answers at {address}"),
                "stop it (epmd -kill; systemctl disable --now epmd.socket epmd.service), and start nodes with -start_epmd false; or set \
                 [epmd] listen to another port, and ERL_EPMD_PORT for the nodes",
            ),
        });
    }
    found
}

/// Whether this machine has not this address, as one with IPv6 alone has no 127.0.0.1.
fn lacks(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_err()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::super::finding::Level;
    use super::*;

    #[test]
    fn buffers_that_are_too_small_are_told_with_the_command_that_raises_them() {
        assert_eq!(buffers((10, 10)).level, Level::Ok);
        let small = buffers((10, 11));
        assert_eq!(small.level, Level::Warning);
        assert!(small.remedy.contains("net.core.rmem_max=11"), "{small:?}");
    }

    #[tokio::test]
    async fn another_port_mapper_is_told_from_a_daemon_and_from_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let there = listener.local_addr().expect("an address");
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let gone = free.local_addr().expect("an address");
        drop(free);
        for (address, is_running, level, text) in [
            (there, true, Level::Ok, "the daemon answers"),
            (there, false, Level::Failure, "another port mapper"),
            (gone, false, Level::Ok, "is free"),
            (gone, true, Level::Failure, "nobody answers"),
        ] {
            let found = port_mapper(&[address], is_running).await;
            assert_eq!(
                found.iter().map(|one| one.level).collect::<Vec<_>>(),
                [level],
                "{found:?}"
            );
            assert!(found.iter().all(|one| one.text.contains(text)), "{found:?}");
        }
    }
}
