//! Rank 2: Erlang distribution as bytes and values, without a socket.
//!
//! In the order of a connection's life: [`NodeName`] and [`Flags`], the handshake's [messages](handshake), then packets
//! ([`StreamDecoder`], [`StreamEncoder`]; [`PacketDecoder`], [`PacketEncoder`] for who has packets without a stream), whose control terms are read just enough to route them ([`scan`]). Payloads
//! are never looked at. The protocol is described in OTP's `erl_dist_protocol.md`; where a doc comment says *protocol
//! reference*, the section is of the description beamway was written from.

mod control;
mod error;
mod flags;
mod format;
pub mod handshake;
mod name;
mod operation;
mod packet;
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
pub use operation::Operation;
pub use packet::FRAGMENT_SIZE;
pub use packet::FRAGMENTS_MAX;
pub use packet::PACKET_MAX;
pub use packet::Packet;
pub use packet::PacketDecoder;
pub use packet::PacketEncoder;
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
