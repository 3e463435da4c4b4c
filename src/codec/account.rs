use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Counts the bytes that are kept in memory for somebody: a session, a peer, a daemon. What is kept for a part is kept
/// for the whole.
#[derive(Clone, Debug, Default)]
pub struct Account(Arc<Entry>);

#[derive(Debug, Default)]
struct Entry {
    kept: AtomicU64,
    whole: Option<Account>,
}

impl Account {
    /// Creates an empty account that is a part of this one.
    pub fn part(&self) -> Self {
        Self(Arc::new(Entry {
            kept: AtomicU64::default(),
            whole: Some(self.clone()),
        }))
    }

    /// The number of bytes kept.
    pub fn kept(&self) -> u64 {
        self.0.kept.load(Relaxed)
    }

    /// Bytes are kept from now on.
    pub fn keep(&self, bytes: u64) {
        self.0.kept.fetch_add(bytes, Relaxed);
        if let Some(whole) = &self.0.whole {
            whole.keep(bytes);
        }
    }

    /// Bytes that were [kept](Self::keep) are kept no longer.
    pub fn free(&self, bytes: u64) {
        self.0.kept.fetch_sub(bytes, Relaxed);
        if let Some(whole) = &self.0.whole {
            whole.free(bytes);
        }
    }

    /// Counts `bytes` until the charge is dropped.
    pub fn charge(&self, bytes: u64) -> Charge {
        self.keep(bytes);
        Charge {
            account: self.clone(),
            bytes,
        }
    }
}

/// Bytes that count in an account as long as this exists.
#[derive(Debug)]
pub struct Charge {
    account: Account,
    bytes: u64,
}

impl Charge {
    /// Counts this many bytes from now on, instead of those before.
    pub fn set(&mut self, bytes: u64) {
        if bytes > self.bytes {
            self.account.keep(bytes - self.bytes);
        } else {
            self.account.free(self.bytes - bytes);
        }
        self.bytes = bytes;
    }

    /// The number of bytes counted.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.free(self.bytes);
    }
}
