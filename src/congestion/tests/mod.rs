//! The model on a simulated [`line`] with a bottleneck, alone and beside TCP ([`shares`]), in bad [`weather`], and what it makes of
//! odd input ([`odd`]).

mod line;
mod odd;
mod shares;
mod weather;
