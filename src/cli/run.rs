use std::process::ExitCode;

use anyhow::Context;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;
use tracing::error;
use tracing::info;
use tracing::warn;

use super::args::RunArgs;
use super::log;
use super::open_files;
use super::output;
use super::service;
use super::signals::Signals;
use crate::carrier::BoundDaemon;
use crate::carrier::Loaded;
use crate::carrier::LogHandle;
use crate::carrier::Source;
use crate::carrier::own_hosts;
use crate::config::LogFormat;
use crate::config::Purpose;

/// Number of task steps after which the runtime polls the sockets, however much there is to do. During bulk transfer a step
/// takes up to 0.2 ms of sending. With tokio's default of 61, a small call waited longer until it was seen. A lower value
/// costs throughput, because data is then received in smaller pieces.
const EVENT_INTERVAL: u32 = 24;

/// `beamway run`: reads and checks everything, then serves until told to stop.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let source = Source::File(args.config.clone(), Purpose::Daemon);
    let loaded = match source.load() {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            let format = args.log.unwrap_or_default();
            for line in mistakes {
                log::complain(format, "ERROR", &line);
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let format = args.log.unwrap_or(loaded.config.log.format);
    let (_written_at_the_end, limit, handle) = log::start(args, &loaded.config.log)?;
    let open_files = open_files::raise();
    info!(
        limit = open_files,
        "limit on open files; `beamway check` says what it suffices for"
    );
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build()
        .context("cannot start the threads of the daemon")?;
    runtime.spawn(log::tell_suppressed(limit));
    match runtime.block_on(serve(loaded, source, handle, format, args.until_input_ends)) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if format == LogFormat::Json => {
            error!(error = format!("{error:#}"), "the daemon cannot serve");
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error),
    }
}

/// Serves until SIGTERM or Ctrl-C, or, if `until_input_ends`, until standard input ends.
async fn serve(
    loaded: Loaded,
    source: Source,
    log: LogHandle,
    format: LogFormat,
    until_input_ends: bool,
) -> anyhow::Result<()> {
    let leave = CancellationToken::new();
    let signals = Signals::take().context("cannot handle signals")?;
    let bound = BoundDaemon::bind(loaded, source, own_hosts()).await?.with_log(log);
    tokio::spawn(signals.handle(leave.clone(), bound.reloads(), format));
    match format {
        LogFormat::Text => output::say(&bound.banner().to_string()),
        LogFormat::Json => bound.banner().log(),
    }
    let (granted, asked) = bound.receive_buffer();
    if granted < asked {
        warn!(
            granted,
            asked, "the UDP receive buffer is smaller than configured: raise net.core.rmem_max"
        );
    }
    service::serving(&bound.banner().to_string(), leave.clone());
    if until_input_ends {
        let told = leave.clone();
        // Reading blocks, so it runs in a thread of its own.
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            told.cancel();
        });
    }
    bound.run(leave).await;
    Ok(())
}
