//! Looking for news instead of sleeping, for a moment after something small came: an answer follows a question soon, and a
//! core that sleeps takes longer to wake than the answer takes to come.

use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::Notify;

use crate::wire::SMALL;

/// A core that was yielded and comes back only after this is one that nodes want: to wait on it would take it from them just
/// when what is waited for is theirs to do.
const WANTED: Duration = Duration::from_micros(200);

/// Nobody waits.
const RESTING: u8 = 0;
/// Somebody waits, and nothing came since it last looked.
const WAITING: u8 = 1;
/// Something small came.
const NEWS: u8 = 2;
/// Bulk came.
const BULK: u8 = 3;

/// What sessions tell the one who waits.
#[derive(Clone, Debug, Default)]
pub struct BusyWait(Arc<State>);

#[derive(Debug, Default)]
struct State {
    latest: AtomicU8,
    news: Notify,
}

impl BusyWait {
    /// A session was handed so many bytes of signals at once. None are none: what gateways tell each other has no answer
    /// that somebody waits for.
    pub fn came(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        // Bulk keeps its thread awake by itself, and a thread that waited beside it would take a core from the nodes.
        let latest = if bytes <= SMALL { NEWS } else { BULK };
        let is_resting = self.0.latest.load(Ordering::Relaxed) == RESTING;
        if is_resting && latest == BULK {
            return;
        }
        if self.0.latest.swap(latest, Ordering::Relaxed) == RESTING {
            self.0.news.notify_one();
        }
    }

    /// Whether something small has come since this was last asked; `None` if bulk has.
    fn look(&self) -> Option<bool> {
        match self.0.latest.swap(WAITING, Ordering::Relaxed) {
            NEWS => Some(true),
            BULK => None,
            _ => Some(false),
        }
    }

    /// Whether what came since [`BusyWait::look`] is nothing, so that the next to come is told.
    fn rest(&self) -> bool {
        let rested = self
            .0
            .latest
            .compare_exchange(WAITING, RESTING, Ordering::Relaxed, Ordering::Relaxed);
        rested.is_ok()
    }

    /// Keeps the runtime's thread awake for `time` after each small thing that came. It lets other programs have the core
    /// whenever they want it, and rests once they do. Never ends.
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
            // The sockets are asked, without waiting.
            tokio::task::yield_now().await;
        }
    }
}

/// Lets other programs have the core, and tells whether one made use of it.
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
        assert!(!is_told(&wait), "bulk begins no wait, nor does nothing");
        wait.came(SMALL);
        assert!(is_told(&wait));
        assert!(waited(&wait).await >= TIME);
        wait.came(1);
        assert!(is_told(&wait), "after a rest it is told again");
        wait.came(SMALL + 1);
        assert!(waited(&wait).await < TIME, "bulk ends the wait");
        assert!(!is_told(&wait), "nothing of it is left");
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
        assert!(is_told(&wait), "the next is waited after again");
    }

    #[test]
    fn a_core_that_comes_back_at_once_is_not_wanted() {
        // Other tests want cores too, but not each time.
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
