use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Tells the service manager that the daemon serves, and spawns what accompanies it from then on: heartbeats if the manager wants
/// them, and the word that the daemon stops, as soon as `leave` says so. Whoever started the daemon by hand notices nothing.
pub(super) fn serving(status: &str, leave: CancellationToken) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    if let Some(limit) = sd_notify::watchdog_enabled() {
        tokio::spawn(beat(limit / 2));
    }
    tokio::spawn(async move {
        leave.cancelled().await;
        let status = "stopping: what nodes have sent is delivered, at most for close_deadline";
        tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    });
}

/// Tells the service manager that the daemon reads its configuration again. [`reloaded`] must follow, whatever comes of it: until then
/// the manager waits, and with `Type=notify-reload` for a limited time.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "the service manager cannot be told of a reload: no monotonic clock"),
    }
}

/// Tells the service manager that the daemon serves with what it has read, or as before.
pub(super) fn reloaded(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Heartbeats of the runtime: they end when a task keeps the runtime from the others, and with them the daemon, which the service
/// manager then kills and starts anew.
async fn beat(pause: Duration) {
    let mut ticks = interval(pause.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

/// Without `NOTIFY_SOCKET` nobody is told. The socket takes a datagram at once, or not at all: nothing waits here.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "the service manager cannot be told the daemon's state; does RestrictAddressFamilies= have AF_UNIX?");
    }
}
