//! The command line of beamway.
fn main() {}
