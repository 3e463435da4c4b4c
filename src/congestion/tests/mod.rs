//! The model on a simulated [`line`] with a bottleneck: alone and beside TCP ([`shares`]), under bad conditions ([`weather`]), with
//! another sender in the other direction ([`both_ways`]), within a rack ([`short`]), and with odd input ([`odd`]).

mod both_ways;
mod line;
mod odd;
mod shares;
mod short;
mod weather;
