//! Rank 2: the Erlang distribution protocol, without sockets.
//!
//! In the order in which a connection uses them: [`NodeName`] and [`Flags`], the [messages](handshake) of the
//! handshake, and packets ([`StreamDecoder`] and [`StreamEncoder`]; [`PacketDecoder`] and [`PacketEncoder`] for packets
//! that do not come from a stream). A [`Question`] finds out whether a node lives. [`scan`] reads control terms as far as
//! routing needs them. Payloads are never decoded. OTP documents the protocol in `erl_dist_protocol` and `erl_ext_dist`.

mod control;
mod error;
mod flags;
mod format;
pub mod handshake;
mod name;
mod operation;
mod packet;
mod question;
mod relay;
mod run;
mod signal;
mod stream;

#[cfg(test)]
pub(crate) mod tests;

pub use control::Control;
pub use control::Destination;
pub use control::Lesson;
pub use control::Sender;
pub use control::begins_message;
pub use control::scan;
pub use control::scan_first;
pub use error::ControlError;
pub use error::HandshakeError;
pub use error::PacketError;
pub use flags::Flags;
pub use format::Format;
pub use name::NodeName;
pub use name::case_hint;
pub use name::list_nodes;
pub use operation::Operation;
pub use packet::FRAGMENT_SIZE;
pub use packet::FRAGMENTS_MAX;
pub use packet::PACKET_MAX;
pub use packet::Packet;
pub use packet::PacketDecoder;
pub use packet::PacketEncoder;
pub use packet::SEQUENCES_MAX;
pub use question::Question;
pub use relay::Party;
pub use relay::Relay;
pub use relay::Relayed;
pub use run::RUN_MAX;
pub use run::Run;
pub use signal::Signal;
pub use signal::SpawnRequest;
pub use signal::Target;
pub use signal::send_term;
pub use stream::StreamDecoder;
pub use stream::StreamEncoder;
