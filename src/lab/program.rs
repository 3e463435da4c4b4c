use std::process::ExitCode;

use super::args::Command;
use super::bench;
use super::demo;
use super::linkem;
use super::sim;

/// Does what a command says, and gives the exit status.
///
/// # Errors
/// What went wrong, ready to be shown.
pub fn obey(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(demo::Options { json: args.json }),
        Command::Bench(args) => bench::run(args.into()),
        Command::DemoNode(args) => demo::native::run(&args.into()),
        Command::Linkem(args) => linkem::run(&args),
        Command::Sim(args) => sim::run(&args.into()),
    }
}
