//! The program `beamway`: commands of [`beamway::cli`], and of [`beamway::lab`] where that is compiled in.

use std::process::ExitCode;

use beamway::cli;
#[cfg(feature = "lab")]
use beamway::lab;
use clap::CommandFactory;
use clap::Parser;
use clap::Subcommand;

/// The system's allocator keeps what a flood has left in small pieces: of 109 MB it gave back 25, this one all but 3, within
/// its decay time of ten seconds.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// An alternative carrier for Erlang distribution: many QUIC lanes over TLS 1.3 between unmodified nodes.
#[derive(Debug, Parser)]
#[command(name = "beamway", version = env!("BEAMWAY_VERSION"), arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Cli(cli::Command),
    #[cfg(feature = "lab")]
    #[command(flatten)]
    Lab(lab::Command),
}

/// Wrong arguments end the process from within, with status 2.
fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Cli(command) => cli::execute(command, Args::command),
        #[cfg(feature = "lab")]
        Command::Lab(command) => lab::execute(command),
    };
    match done {
        Ok(status) => status,
        Err(error) => {
            cli::complain(&format!("beamway: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
