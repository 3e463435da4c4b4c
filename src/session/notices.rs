use std::collections::VecDeque;

use bytes::Bytes;
use bytes::BytesMut;

use crate::wire::Notice;

/// Notices of both directions: numbered, and kept until the peer has them.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// How many were sent.
    pub(super) sent: u64,
    /// The last one that arrived.
    pub(super) received: u64,
    /// What the control stream has not taken yet.
    outgoing: BytesMut,
    /// Those that the peer does not have yet, as far as is known.
    kept: VecDeque<Bytes>,
    kept_bytes: usize,
    /// The trunk is new: until the peer has told what it has, numbered notices are only kept.
    is_cut: bool,
}

impl Notices {
    /// Appends a notice to what leaves.
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

    /// The peer has everything up to `number`.
    ///
    /// # Errors
    /// If there is no such notice: how many there are.
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

    /// Whether the peer has them all.
    pub(super) fn are_acknowledged(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many the peer has.
    pub(super) fn acknowledged_count(&self) -> u64 {
        self.sent - self.kept.len() as u64
    }

    /// Bytes that the peer did not take.
    pub(super) fn waiting(&self) -> usize {
        self.kept_bytes.max(self.outgoing.len())
    }

    /// Drops what was to leave on a trunk that is lost; what was kept of it leaves anew with [`Notices::replay`].
    pub(super) fn cut(&mut self) {
        self.outgoing.clear();
        self.is_cut = true;
    }

    /// Sends again what the peer does not have.
    pub(super) fn replay(&mut self) {
        self.is_cut = false;
        for notice in &self.kept {
            self.outgoing.extend_from_slice(notice);
        }
    }

    /// What the control stream takes next.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        (!self.outgoing.is_empty()).then(|| self.outgoing.split().freeze())
    }
}
