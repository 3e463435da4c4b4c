use std::env;
use std::io;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tracing::warn;
use tracing_appender::non_blocking::NonBlockingBuilder;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use super::args::RunArgs;
use super::log_escape::Escaped;
use super::log_json;
use super::log_json::Json;
use super::log_limit::Limited;
use super::output;
use crate::carrier::LogHandle;
use crate::config::LogFormat;
use crate::config::LogLevel;
use crate::config::LogSettings;
use crate::fields::Limit;
use crate::fields::Suppressed;
use crate::observe::status::LogLines;

/// The environment variable that many Rust programs use: levels per module, such as `beamway=debug,quinn=info`.
const VARIABLE: &str = "RUST_LOG";

/// Log lines that may wait for a slow reader of standard error. Beyond that, lines are lost, so that signals are not delayed.
const LINES: usize = 16_384;

/// How often suppressed lines are reported.
const SUPPRESSED_TIME: Duration = Duration::from_secs(10);

/// Starts the log on standard error. A thread of its own writes it: a full disk or a stopped reader must not stop the daemon.
/// Waiting lines are written when the guard is dropped. The level comes from `--log-level`, else from `RUST_LOG`, else from
/// the file; the format from `--log`, else from the file.
///
/// Returns the guard, what knows which lines were suppressed, and what sets the level.
pub(super) fn start(args: &RunArgs, settings: &LogSettings) -> anyhow::Result<(WorkerGuard, Limit, LogHandle)> {
    let variable = env::var(VARIABLE).ok();
    let filter = EnvFilter::try_new(directives(args, settings, variable.as_deref()))
        .with_context(|| format!("{VARIABLE}: allowed: a level, or `module=level` pairs joined by commas"))?;
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES)
        .lossy(true)
        .finish(io::stderr());
    let lost = writer.error_counter();
    let limit = Limit::default();
    let (filter, level) = reload::Layer::new(filter);
    // No escape sequences for colours in files and pipes.
    let is_coloured = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(is_coloured)
        .with_writer(Escaped::new(writer, is_coloured));
    let log = match args.log.unwrap_or(settings.format) {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => log.event_format(Json).boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(log.with_filter(Limited(limit.clone()).and(filter)))
        .try_init();
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))?;
    let of_file = args.log_level.is_none() && variable.is_none_or(|variable| variable.trim().is_empty());
    let counted = limit.clone();
    let handle = LogHandle {
        level: Some(Arc::new(move |to| set_level(&level, to, of_file))),
        count: Some(Arc::new(move || LogLines {
            dropped: lost.dropped_lines() as u64,
            suppressed: counted.suppressed(),
        })),
    };
    Ok((guard, limit, handle))
}

/// Applies another level of the file, unless a flag or the variable has decided.
fn set_level<S>(handle: &reload::Handle<EnvFilter, S>, level: LogLevel, of_file: bool) {
    let filter = of_file.then(|| EnvFilter::try_new(directive(level)).ok()).flatten();
    match filter {
        Some(filter) => drop(handle.reload(filter)),
        None => warn!("`log.level` has no effect: --log-level or {VARIABLE} decides"),
    }
}

/// Writes a line on standard error that does not wait for the log, in the log's format.
pub(super) fn complain(format: LogFormat, level: &str, line: &str) {
    match format {
        LogFormat::Text => output::complain(line),
        LogFormat::Json => output::complain(&log_json::plain(level, line)),
    }
}

/// Tells what was suppressed, every ten seconds if there was anything.
pub(super) async fn tell_suppressed(limit: Limit) {
    let mut tick = tokio::time::interval(SUPPRESSED_TIME);
    loop {
        tick.tick().await;
        for Suppressed { kind, source, count } in limit.take_suppressed() {
            warn!(kind, source, count, "suppressed log lines of one kind and source");
        }
    }
}

/// The flag has precedence over the variable, unless that is empty, and both over the file.
fn directives(args: &RunArgs, settings: &LogSettings, variable: Option<&str>) -> String {
    let level = match (args.log_level, variable) {
        (Some(level), _) => level,
        (None, Some(variable)) if !variable.trim().is_empty() => return variable.to_owned(),
        _ => settings.level,
    };
    directive(level).to_owned()
}

fn directive(level: LogLevel) -> &'static str {
    match level {
        // What it says of a datagram that is not sent, we say in our words.
        LogLevel::Info => "info,quinn_udp=warn",
        level => level.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (Some(LogLevel::Info), None, "info,quinn_udp=warn"),
        ] {
            assert_eq!(directives(&args(flag), &settings, variable), decided);
        }
    }
}
