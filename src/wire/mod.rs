//! Rank 3: the wire protocol of beamway, without sockets. `docs/PROTOCOL.md` is normative.
//!
//! A trunk has N *lanes* in each direction, each of them a unidirectional QUIC stream of [`Frame`]s, and one *control
//! stream* of [`Notice`]s. A lane interleaves the *strands* of many circuits. Each strand keeps its order.
//!
//! - `frame`: lanes, strands, frames and their contents; `page`: small bodies that came together; `notice`: notices as types;
//!   `generated`: notices as protobuf.

mod error;
mod frame;
mod generated;
mod notice;
mod page;

#[cfg(test)]
mod tests;

pub use error::WireError;
pub use frame::BODY_MAX;
pub use frame::CircuitId;
pub use frame::Content;
pub use frame::Frame;
pub use frame::FrameDecoder;
pub use frame::FrameHead;
pub use frame::FrameId;
pub use frame::LANES_MAX;
pub use frame::LaneId;
pub use frame::SMALL;
pub use frame::STRANDS;
pub use frame::StrandId;
pub use frame::TURN;
pub use frame::lane_header;
pub use notice::Close;
pub use notice::Hello;
pub use notice::KnownPeer;
pub use notice::Mark;
pub use notice::NOTICE_MAX;
pub use notice::Notice;
pub use notice::NoticeDecoder;
pub use notice::Open;
pub use notice::Progress;
pub use notice::Receipt;
pub use notice::SessionId;
pub use notice::VERSION;
pub use notice::VERSION_MIN;
pub use notice::VERSION_OF_SILENCE;
pub use page::detach;
