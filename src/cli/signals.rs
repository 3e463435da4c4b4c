use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::log;
use super::service;
use crate::config::LogFormat;
use crate::observe::io::reload::Reload;

/// The signals that a daemon handles.
#[derive(Debug)]
pub(super) struct Signals {
    terminated: Signal,
    interrupted: Signal,
    hung_up: Signal,
}

impl Signals {
    /// Takes over the signals. This comes first, because until then each of them ends the process at once.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub(super) fn take() -> std::io::Result<Self> {
        Ok(Self {
            terminated: signal(SignalKind::terminate())?,
            interrupted: signal(SignalKind::interrupt())?,
            hung_up: signal(SignalKind::hangup())?,
        })
    }

    /// Handles them as long as the process lives. The first SIGTERM or SIGINT tells the daemon to leave, the second ends the
    /// process: whoever asks twice does not want to wait for nodes that do not read. SIGHUP makes it read its configuration again.
    pub(super) async fn handle(mut self, leave: CancellationToken, reloads: mpsc::Sender<Reload>, format: LogFormat) {
        let mut is_told = false;
        loop {
            let number = tokio::select! {
                Some(()) = self.terminated.recv() => nix::libc::SIGTERM,
                Some(()) = self.interrupted.recv() => nix::libc::SIGINT,
                Some(()) = self.hung_up.recv() => {
                    reload(&reloads);
                    continue;
                }
                else => return,
            };
            if is_told {
                let told = "beamway: ended at once by a second signal; peers notice it after idle_timeout and grace";
                log::complain(format, "WARN", told);
                // The status that a shell reports for a process ended by this signal.
                std::process::exit(128 + number);
            }
            info!("stopping; a second SIGTERM or SIGINT ends the daemon at once");
            is_told = true;
            leave.cancel();
        }
    }
}

/// Has the configuration read again, and tells the service manager, which waits for the end of that.
fn reload(reloads: &mpsc::Sender<Reload>) {
    service::reloading();
    let (answer, told) = oneshot::channel();
    // If there are as many requests as may wait, what they read is new enough.
    let _ = reloads.try_send(answer);
    tokio::spawn(async move {
        service::reloaded(match told.await {
            Ok(reloaded) if reloaded.mistakes.is_empty() => "the configuration was read again",
            Ok(_) => "the configuration has mistakes, and was not read again: see the log",
            Err(_) => "serving",
        });
    });
}
