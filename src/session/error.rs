use thiserror::Error;

use crate::wire::CircuitId;

/// A violation of the protocol by the peer. The session ends.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SessionError {
    /// A notice is missing or was sent twice.
    #[error("notice {found} is out of order, expected {expected}")]
    NoticeNumber {
        /// The number of the notice.
        found: u64,
        /// The number that was expected.
        expected: u64,
    },
    /// The peer acknowledged something that was never sent.
    #[error("the peer acknowledged {what} {number}; only {sent} were sent")]
    Acknowledgement {
        /// A frame or a notice.
        what: &'static str,
        /// The number that was acknowledged.
        number: u64,
        /// The highest number that was sent.
        sent: u64,
    },
    /// A circuit id that does not belong to the peer's half, or was used before.
    #[error("circuit id {circuit} is not allowed: ids must increase, odd or even depending on the side")]
    CircuitId {
        /// The circuit id.
        circuit: CircuitId,
    },
    /// A frame for a circuit that nobody has opened.
    #[error("a frame for circuit {circuit}, which was never opened")]
    NeverOpened {
        /// The circuit id.
        circuit: CircuitId,
    },
    /// More frames for closed circuits than these had credit left.
    #[error("a frame for circuit {circuit}, which is closed, and more of them than closed circuits had credit left")]
    Late {
        /// The circuit id.
        circuit: CircuitId,
    },
    /// A frame on a lane that the session does not have.
    #[error("lane {lane} does not exist: the session has {lanes} lanes")]
    Lane {
        /// The number of the lane.
        lane: u8,
        /// The number of lanes of the session.
        lanes: u8,
    },
    /// Frames are missing where a lane resumes.
    #[error("lane {lane} resumes with frame {first}, but only {received} arrived")]
    Missing {
        /// The number of the lane.
        lane: u8,
        /// The first frame on the resumed lane.
        first: u64,
        /// The last frame that arrived before.
        received: u64,
    },
    /// The memory of the daemon is used up, and this peer's frames without an end keep most of it.
    #[error("{kept} bytes are kept in incomplete frames of the peer, and the memory for unread bytes is used up")]
    Memory {
        /// The number of bytes kept for the session.
        kept: u64,
    },
    /// A notice that is not allowed in a running session.
    #[error("unexpected {0} in a running session")]
    OutOfState(&'static str),
}
