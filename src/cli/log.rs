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

/// The variable that many Rust programs share: levels per module, such as `beamway=debug,quinn=info`.
const VARIABLE: &str = "RUST_LOG";

/// Log lines that wait for a reader of standard error that is slow; beyond, lines are lost rather than signals held up.
const LINES: usize = 16_384;

/// Starts the log, on standard error, written by a thread of its own: a full disk or a stopped reader must not stop the
/// daemon. What waits is written when the guard is dropped. The level is that of `--log-level`, else of `RUST_LOG`, else of the file; the
/// format that of `--log`, else of the file.
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
        // No control characters in files and pipes.
        .with_ansi(io::stderr().is_terminal())
        .with_writer(writer);
    let started = match args.log.unwrap_or(settings.format) {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))?;
    Ok(guard)
}

/// Who decides: the flag, then the variable unless it is empty, then the file.
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
