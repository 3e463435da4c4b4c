//! Busy waiting: for a short time after a small signal, the runtime polls instead of sleeping. A reply usually follows soon, and
//! a sleeping core takes longer to wake than the reply takes to arrive.

use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::Notify;

use crate::wire::SMALL;

/// If `yield_now` takes longer than this, other programs need the core. They may be the very nodes whose reply is expected, so
/// busy waiting stops.
const WANTED: Duration = Duration::from_micros(200);

/// The task sleeps.
const RESTING: u8 = 0;
/// The task polls, and nothing came since it last looked.
const WAITING: u8 = 1;
/// A small signal came.
const NEWS: u8 = 2;
/// Bulk data came.
const BULK: u8 = 3;

/// Where sessions report the signals that they handle, for the task that waits.
#[derive(Clone, Debug, Default)]
pub struct BusyWait(Arc<State>);

#[derive(Debug, Default)]
struct State {
    latest: AtomicU8,
    news: Notify,
}

impl BusyWait {
    /// Reports that a session was handed this many bytes of signals at once. Zero is ignored: nobody waits for a reply to
    /// notices between daemons.
    pub fn came(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        // Bulk data keeps its own thread awake. A second thread that polls beside it would take a core from the nodes.
        let latest = if bytes <= SMALL { NEWS } else { BULK };
        let is_resting = self.0.latest.load(Ordering::Relaxed) == RESTING;
        if is_resting && latest == BULK {
            return;
        }
        if self.0.latest.swap(latest, Ordering::Relaxed) == RESTING {
            self.0.news.notify_one();
        }
    }

    /// Whether a small signal has come since the last call; `None` if bulk data has.
    fn look(&self) -> Option<bool> {
        match self.0.latest.swap(WAITING, Ordering::Relaxed) {
            NEWS => Some(true),
            BULK => None,
            _ => Some(false),
        }
    }

    /// Goes to sleep if nothing has come since [`BusyWait::look`], and returns whether it did. The next small signal then wakes
    /// the task.
    fn rest(&self) -> bool {
        let rested = self
            .0
            .latest
            .compare_exchange(WAITING, RESTING, Ordering::Relaxed, Ordering::Relaxed);
        rested.is_ok()
    }

    /// Keeps the runtime's thread awake for `time` after each small signal. It yields the core to other programs whenever they
    /// want it, and then sleeps. Never returns.
    pub async fn run(&self, time: Duration) {
        loop {
            self.0.news.notified().await;
            self.wait(time, is_core_wanted).await;
        }
    }

    async fn wait(&self, time: Duration, is_core_wanted: impl Fn() -> bool) {
        let mut until = Instant::now() + time;
        loop {
            let now = Instant::now();
            match self.look() {
                Some(true) => until = now + time,
                Some(false) if !is_core_wanted() => (),
                Some(false) | None => until = now,
            }
            if now >= until && self.rest() {
                return;
            }
            // The runtime polls the sockets without sleeping.
            tokio::task::yield_now().await;
        }
    }
}

/// Yields the core to other programs, and returns whether one of them used it.
fn is_core_wanted() -> bool {
    let began = Instant::now();
    std::thread::yield_now();
    began.elapsed() >= WANTED
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_millis(100);

    /// How long it waits from now on, on a core that nobody else wants.
    async fn waited(wait: &BusyWait) -> Duration {
        let began = Instant::now();
        wait.wait(TIME, || false).await;
        began.elapsed()
    }

    fn is_told(wait: &BusyWait) -> bool {
        let mut told = std::pin::pin!(wait.0.news.notified());
        told.as_mut().enable()
    }

    #[tokio::test]
    async fn what_is_small_is_waited_after_and_bulk_is_not() {
        let wait = BusyWait::default();
        assert!(!is_told(&wait));
        wait.came(SMALL + 1);
        wait.came(0);
        assert!(!is_told(&wait), "neither bulk data nor zero bytes start a wait");
        wait.came(SMALL);
        assert!(is_told(&wait));
        assert!(waited(&wait).await >= TIME);
        wait.came(1);
        assert!(is_told(&wait), "after it slept, it is woken again");
        wait.came(SMALL + 1);
        assert!(waited(&wait).await < TIME, "bulk ends the wait");
        assert!(!is_told(&wait), "no wake-up is left over");
    }

    #[tokio::test]
    async fn a_core_that_others_want_is_not_waited_on() {
        let wait = BusyWait::default();
        wait.came(1);
        assert!(is_told(&wait));
        let began = Instant::now();
        wait.wait(TIME, || true).await;
        assert!(began.elapsed() < TIME);
        wait.came(1);
        assert!(is_told(&wait), "the next signal starts a wait again");
    }

    #[test]
    fn a_core_that_comes_back_at_once_is_not_wanted() {
        // Other tests need cores too, but not at every one of these moments.
        assert!((0..1000).any(|_| !is_core_wanted()));
    }

    #[tokio::test]
    async fn each_news_begins_the_time_anew() {
        let wait = BusyWait::default();
        wait.came(1);
        assert!(is_told(&wait));
        let began = Instant::now();
        let news = async {
            while began.elapsed() < TIME / 2 {
                tokio::task::yield_now().await;
            }
            wait.came(1);
        };
        let (waited, ()) = tokio::join!(waited(&wait), news);
        assert!(waited >= TIME * 5 / 4, "{waited:?}");
    }
}
