use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Command;
use clap_complete::generate;
use clap_complete::shells;
use clap_mangen::Man;

use super::args::ManArgs;
use super::args::Shell;

/// `beamway man`: the pages of all commands as files of a folder, or the main one on standard output.
pub(super) fn man(args: &ManArgs, program: Command) -> anyhow::Result<ExitCode> {
    // The command `help` explains the others here, and needs no page of its own.
    let mut program = program.disable_help_subcommand(true);
    program.build();
    match &args.dir {
        Some(dir) => {
            let told = || format!("cannot write man pages into {}", dir.display());
            fs::create_dir_all(dir).with_context(told)?;
            write(&program, dir).with_context(told)?;
        }
        None => {
            let mut text = Vec::new();
            page(&program).render(&mut text)?;
            print(&text);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The page of a command, and those of the commands within it.
fn write(command: &Command, dir: &Path) -> io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        write(inner, dir)?;
    }
    page(command).generate_to(dir).map(drop)
}

/// The commit that `--version` has says nothing to a reader of the page.
fn page(command: &Command) -> Man {
    Man::new(command.clone().version(env!("CARGO_PKG_VERSION")))
        .source(concat!("beamway ", env!("CARGO_PKG_VERSION")))
        .manual("beamway")
}

/// `beamway completions`: a script for a shell, on standard output.
pub(super) fn completions(shell: Shell, program: &Command) -> ExitCode {
    let name = env!("CARGO_PKG_NAME");
    // The generators know nothing of hidden commands.
    let visible = program
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .cloned();
    let mut program = Command::new(name)
        .version(env!("CARGO_PKG_VERSION"))
        .subcommands(visible);
    let mut script = Vec::new();
    match shell {
        Shell::Bash => generate(shells::Bash, &mut program, name, &mut script),
        Shell::Zsh => generate(shells::Zsh, &mut program, name, &mut script),
        Shell::Fish => generate(shells::Fish, &mut program, name, &mut script),
    }
    print(&script);
    ExitCode::SUCCESS
}

/// A closed pipe is not an error.
fn print(text: &[u8]) {
    let _ = io::stdout().lock().write_all(text);
}
