use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use crate::codec::Account;

/// The minimum window of a circuit in bytes: a few fragments.
const WINDOW_MIN: u64 = 256 * 1024;

/// A window is at most this fraction of the remaining memory, so that several circuits may stall before it runs short.
const SHARE: u64 = 8;

/// What a daemon keeps for its peers: everything that arrived and that local nodes have not read, with the size that it
/// really has.
///
/// More credit is granted than there is memory, since most circuits use little of theirs, and a window grows only as
/// its BEAM reads. Windows shrink as memory runs short. At the limit, the peer for which the daemon keeps most has to
/// give up something. So a peer harms no other, whatever it sends over however many circuits and sessions.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Shares>);

#[derive(Debug)]
struct Shares {
    limit: AtomicU64,
    account: Account,
    /// By the name of the peer's daemon.
    peers: Mutex<BTreeMap<String, Peer>>,
}

#[derive(Debug)]
struct Peer {
    account: Account,
    shares: Vec<Part>,
}

/// The share of one session.
#[derive(Debug)]
struct Part {
    account: Account,
    entry: Weak<Entry>,
}

impl Part {
    /// The session has ended, and what is left is freed in a moment: its tasks are about to end, or receivers still have it.
    fn has_ended(&self) -> bool {
        self.entry.strong_count() == 0
    }
}

/// What is kept for one session.
#[derive(Clone, Debug)]
pub struct Share(Arc<Entry>);

#[derive(Debug)]
struct Entry {
    memory: Memory,
    account: Account,
    is_over: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Memory {
    /// Creates an empty account with a limit in bytes.
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Shares {
            limit: AtomicU64::new(limit),
            account: Account::default(),
            peers: Mutex::default(),
        }))
    }

    /// The number of bytes kept for all sessions.
    pub fn kept(&self) -> u64 {
        self.0.account.kept()
    }

    /// The limit in bytes.
    #[cfg_attr(not(feature = "internals"), allow(dead_code, reason = "for a carrier inside a VM"))]
    pub fn limit(&self) -> u64 {
        self.0.limit.load(Relaxed)
    }

    /// Another limit applies from now on. If more is kept, it is given up as more arrives.
    pub fn set_limit(&self, limit: u64) {
        self.0.limit.store(limit, Relaxed);
    }

    /// The share of a session with the daemon of this name. Sessions with daemons of one name, as those of temporary
    /// daemons, are together one peer.
    pub fn share(&self, daemon: &str) -> Share {
        let mut peers = locked(&self.0.peers);
        peers.retain(|_, peer| {
            peer.shares.retain(|part| !part.has_ended() || part.account.kept() > 0);
            !peer.shares.is_empty()
        });
        let peer = peers.entry(daemon.to_ascii_lowercase()).or_insert_with(|| Peer {
            account: self.0.account.part(),
            shares: Vec::new(),
        });
        let share = Arc::new(Entry {
            memory: self.clone(),
            account: peer.account.part(),
            is_over: AtomicBool::new(false),
            waker: Mutex::default(),
        });
        peer.shares.push(Part {
            account: share.account.clone(),
            entry: Arc::downgrade(&share),
        });
        Share(share)
    }

    /// Whether the limit is exceeded without what sessions that have ended are about to free.
    fn is_exceeded(&self, peers: &BTreeMap<String, Peer>) -> bool {
        let all = peers.values().flat_map(|peer| &peer.shares);
        let freed: u64 = all
            .filter(|part| part.has_ended())
            .map(|part| part.account.kept())
            .sum();
        self.kept().saturating_sub(freed) > self.limit()
    }

    /// The limit is exceeded: asks the session that keeps most of the peer that keeps most to give up something.
    fn claim(&self) {
        let peers = locked(&self.0.peers);
        if !self.is_exceeded(&peers) {
            return;
        }
        let of_peers = peers.values().filter_map(|peer| {
            let shares = peer.shares.iter().filter_map(|part| part.entry.upgrade());
            let share = shares.max_by_key(|share| share.account.kept())?;
            Some((peer.account.kept(), share))
        });
        if let Some((_, share)) = of_peers.max_by_key(|(kept, _)| *kept) {
            share.is_over.store(true, Relaxed);
            if let Some(waker) = locked(&share.waker).take() {
                waker.wake();
            }
        }
    }
}

impl Share {
    /// Where the session's bytes are counted.
    pub fn account(&self) -> &Account {
        &self.0.account
    }

    /// Whether the daemon's limit is exceeded. If so, whoever keeps most has been asked to give up something.
    pub(super) fn is_exceeded(&self) -> bool {
        let memory = &self.0.memory;
        let is_exceeded = memory.kept() > memory.limit();
        if is_exceeded {
            memory.claim();
        }
        is_exceeded
    }

    /// Whether this session must give up something. It is asked once for each time.
    pub(super) fn take_claim(&self) -> bool {
        let memory = &self.0.memory;
        let is_over = self.0.is_over.load(Relaxed) && self.0.is_over.swap(false, Relaxed);
        // Others may have given up enough meanwhile.
        is_over && memory.is_exceeded(&locked(&memory.0.peers))
    }

    /// Whether this session must give up something, because of what arrived for another one. Otherwise the task is woken
    /// when it must.
    pub(super) fn poll_claim(&self, context: &Context<'_>) -> Poll<()> {
        let mut waker = locked(&self.0.waker);
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
        if self.0.is_over.load(Relaxed) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// The current window of a circuit, of at most `most` bytes.
    pub(super) fn window(&self, most: u64) -> u64 {
        let memory = &self.0.memory;
        let share = memory.limit().saturating_sub(memory.kept()) / SHARE;
        share.clamp(WINDOW_MIN.min(most), most)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gives_up_what_is_no_longer_needed() {
        let memory = Memory::new(10);
        let (most, least) = (memory.share("most"), memory.share("least"));
        let kept = [most.account().charge(20), least.account().charge(1)];
        assert!(least.is_exceeded());
        assert!(!least.take_claim());
        assert!(most.take_claim() && !most.take_claim());
        assert!(least.is_exceeded());
        drop(kept);
        assert!(!most.take_claim());
    }

    #[test]
    fn nobody_gives_up_anything_for_a_session_that_has_ended() {
        let memory = Memory::new(10);
        let (honest, flooding) = (memory.share("honest"), memory.share("flooding"));
        let _needed = honest.account().charge(5);
        let of_a_task = flooding.account().charge(20);
        drop(flooding);
        assert!(honest.is_exceeded() && !honest.take_claim());
        let another = memory.share("another");
        let _more = another.account().charge(11);
        assert!(honest.is_exceeded() && another.take_claim());
        drop(of_a_task);
    }
}
