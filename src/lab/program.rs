use std::process::ExitCode;

use super::args::Command;
use super::bench;
use super::demo;
use super::linkem;
use super::sim;

/// Runs a command, and gives the exit status.
///
/// # Errors
/// Why the command failed, in words for the user.
pub fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(demo::Options {
            json: args.json,
            erl: args.erl,
        }),
        Command::Bench(args) => bench::run(args.into()),
        Command::DemoNode(args) => demo::native::run(&args.into()),
        Command::Linkem(args) => linkem::run(&args),
        Command::Sim(args) => sim::run(&args.into()),
    }
}
