//! The command line of beamway.

use std::process::ExitCode;

use beamway::cli::demo;
use clap::Parser;
use clap::Subcommand;

#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the main job on this machine, with two real Erlang nodes.
    Demo {
        /// Print the figures as JSON.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let Command::Demo { json } = Arguments::parse().command;
    demo::run(demo::Options { json })
}
