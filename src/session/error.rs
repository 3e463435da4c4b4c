use thiserror::Error;

use crate::wire::CircuitId;

/// What a peer did that no peer may do: the session ends.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SessionError {
    /// A notice is missing or came twice.
    #[error("notice {found} came where {expected} was due")]
    NoticeNumber {
        /// Its number.
        found: u64,
        /// The number that was due.
        expected: u64,
    },
    /// The peer acknowledged what was never sent.
    #[error("the peer acknowledged {what} {number}; only {sent} were sent")]
    Acknowledgement {
        /// A frame or a notice.
        what: &'static str,
        /// The number acknowledged.
        number: u64,
        /// The highest number sent.
        sent: u64,
    },
    /// A circuit id that is not the peer's to give, or was given before.
    #[error("circuit {circuit} cannot be opened: ids count upwards, and each side has its own half")]
    CircuitId {
        /// The id.
        circuit: CircuitId,
    },
    /// A frame on a lane that the session does not have.
    #[error("lane {lane} of a session with {lanes} lanes")]
    Lane {
        /// The lane named.
        lane: u8,
        /// How many there are.
        lanes: u8,
    },
    /// Frames are missing where a lane goes on.
    #[error("lane {lane} goes on with frame {first}, but only {received} arrived")]
    Missing {
        /// The lane.
        lane: u8,
        /// The frame it begins with.
        first: u64,
        /// The last one that arrived.
        received: u64,
    },
    /// A notice that has no place within a running session.
    #[error("{0} within a running session")]
    OutOfState(&'static str),
}
