//! The model on a simulated [`line`] with a bottleneck, alone and beside TCP ([`shares`]), in bad [`weather`], facing another sender
//! ([`both_ways`]), within a rack ([`short`]), and what it makes of odd input ([`odd`]).

mod both_ways;
mod line;
mod odd;
mod shares;
mod short;
mod weather;
