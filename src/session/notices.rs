use std::collections::VecDeque;

use bytes::Bytes;
use bytes::BytesMut;

use crate::wire::Notice;

/// The notices of both directions. They are numbered, and kept until the peer has received them.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// The number of notices sent.
    pub(super) sent: u64,
    /// The number of the last notice that arrived.
    pub(super) received: u64,
    /// The bytes that the control stream has not accepted yet.
    outgoing: BytesMut,
    /// The notices that the peer may not have received.
    kept: VecDeque<Bytes>,
    kept_bytes: usize,
    /// The trunk is new: numbered notices are only kept until the peer has reported what it received.
    is_cut: bool,
}

impl Notices {
    /// Appends a notice to the output.
    pub(super) fn send(&mut self, notice: Notice) {
        if !notice.is_numbered() {
            notice.encode(0, &mut self.outgoing);
            return;
        }
        self.sent += 1;
        let mut bytes = BytesMut::new();
        notice.encode(self.sent, &mut bytes);
        if !self.is_cut {
            self.outgoing.extend_from_slice(&bytes);
        }
        self.kept_bytes += bytes.len();
        self.kept.push_back(bytes.freeze());
    }

    /// The peer has received all notices up to `number`.
    ///
    /// # Errors
    /// If there is no such notice: the number of notices sent.
    pub(super) fn acknowledged(&mut self, number: u64) -> Result<(), u64> {
        if number > self.sent {
            return Err(self.sent);
        }
        while self.sent - (self.kept.len() as u64) < number
            && let Some(notice) = self.kept.pop_front()
        {
            self.kept_bytes -= notice.len();
        }
        Ok(())
    }

    /// Whether the peer has received all notices.
    pub(super) fn are_acknowledged(&self) -> bool {
        self.kept.is_empty()
    }

    /// The number of notices that the peer has received.
    pub(super) fn acknowledged_count(&self) -> u64 {
        self.sent - self.kept.len() as u64
    }

    /// The number of bytes that wait for the control stream.
    pub(super) fn waiting(&self) -> usize {
        self.kept_bytes.max(self.outgoing.len())
    }

    /// Drops the output of a lost trunk. Kept notices are sent again by [`Notices::replay`].
    pub(super) fn cut(&mut self) {
        self.outgoing.clear();
        self.is_cut = true;
    }

    /// Sends all notices again that the peer has not received.
    pub(super) fn replay(&mut self) {
        self.is_cut = false;
        for notice in &self.kept {
            self.outgoing.extend_from_slice(notice);
        }
    }

    /// The next bytes for the control stream.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        (!self.outgoing.is_empty()).then(|| self.outgoing.split().freeze())
    }
}
