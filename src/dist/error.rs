use thiserror::Error;

use super::Operation;
use crate::codec::CodecError;
use crate::etf::TermError;

/// Why a handshake message is refused; the connection ends.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HandshakeError {
    /// The message is cut short.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The message is longer than any can be.
    #[error("handshake message of {length} bytes; at most {limit} are allowed")]
    Oversized {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Another message was due.
    #[error("handshake message '{}' where {expected} was due", char::from(*found))]
    Unexpected {
        /// What was due.
        expected: &'static str,
        /// The tag found.
        found: u8,
    },
    /// The exchange of nodes before OTP 23.
    #[error("the node speaks the handshake of OTP 22 or older ('n'); OTP 25 or later is needed")]
    TooOld,
    /// A status text that is none.
    #[error("unknown handshake status {0:?}")]
    Status(String),
    /// A node name that is none.
    #[error(
        "{0:?} is no node name: it must be name@host, the name of letters, digits, '_' and '-', 255 characters at most"
    )]
    Name(String),
    /// A handshake message came from the wrong side or at the wrong time.
    #[error("{message} from the {from} while {state}")]
    OutOfState {
        /// Who sent it.
        from: &'static str,
        /// What it begins with.
        message: char,
        /// What was due.
        state: &'static str,
    },
    /// The acceptor named an initiator that has a name.
    #[error("the acceptor gives the name {0:?} to a node that asked for no name")]
    Named(String),
}

/// Why a control term is refused; the connection it came on ends.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ControlError {
    /// The term is malformed.
    #[error("malformed control term: {0}")]
    Term(#[from] TermError),
    /// The term is cut short.
    #[error("malformed control term: {0}")]
    Codec(#[from] CodecError),
    /// The version byte before the term is another (nodes without fragments).
    #[error("malformed control term: it begins with {0} instead of the version byte 131")]
    Version(u8),
    /// Not an operation of OTP 25 to 29.
    #[error("unknown operation {0}")]
    Operation(u64),
    /// The operation has another number of elements.
    #[error("{operation} with {found} elements instead of {expected}")]
    Arity {
        /// The operation.
        operation: Operation,
        /// Elements it has.
        expected: u8,
        /// Elements found.
        found: u8,
    },
    /// An element is of the wrong type.
    #[error("{operation} with a {what} that is none")]
    Element {
        /// The operation.
        operation: Operation,
        /// Which element.
        what: &'static str,
    },
    /// A signal that carries a payload came without one.
    #[error("{0} without its payload")]
    NoPayload(Operation),
}

/// Why a packet is refused; the connection it came on ends.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PacketError {
    /// The header is malformed.
    #[error("malformed packet: {0}")]
    Codec(#[from] CodecError),
    /// Not a packet of the format that was agreed on.
    #[error("packet begins with {found:?}, which is not the format agreed on")]
    Format {
        /// Its first bytes.
        found: [u8; 2],
    },
    /// The packet refers to an atom cache, which beamway never offers.
    #[error("packet with {0} atom cache references; none were offered")]
    AtomCache(u8),
    /// The packet is too long.
    #[error("packet of {length} bytes; at most {limit} are allowed{hint}")]
    Oversized {
        /// Its length in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u64,
        /// What to do about it.
        hint: &'static str,
    },
    /// A control term does not end within what one packet may hold.
    #[error("control term of more than {limit} bytes")]
    ControlTerm {
        /// The limit in bytes.
        limit: usize,
    },
    /// Fragments that do not follow one another.
    #[error("fragment {found} of sequence {sequence} where {expected} was due")]
    Fragment {
        /// The sequence.
        sequence: u64,
        /// The fragment number that was due; zero for a sequence that is not underway.
        expected: u64,
        /// The fragment number found.
        found: u64,
    },
    /// More fragments than a message can have. A VM allocates by this number before it sees them
    /// (`external.c: erts_dist_ext_size`), so it is bounded.
    #[error("sequence {sequence} of {fragments} fragments; at most {limit} are allowed")]
    Fragments {
        /// The sequence.
        sequence: u64,
        /// Fragments announced.
        fragments: u64,
        /// The limit.
        limit: u64,
    },
    /// A sequence number that harms, or is in use.
    #[error("sequence {0} is zero or already underway")]
    Sequence(u64),
    /// Signals in a run that may not be in one.
    #[error("a run of signals {0}")]
    Run(&'static str),
    /// Too many sequences at once.
    #[error("more than {0} fragmented signals underway at once")]
    TooManySequences(usize),
    /// The control term of a first fragment cannot be read.
    #[error(transparent)]
    Control(#[from] ControlError),
}
