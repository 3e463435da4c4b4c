//! Nodes of this host: at which of its addresses they listen.

use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use socket2::Domain;
use socket2::Socket;
use socket2::Type;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio::time::timeout_at;

use crate::endpoint::NotFound;

/// The time within which one address of this host accepts a connection. The kernel answers at once, except if a node that hangs has
/// too many connections waiting.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// The time within which the node is found, whatever the number of addresses. The other node waits 7 s (`net_setuptime`).
const FIND_TIME: Duration = Duration::from_secs(5);

/// The maximum number of addresses that are tried.
const ADDRESSES: usize = 64;

/// The addresses of this host's interfaces, except those that are valid on one link only.
pub fn interfaces() -> Vec<IpAddr> {
    let mut found = Vec::new();
    for interface in getifaddrs().into_iter().flatten() {
        let Some(address) = interface.address else {
            continue;
        };
        if let Some(v4) = address.as_sockaddr_in() {
            found.push(IpAddr::V4(v4.ip()));
        } else if let Some(v6) = address.as_sockaddr_in6()
            && !v6.ip().is_unicast_link_local()
        {
            found.push(IpAddr::V6(v6.ip()));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Connects to the node `node` of this host that listens on `port`. A node registers its port, but not its address: by default it
/// listens on all of them, with `inet_dist_use_interface` on one. So all are tried: the one in its name, loopback, those of the
/// interfaces. `socket` makes the sockets.
///
/// # Errors
/// If it listens on none of them. The error tells the node, the port and what was tried.
pub async fn connect(
    node: &str,
    port: u16,
    socket: impl Fn(IpAddr) -> io::Result<TcpSocket>,
) -> Result<TcpStream, NotFound> {
    let interfaces = interfaces();
    // Plain distribution never leaves the host.
    let is_here = |ip: &IpAddr| ip.is_loopback() || interfaces.contains(ip);
    let named = node
        .split_once('@')
        .and_then(|(_, host)| host.parse().ok())
        .filter(is_here);
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let mut addresses: Vec<IpAddr> = Vec::new();
    for ip in named.into_iter().chain(loopback).chain(interfaces.iter().copied()) {
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    let mut tried = Vec::new();
    let deadline = Instant::now() + FIND_TIME;
    for ip in addresses.into_iter().take(ADDRESSES) {
        let connecting = async { socket(ip)?.connect((ip, port).into()).await };
        match timeout_at(deadline.min(Instant::now() + CONNECT_TIME), connecting).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => tried.push((ip, error.to_string())),
            Err(_) => tried.push((ip, "no answer in time".to_owned())),
        }
    }
    Err(NotFound {
        node: node.to_owned(),
        port,
        tried,
    })
}

/// The first address of an interface, other than loopback, at which something listens on `port`. Nothing is sent: the kernel does not
/// give out an address and port where something listens.
pub fn exposed(port: u16) -> Option<IpAddr> {
    let outside = interfaces().into_iter().filter(|ip| !ip.is_loopback());
    outside.take(ADDRESSES).find(|ip| listens(*ip, port).unwrap_or(false))
}

fn listens(ip: IpAddr, port: u16) -> io::Result<bool> {
    let socket = Socket::new(Domain::for_address((ip, port).into()), Type::STREAM, None)?;
    // Connections that have ended do not count.
    socket.set_reuse_address(true)?;
    match socket.bind(&std::net::SocketAddr::new(ip, port).into()) {
        Ok(()) => Ok(false),
        Err(error) => Ok(error.kind() == io::ErrorKind::AddrInUse),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn plain(ip: IpAddr) -> io::Result<TcpSocket> {
        match ip {
            IpAddr::V4(_) => TcpSocket::new_v4(),
            IpAddr::V6(_) => TcpSocket::new_v6(),
        }
    }

    #[tokio::test]
    async fn a_node_is_found_at_whichever_address_it_listens() {
        for (node, ip) in [("n@h", "127.0.0.1"), ("n@h", "::1"), ("n@127.0.0.9", "127.0.0.9")] {
            let Ok(listener) = TcpListener::bind((ip.parse::<IpAddr>().unwrap(), 0)) else {
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let stream = connect(node, port, plain).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
        }
        for ip in interfaces() {
            let listener = TcpListener::bind((ip, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            connect("n@h", port, plain).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_node_that_is_nowhere_is_told_with_port_and_addresses() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = connect("n@127.0.0.7", port, plain).await.unwrap_err().to_string();
        for piece in ["n@127.0.0.7", &port.to_string(), "127.0.0.7 (", "127.0.0.1 (", "::1 ("] {
            assert!(error.contains(piece), "{piece}: {error}");
        }
    }

    #[test]
    fn what_listens_everywhere_is_exposed() {
        if interfaces().iter().all(IpAddr::is_loopback) {
            return;
        }
        let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
        assert!(exposed(everywhere.local_addr().unwrap().port()).is_some());
        let within = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(exposed(within.local_addr().unwrap().port()), None);
    }
}
