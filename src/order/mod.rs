//! Rank 4: order and pressure within one circuit, as pure machines.
//!
//! [`Outbound`] stands where signals come in from a BEAM: it chooses each signal's lane by its destination process,
//! adds the fences that keep Erlang's order where the choice alone cannot, and charges credit. [`Inbound`] stands where
//! they go out to the other BEAM: it parks what must wait for a fence, takes turns between lanes, and grants credit as
//! bytes are written. Neither knows what a trunk is: frame numbers are given to them.
//!
//! Why it is right, in short (the long form is in `docs/ARCHITECTURE.md`): frames of one lane keep their order; all
//! signals addressed to one pid, or to an alias that is known to be its, ride one lane; what is addressed otherwise is
//! *ambiguous* and fenced both ways against everything of the same sender. Fences point only backwards in the order of
//! arrival, and credit is charged in that order too, so the oldest undelivered frame can always move: no deadlock.

mod address;
mod alias;
mod inbound;
mod outbound;
mod senders;
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
