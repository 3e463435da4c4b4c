//! Two real sessions joined by streams: [`streams`] that overtake each other, the [`rules`] one by one, the [`bounds`] of
//! memory, [`storms`] of work, the [`turns`] of strands that share a lane, trunks that are lost while the session
//! continues ([`resume`]), graceful shutdown ([`leaving`]), nodes that fall silent ([`silence`]), processes that flood
//! ([`senders`]), and a [`simulation`] of circuits that open and close, whose checker knows the true sender and receiver of each
//! signal.

mod bounds;
mod bug;
mod leaving;
mod limits;
mod pair;
mod resume;
mod rules;
mod senders;
mod silence;
mod simulation;
mod storms;
mod streams;
mod turns;

pub(super) use bug::with_bug;
