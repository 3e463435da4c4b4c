use bytes::Bytes;
use bytes::BytesMut;

use crate::wire::CircuitId;
use crate::wire::Content;
use crate::wire::Fence;
use crate::wire::FrameHead;

/// From this size on a body travels as its own buffer; below, copying it beside its neighbours is cheaper than the
/// bookkeeping of one more buffer in QUIC's send queue, which is walked for each packet.
const OWN_BUFFER_MIN: usize = 8 * 1024;

/// A batch handed to QUIC at once: enough to fill many packets, little enough that lanes take turns.
const BATCH: usize = 128 * 1024;

/// What waits to be written to one lane.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// The number of the last frame.
    pub(super) number: u64,
    /// The last number that the peer has in memory.
    pub(super) acknowledged: u64,
    small: BytesMut,
    ready: std::collections::VecDeque<Bytes>,
}

impl Outbox {
    /// Appends a frame; its number is now [`Outbox::number`].
    pub(super) fn push(&mut self, circuit: CircuitId, fences: &[Fence], content: &Content) {
        self.number += 1;
        let head = FrameHead {
            circuit,
            fences,
            content,
        };
        head.encode(&mut self.small);
        let body = content.body();
        if body.len() < OWN_BUFFER_MIN {
            self.small.extend_from_slice(body);
            if self.small.len() >= BATCH {
                self.seal();
            }
        } else {
            self.seal();
            self.ready.push_back(body.clone());
        }
    }

    fn seal(&mut self) {
        if !self.small.is_empty() {
            self.ready.push_back(self.small.split().freeze());
        }
    }

    /// Takes the next batch, or `None` when nothing waits.
    pub(super) fn take(&mut self) -> Option<Vec<Bytes>> {
        if self.ready.is_empty() {
            self.seal();
        }
        let mut batch = Vec::new();
        let mut length = 0;
        while length < BATCH
            && let Some(bytes) = self.ready.pop_front()
        {
            length += bytes.len();
            batch.push(bytes);
            if self.ready.is_empty() {
                self.seal();
            }
        }
        (!batch.is_empty()).then_some(batch)
    }
}
