//! `beamway demo` as a user runs it: what it prints, what it leaves behind (nothing), and that its rows can fail. With BEAMs
//! and with native nodes.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod rows;
mod runs;
