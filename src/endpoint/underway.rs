//! What a session has handed to an endpoint that has not written it yet.

/// What is underway to one endpoint, at most, in bytes: enough to keep a socket busy, little enough that a small signal on
/// another lane is written soon.
pub const BYTES_MAX: u64 = 256 * 1024;

/// Deliveries underway to one endpoint: one being written, one waiting.
pub const DELIVERIES_MAX: u32 = 2;

/// Counts what is underway.
#[derive(Debug, Default)]
pub struct Underway {
    deliveries: u32,
    bytes: u64,
}

impl Underway {
    /// About how many bytes the next delivery may have; `None` if there may be none now.
    pub const fn room(&self) -> Option<u64> {
        if self.deliveries < DELIVERIES_MAX && self.bytes < BYTES_MAX {
            Some(BYTES_MAX - self.bytes)
        } else {
            None
        }
    }

    /// A delivery of so many bytes was handed over.
    pub const fn add(&mut self, cost: u64) {
        self.deliveries += 1;
        self.bytes += cost;
    }

    /// A delivery of so many bytes was written.
    pub const fn written(&mut self, cost: u64) {
        self.deliveries = self.deliveries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(cost);
    }
}
