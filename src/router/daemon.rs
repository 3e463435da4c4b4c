/// The name by which a temporary daemon (one that runs for a single command) is known here: its own name, and a number that
/// distinguishes it from others with that name.
///
/// It cannot collide with the name of a daemon, since a DNS name contains no `/`.
pub fn temporary_name(daemon: &str, boot: [u8; 16]) -> String {
    let [a, b, c, d, ..] = boot;
    format!("{daemon}/{:08x}", u32::from_be_bytes([a, b, c, d]))
}

/// The name of a peer's daemon, without the number of a temporary one. Policies use it, and the decision which of two daemons
/// has the lower name.
pub fn daemon_of(peer: &str) -> &str {
    peer.split_once('/').map_or(peer, |(daemon, _)| daemon)
}
