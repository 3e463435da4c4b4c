use std::process::ExitCode;

use clap::Parser;

use super::args::Args;
use super::args::Command;
use super::bench;
use super::certs;
use super::check;
use super::demo;
use super::errand;
use super::errand::Errand;
use super::linkem;
use super::output;
use super::run;
use super::sim;

/// Runs the program with the arguments of the process; see the module for the exit status. Wrong arguments end the
/// process from within, with status 2.
pub fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args.config),
        Command::Certs(args) => certs::run(&args.command),
        Command::Linkem(args) => linkem::run(&args),
        Command::Demo(args) => demo::run(demo::Options { json: args.json }),
        Command::Bench(args) => bench::run(args.into()),
        Command::DemoNode(args) => demo::native::run(&args.into()),
        Command::Call(args) => errand::run(Errand::Call(args.into())),
        Command::Send(args) => errand::run(Errand::Send(args.into())),
        Command::Ping(args) => errand::run(Errand::Ping(args.into())),
        Command::Sim(args) => sim::run(&args.into()),
    };
    match done {
        Ok(status) => status,
        Err(error) => {
            output::complain(&format!("beamway: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
