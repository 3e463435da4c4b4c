/// How a passing daemon is known here: its name, and a number that tells it from the others under that name.
///
/// No daemon is called so: a DNS name has no `/`.
pub fn passing_name(daemon: &str, boot: [u8; 16]) -> String {
    let [a, b, c, d, ..] = boot;
    format!("{daemon}/{:08x}", u32::from_be_bytes([a, b, c, d]))
}

/// The name of the daemon that a peer is, without the number of one that passes by. Policies go by it, and which of two
/// daemons is the lower.
pub fn daemon_of(peer: &str) -> &str {
    peer.split_once('/').map_or(peer, |(daemon, _)| daemon)
}
