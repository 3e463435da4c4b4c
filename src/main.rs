//! The program `beamway`; everything is in [`beamway::cli`].

use std::process::ExitCode;

/// The system's allocator keeps what a flood has left in small pieces: of 109 MB it gave back 25, this one all but 3, within
/// its decay time of ten seconds.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    beamway::cli::main()
}
