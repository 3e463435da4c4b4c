use super::tag;

/// Bytes that grow as a term is written.
///
/// A term is made of many short pieces. A copy of a size that is known only when the program runs costs more than such a
/// piece is worth, so a piece is put down as a block of a fixed size, of which only the front counts: the next piece
/// covers the rest.
#[derive(Debug)]
pub(super) struct Pen {
    /// Zeros from `at` on, or what is left of blocks.
    bytes: Vec<u8>,
    /// How many bytes are written.
    at: usize,
}

/// Bytes made ready at once: room for most messages.
pub(super) const ROOM: usize = 256;

impl Pen {
    /// A pen that has written the version byte.
    pub(super) fn versioned() -> Self {
        Self::versioned_for(ROOM)
    }

    /// The same, for a term that is known to take so many bytes.
    pub(super) fn versioned_for(count: usize) -> Self {
        let mut pen = Self {
            bytes: Vec::with_capacity(1 + count),
            at: 0,
        };
        pen.put([tag::VERSION]);
        pen
    }

    /// How many bytes are written.
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

    /// Writes all of a block.
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

    /// Makes room for a block of `count` bytes, and for about as much as is written.
    #[cold]
    fn grow(&mut self, count: usize) {
        let needed = self.at + count;
        let ample = needed + self.at.max(ROOM);
        let kept = self.bytes.capacity();
        self.bytes
            .resize(if kept < needed { ample } else { ample.min(kept) }, 0);
    }

    /// What is written, from `start` on.
    pub(super) fn written(&self, start: usize) -> &[u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// Writes over `N` bytes that are written.
    pub(super) fn replace<const N: usize>(&mut self, start: usize, block: [u8; N]) {
        if let Some(place) = self.bytes.get_mut(start..self.at).and_then(<[u8]>::first_chunk_mut) {
            *place = block;
        }
    }

    /// Takes back what is written from `start` on.
    pub(super) fn truncate(&mut self, start: usize) {
        self.at = self.at.min(start);
    }

    /// What is written.
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
