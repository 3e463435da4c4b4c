//! Ports that nobody uses, and that no other test takes between the question and the use.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::net::UdpSocket;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering;

/// Below the kernel's range for outgoing connections, so that no connection of a node can take the port
/// between this question and its use.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Ports of one test process, the first of which is its lock.
const BLOCK: u16 = 64;

/// The ports of this process. Tests run as many processes side by side: each holds the first port of its block as long as
/// it lives, and hands out the others in turn.
struct Block {
    first: u16,
    next: AtomicU16,
    _lock: TcpListener,
}

impl Block {
    fn reserve() -> Self {
        let blocks = (RANGE.end - RANGE.start) / BLOCK;
        // Processes that start together have pids next to each other: each begins its search at a block of its own.
        let begin = u16::try_from(std::process::id() % u32::from(blocks)).expect("less than the number of blocks");
        let (first, lock) = (0..blocks)
            .map(|n| RANGE.start + (begin + n) % blocks * BLOCK)
            .find_map(|first| Some((first, TcpListener::bind((Ipv4Addr::LOCALHOST, first)).ok()?)))
            .unwrap_or_else(|| panic!("all {blocks} blocks of ports are taken"));
        Self {
            first,
            next: AtomicU16::new(0),
            _lock: lock,
        }
    }

    fn find(&self, is_free: impl Fn(u16) -> bool) -> Option<u16> {
        let usable = BLOCK - 1;
        (0..usable)
            .map(|_| self.first + 1 + self.next.fetch_add(1, Ordering::Relaxed) % usable)
            .find(|port| is_free(*port))
    }
}

fn block() -> &'static Block {
    static OURS: OnceLock<Block> = OnceLock::new();
    OURS.get_or_init(Block::reserve)
}

/// A TCP port that is free on all of `addresses`.
pub(crate) fn free_tcp_port(addresses: &[IpAddr]) -> u16 {
    let is_free = |port| {
        let mut addresses = addresses.iter();
        addresses.all(|address| TcpListener::bind((*address, port)).is_ok())
    };
    let found = block().find(is_free);
    found.unwrap_or_else(|| panic!("no free TCP port on {addresses:?} in the block of this process"))
}

/// A UDP port that is free on `address`.
pub(crate) fn free_udp_port(address: IpAddr) -> u16 {
    let found = block().find(|port| UdpSocket::bind((address, port)).is_ok());
    found.unwrap_or_else(|| panic!("no free UDP port on {address} in the block of this process"))
}
