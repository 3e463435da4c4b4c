use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use crate::cli::client::Client;
use crate::observe::Status;

/// How often the daemon is asked.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// How long an answer may take before it is told that there is none.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// What the loop hears beside the keyboard.
#[derive(Debug)]
pub(super) enum Heard {
    Status(Box<Status>),
    /// Why there is no status.
    Nothing(String),
    /// A signal ends the program.
    End,
}

/// One answer, or why there is none.
pub(super) fn ask(client: &Client) -> Heard {
    match client.read("/status") {
        Ok(status) => Heard::Status(Box::new(status)),
        Err(error) => Heard::Nothing(format!("{error:#}")),
    }
}

/// Waits for the time of the next question: whole periods after the first, whatever the answers took.
pub(super) fn wait(next: &mut Instant) {
    let now = Instant::now();
    *next += EVERY;
    if *next < now {
        *next = now;
    }
    thread::sleep(next.saturating_duration_since(now));
}

/// Asks again and again until nobody listens.
pub(super) fn asking(client: Client, to: SyncSender<Heard>) {
    thread::spawn(move || {
        let mut next = Instant::now();
        while to.send(ask(&client)).is_ok() {
            wait(&mut next);
        }
    });
}

/// Signals that would end the program at once end the loop instead, so that the terminal is given back.
///
/// # Errors
/// If they cannot be taken.
pub(super) fn signals(to: SyncSender<Heard>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(entered);
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = hangup.recv() => {}
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        let _ = to.send(Heard::End);
    });
    Ok(())
}
