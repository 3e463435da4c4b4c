use std::process::ExitCode;
use std::process::Stdio;

use anyhow::Context;
use nix::ifaddrs::getifaddrs;
use nix::unistd::gethostname;
use tokio::runtime::Builder;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio_util::sync::CancellationToken;
use tracing::info;
use tracing::warn;

use super::args::RunArgs;
use super::load;
use super::load::Loaded;
use super::log;
use super::output;
use crate::app::App;

/// `beamway run`: reads and checks everything, then serves until told to stop.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let loaded = match load::load(&args.config) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            for line in mistakes {
                output::complain(&line);
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let _written_at_the_end = log::start(args, &loaded.config.log)?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the threads of the daemon cannot be started")?;
    runtime.block_on(serve(loaded))?;
    Ok(ExitCode::SUCCESS)
}

/// Serves until SIGTERM or Ctrl-C.
async fn serve(loaded: Loaded) -> anyhow::Result<()> {
    let Loaded { config, identity } = loaded;
    let app = App::bind(config, &identity, own_hosts()).await?;
    output::say(&app.banner());
    let (granted, asked) = app.receive_buffer();
    if granted < asked {
        warn!(
            granted,
            asked, "the kernel grants less for the UDP socket than was asked: raise net.core.rmem_max"
        );
    }
    let leave = CancellationToken::new();
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let told = leave.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        info!("told to stop");
        told.cancel();
    });
    app.run(leave).await;
    Ok(())
}

/// The host parts that mean this machine, if nobody says: its host name, the first part of it, and the addresses of its
/// interfaces.
pub(super) fn own_hosts() -> Vec<String> {
    let mut hosts = Vec::new();
    if let Some(name) = gethostname().ok().and_then(|name| name.into_string().ok()) {
        if let Some((short, _)) = name.split_once('.') {
            hosts.push(short.to_owned());
        }
        hosts.push(name);
    }
    hosts.extend(full_name());
    for interface in getifaddrs().into_iter().flatten() {
        let Some(address) = interface.address else {
            continue;
        };
        if let Some(v4) = address.as_sockaddr_in() {
            hosts.push(v4.ip().to_string());
        } else if let Some(v6) = address.as_sockaddr_in6() {
            hosts.push(v6.ip().to_string());
        }
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

/// The full name of this machine, as `hostname --fqdn` finds it; none where the command is missing or finds nothing.
fn full_name() -> Option<String> {
    let found = std::process::Command::new("hostname")
        .arg("--fqdn")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let name = String::from_utf8(found.stdout).ok()?.trim().to_owned();
    (found.status.success() && !name.is_empty()).then_some(name)
}
