//! Ports that nobody uses.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::net::TcpListener;
use std::net::UdpSocket;

/// Below the kernel's range for outgoing connections, so that no connection of a node can take the port
/// between this question and its use.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

fn candidates() -> impl Iterator<Item = u16> {
    let random = RandomState::new();
    let width = u64::from(RANGE.end - RANGE.start);
    (0u32..500).map(move |n| {
        let offset = random.hash_one((std::process::id(), n)) % width;
        RANGE.start + u16::try_from(offset).expect("less than the width of the range")
    })
}

/// A TCP port that is free on all of `addresses`.
pub(crate) fn free_tcp_port(addresses: &[IpAddr]) -> u16 {
    candidates()
        .find(|port| {
            addresses
                .iter()
                .all(|address| TcpListener::bind((*address, *port)).is_ok())
        })
        .unwrap_or_else(|| panic!("no free TCP port on {addresses:?} after 500 tries"))
}

/// A UDP port that is free on `address`.
pub(crate) fn free_udp_port(address: IpAddr) -> u16 {
    candidates()
        .find(|port| UdpSocket::bind((address, *port)).is_ok())
        .unwrap_or_else(|| panic!("no free UDP port on {address} after 500 tries"))
}
