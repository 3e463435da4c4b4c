use std::env;
use std::io;
use std::io::IsTerminal;

use anyhow::Context;
use tracing_appender::non_blocking::NonBlockingBuilder;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use super::args::RunArgs;
use crate::config::LogFormat;
use crate::config::LogSettings;

/// The environment variable that many Rust programs use: levels per module, such as `beamway=debug,quinn=info`.
const VARIABLE: &str = "RUST_LOG";

/// Log lines that may wait for a slow reader of standard error. Beyond that, lines are lost, so that signals are not delayed.
const LINES: usize = 16_384;

/// Starts the log on standard error. A thread of its own writes it: a full disk or a stopped reader must not stop the daemon.
/// Waiting lines are written when the guard is dropped. The level comes from `--log-level`, else from `RUST_LOG`, else from
/// the file; the format from `--log`, else from the file.
pub(super) fn start(args: &RunArgs, settings: &LogSettings) -> anyhow::Result<WorkerGuard> {
    let variable = env::var(VARIABLE).ok();
    let filter = EnvFilter::try_new(directives(args, settings, variable.as_deref()))
        .with_context(|| format!("{VARIABLE}: allowed: a level, or `module=level` pairs joined by commas"))?;
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES)
        .lossy(true)
        .finish(io::stderr());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // No escape sequences for colours in files and pipes.
        .with_ansi(io::stderr().is_terminal())
        .with_writer(writer);
    let started = match args.log.unwrap_or(settings.format) {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))?;
    Ok(guard)
}

/// The flag has precedence over the variable, unless that is empty, and both over the file.
fn directives(args: &RunArgs, settings: &LogSettings, variable: Option<&str>) -> String {
    match (args.log_level, variable) {
        (Some(level), _) => level.as_str().to_owned(),
        (None, Some(variable)) if !variable.trim().is_empty() => variable.to_owned(),
        _ => settings.level.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogLevel;

    #[test]
    fn the_flag_overrules_the_variable_and_that_the_file() {
        let args = |log_level| RunArgs {
            config: "x.toml".into(),
            log: None,
            log_level,
            until_input_ends: false,
        };
        let settings = LogSettings {
            format: LogFormat::Text,
            level: LogLevel::Warn,
        };
        let flag = Some(LogLevel::Trace);
        for (flag, variable, decided) in [
            (flag, Some("quinn=debug"), "trace"),
            (None, Some("quinn=debug"), "quinn=debug"),
            (None, Some(" "), "warn"),
            (None, None, "warn"),
        ] {
            assert_eq!(directives(&args(flag), &settings, variable), decided);
        }
    }
}
