use std::process::ExitCode;

use super::args::Command;
use super::certs;
use super::check;
use super::doctor;
use super::manual;
use super::oneshot;
use super::oneshot::Oneshot;
use super::reload;
use super::run;
use super::status;
use super::top;

/// Runs a command and returns the exit status; see the module for its meaning. `program` has all commands of the program, those of
/// other modules included, for what describes it.
///
/// # Errors
/// If the command failed, with a message for the user.
pub fn execute(command: Command, program: fn() -> clap::Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Status(args) => status::status(&args),
        Command::Top(args) => top::top(&args),
        Command::Reload(args) => reload::reload(&args),
        Command::Doctor(args) => doctor::doctor(args),
        Command::Certs(args) => certs::run(&args.command),
        Command::Call(args) => oneshot::run(Oneshot::Call(args.into())),
        Command::Send(args) => oneshot::run(Oneshot::Send(args.into())),
        Command::Ping(args) => oneshot::run(Oneshot::Ping(args.into())),
        Command::Man(args) => manual::man(&args, program()),
        Command::Completions(args) => Ok(manual::completions(args.shell, &program())),
    }
}
