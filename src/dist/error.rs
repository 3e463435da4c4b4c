use thiserror::Error;

use super::Operation;
use crate::codec::CodecError;
use crate::etf::TermError;

/// Why a handshake message was rejected. The connection is closed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HandshakeError {
    /// The message is truncated.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The message is longer than the maximum.
    #[error("handshake message of {length} bytes; at most {limit} are allowed")]
    Oversized {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The node speaks distribution over TLS.
    #[error(
        "the node uses TLS distribution (-proto_dist inet_tls), which is not needed here: start it without, and with \
         -kernel inet_dist_use_interface '{{127,0,0,1}}'; between hosts, gateways encrypt"
    )]
    Tls,
    /// A different message was expected.
    #[error("unexpected handshake message '{}', expected {expected}", char::from(*found))]
    Unexpected {
        /// The message that was expected.
        expected: &'static str,
        /// The tag found.
        found: u8,
    },
    /// The handshake of nodes before OTP 23.
    #[error("the node speaks the handshake of OTP 22 or older ('n'); OTP 25 or later is required")]
    TooOld,
    /// An unknown status.
    #[error("unknown handshake status {0:?}")]
    Status(String),
    /// An invalid node name.
    #[error(
        "{0:?} is not a node name: use name@host, with letters, digits, '_' and '-' in name, at most 255 characters"
    )]
    Name(String),
    /// A handshake message from the wrong side or at the wrong time.
    #[error("unexpected handshake message {message:?} from the {from}: {state}")]
    OutOfState {
        /// Who sent it.
        from: &'static str,
        /// Its first byte.
        message: char,
        /// The message that was expected.
        state: &'static str,
    },
    /// The acceptor assigned a name to an initiator that has one.
    #[error("the acceptor assigned the name {0:?} to a node that did not ask for a name")]
    Named(String),
}

/// Why a control term was rejected. The connection it arrived on is closed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ControlError {
    /// The term is malformed.
    #[error("malformed control term: {0}")]
    Term(#[from] TermError),
    /// The term is truncated.
    #[error("malformed control term: {0}")]
    Codec(#[from] CodecError),
    /// The term has a wrong version byte (nodes without fragments).
    #[error("malformed control term: expected the version byte 131, found {0}")]
    Version(u8),
    /// Not an operation of OTP 25 to 29.
    #[error("unknown operation {0}")]
    Operation(u64),
    /// The operation has the wrong number of elements.
    #[error("{operation} has {found} elements, expected {expected}")]
    Arity {
        /// The operation.
        operation: Operation,
        /// The number of elements it must have.
        expected: u8,
        /// The number of elements found.
        found: u8,
    },
    /// An element has the wrong type.
    #[error("{operation} has an invalid {what}")]
    Element {
        /// The operation.
        operation: Operation,
        /// The element.
        what: &'static str,
    },
    /// The operation requires a payload, and there is none.
    #[error("{0} has no payload")]
    NoPayload(Operation),
}

/// Why a packet was rejected. The connection it arrived on is closed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PacketError {
    /// The header is malformed.
    #[error("malformed packet: {0}")]
    Codec(#[from] CodecError),
    /// The packet does not have the format that the handshake determined.
    #[error("packet begins with {found:?}, which is not the format of this connection")]
    Format {
        /// Its first bytes.
        found: [u8; 2],
    },
    /// The packet refers to an atom cache, which beamway never offers.
    #[error("packet has {0} atom cache references; the atom cache is not supported")]
    AtomCache(u8),
    /// The packet is too long.
    #[error("packet of {length} bytes; at most {limit} are allowed{hint}")]
    Oversized {
        /// Its length in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u64,
        /// An explanation, appended to the message.
        hint: &'static str,
    },
    /// A control term exceeds the size of a packet.
    #[error("control term is longer than {limit} bytes")]
    ControlTerm {
        /// The limit in bytes.
        limit: usize,
    },
    /// The fragments are out of order.
    #[error("fragment {found} of sequence {sequence} is out of order, expected {expected}")]
    Fragment {
        /// The sequence.
        sequence: u64,
        /// The fragment number that was expected; zero if the sequence is unknown.
        expected: u64,
        /// The fragment number found.
        found: u64,
    },
    /// The signal has too many fragments. A VM allocates memory by this number before it receives them
    /// (`external.c: erts_dist_ext_size`), so it is bounded.
    #[error("sequence {sequence} has {fragments} fragments; at most {limit} are allowed")]
    Fragments {
        /// The sequence.
        sequence: u64,
        /// Fragments announced.
        fragments: u64,
        /// The limit.
        limit: u64,
    },
    /// The sequence number is zero, which harms a VM, or already in use.
    #[error("sequence number {0} is zero or already in use")]
    Sequence(u64),
    /// A run that is not a sequence of messages with the same control term.
    #[error("malformed run: {0}")]
    Run(&'static str),
    /// Too many fragmented signals at once.
    #[error("more than {0} fragmented signals at once")]
    TooManySequences(usize),
    /// The control term in a first fragment is malformed.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The VM has not enough memory for the packet.
    #[error("there is not enough memory for a packet")]
    Memory,
}
