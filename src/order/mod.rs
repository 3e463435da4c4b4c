//! Rank 4: order and flow control within one circuit, as pure state machines.
//!
//! [`Outbound`] is on the side where signals enter from a BEAM: it chooses the strand of each signal by its destination
//! process, adds the fences that Erlang's order requires beyond that, and charges credit. [`Inbound`] is on the side
//! where signals leave to the other BEAM: it parks frames that wait for a fence, takes turns between strands, and
//! grants credit as bytes are written. Both are independent of trunks.
//!
//! A short proof (the long one is in `docs/ARCHITECTURE.md`): frames of one strand keep their order. All signals
//! addressed to one pid, or to a known alias of it, use one strand. A signal addressed otherwise is *ambiguous*: it has
//! fences on everything earlier from the same sender, and everything later from that sender has a fence on it. Fences
//! point only backwards in the order of arrival, and credit is charged in that order too. So the oldest undelivered
//! frame can always proceed, and there is no deadlock.

mod address;
mod alias;
mod inbound;
mod outbound;
mod senders;
mod strands;
mod turns;

#[cfg(test)]
mod tests;

pub use address::Address;
pub use address::lane_of;
pub use address::strand_of;
pub use alias::AliasStats;
pub use alias::Aliases;
pub use inbound::Inbound;
pub use inbound::InboundError;
pub use outbound::Head;
pub use outbound::Outbound;
pub use outbound::Part;
pub use outbound::Placed;
