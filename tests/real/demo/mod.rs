//! `beamway demo` as a user runs it: what it prints, what it leaves behind (nothing), and that its rows can fail. With BEAMs
//! and with native nodes. And `beamway bench`, with durations that only show that it runs.

mod bench;
mod children;
mod outside;
mod rows;
mod runs;
