//! An account of the deliveries that a session has handed to an endpoint and the endpoint has not written yet.

/// The limit in bytes: enough to keep a socket busy, and little enough that a small signal on another lane is written soon.
pub const BYTES_MAX: u64 = 256 * 1024;

/// The maximum number of deliveries: one being written, one waiting.
pub const DELIVERIES_MAX: u32 = 2;

/// The deliveries underway to one endpoint.
#[derive(Debug, Default)]
pub struct Underway {
    deliveries: u32,
    bytes: u64,
}

impl Underway {
    /// About how many bytes the next delivery may have; `None` if no delivery may be handed over now.
    pub const fn room(&self) -> Option<u64> {
        if self.deliveries < DELIVERIES_MAX && self.bytes < BYTES_MAX {
            Some(BYTES_MAX - self.bytes)
        } else {
            None
        }
    }

    /// Records that a delivery of `cost` bytes was handed over.
    pub const fn add(&mut self, cost: u64) {
        self.deliveries += 1;
        self.bytes += cost;
    }

    /// Records that a delivery of `cost` bytes was written.
    pub const fn written(&mut self, cost: u64) {
        self.deliveries = self.deliveries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(cost);
    }
}
