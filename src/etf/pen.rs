use super::tag;

/// A buffer for a term that is being written.
///
/// A term consists of many short pieces. A copy whose size is known only at run time costs more than such a piece is
/// worth. So a piece is written as a block of fixed size of which only the first bytes count: the next piece overwrites
/// the rest.
#[derive(Debug)]
pub(super) struct Pen {
    /// Zeros or remains of blocks from `at` on.
    bytes: Vec<u8>,
    /// The number of bytes written.
    at: usize,
}

/// The initial capacity: enough for most messages.
pub(super) const ROOM: usize = 256;

impl Pen {
    /// Creates a buffer that contains the version byte.
    pub(super) fn versioned() -> Self {
        Self::versioned_for(ROOM)
    }

    /// Creates the same buffer, with room for a term of `count` bytes.
    pub(super) fn versioned_for(count: usize) -> Self {
        let mut pen = Self {
            bytes: Vec::with_capacity(1 + count),
            at: 0,
        };
        pen.put([tag::VERSION]);
        pen
    }

    /// The number of bytes written.
    pub(super) const fn len(&self) -> usize {
        self.at
    }

    /// Writes the first `count` bytes of a block.
    #[inline]
    pub(super) fn block<const N: usize>(&mut self, block: [u8; N], count: usize) {
        if self.bytes.len() - self.at < N {
            self.grow(N);
        }
        if let Some(place) = self.bytes.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut) {
            *place = block;
        }
        self.at += count.min(N);
    }

    /// Writes a whole block.
    #[inline]
    pub(super) fn put<const N: usize>(&mut self, block: [u8; N]) {
        self.block(block, N);
    }

    /// Writes bytes of any length.
    pub(super) fn slice(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        match self.bytes.get_mut(self.at..end) {
            Some(place) => place.copy_from_slice(bytes),
            None => {
                self.bytes.truncate(self.at);
                self.bytes.extend_from_slice(bytes);
            }
        }
        self.at = end;
    }

    /// Makes room for a block of `count` bytes, and for about as much as has been written.
    #[cold]
    fn grow(&mut self, count: usize) {
        let needed = self.at + count;
        let ample = needed + self.at.max(ROOM);
        let kept = self.bytes.capacity();
        self.bytes
            .resize(if kept < needed { ample } else { ample.min(kept) }, 0);
    }

    /// The bytes written from `start` on.
    pub(super) fn written(&self, start: usize) -> &[u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// Overwrites `N` bytes at `start`.
    pub(super) fn replace<const N: usize>(&mut self, start: usize, block: [u8; N]) {
        if let Some(place) = self.bytes.get_mut(start..self.at).and_then(<[u8]>::first_chunk_mut) {
            *place = block;
        }
    }

    /// Removes all bytes from `start` on.
    pub(super) fn truncate(&mut self, start: usize) {
        self.at = self.at.min(start);
    }

    /// Returns the bytes written.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.truncate(self.at);
        self.bytes
    }
}

impl Default for Pen {
    fn default() -> Self {
        Self {
            bytes: Vec::with_capacity(ROOM),
            at: 0,
        }
    }
}
