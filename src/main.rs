//! The program `beamway`; everything is in [`beamway::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    beamway::cli::main()
}
