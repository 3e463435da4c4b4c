use xxhash_rust::xxh3::Xxh3Default;
use xxhash_rust::xxh3::xxh3_64;

use crate::etf::Pid;
use crate::etf::Reference;
use crate::wire::LaneId;
use crate::wire::StrandId;

/// The address of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// A process, by its pid.
    Process(Pid),
    /// A process, by one of its aliases.
    Alias(Reference),
    /// The process that is registered under a name when the signal arrives. Only the hash of the name is kept.
    Name(u64),
    /// The node itself, on behalf of the sender: SPAWN_REQUEST.
    Node,
}

impl Address {
    /// The address of a registered name in UTF-8.
    pub fn name(text: &[u8]) -> Self {
        let mut hasher = Xxh3Default::new();
        hasher.update(b"n");
        hasher.update(text);
        Self::Name(hasher.digest())
    }
}

/// The hash of the identity of a process (docs/PROTOCOL.md, "Lane hash").
pub(super) fn hash_of_pid(pid: &Pid) -> u64 {
    let [a, b, c, d] = pid.id.to_be_bytes();
    let [e, f, g, h] = pid.serial.to_be_bytes();
    let [i, j, k, l] = pid.creation.to_be_bytes();
    xxh3_64(&[b'p', a, b, c, d, e, f, g, h, i, j, k, l])
}

/// The hash of an alias whose owner is unknown.
pub(super) fn hash_of_reference(reference: &Reference) -> u64 {
    let mut hasher = Xxh3Default::new();
    hasher.update(b"r");
    hasher.update(&reference.creation.to_be_bytes());
    for word in reference.words() {
        hasher.update(&word.to_be_bytes());
    }
    hasher.digest()
}

/// The strand of a hash, out of `width`. Each strand gets an equal range of 64-bit hashes, which avoids the bias of a
/// modulus.
pub const fn strand_of(hash: u64, width: u16) -> StrandId {
    ((hash as u128 * width as u128) >> 64) as StrandId
}

/// The preferred lane of a strand, out of `lanes`. The session decides which lane carries it.
pub const fn lane_of(strand: StrandId, lanes: u8) -> LaneId {
    (strand % lanes as StrandId) as LaneId
}
