//! The model on a simulated [`line`] with a bottleneck, alone and beside TCP ([`shares`]), and what it makes of odd input
//! ([`odd`]).

mod line;
mod odd;
mod shares;
