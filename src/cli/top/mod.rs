//! `beamway top`: what a running daemon does, each second anew.
//!
//! - `rates`: what has grown between two answers of the daemon; also the form of `--json`.
//! - `table`: rows as columns that fit a width. `screen`: an instant, a size and an order become lines of text. Both are pure.
//! - `ask`: a thread that asks the daemon, so that one that hangs does not keep the keyboard waiting.
//! - `terminal`: the screen and the keyboard, given back as they were however the program ends.
//! - `watch`: the loop, on a terminal and without one.

mod ask;
mod rates;
mod screen;
mod table;
mod terminal;
mod watch;

#[cfg(test)]
mod tests;

pub(super) use rates::Order;
pub(super) use table::Column;
pub(super) use table::table;
pub(super) use watch::top;
