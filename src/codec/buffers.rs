use bytes::Bytes;
use bytes::BytesMut;

/// From this size on bytes stay where they are; below, copying them beside their neighbours is cheaper than the bookkeeping
/// of one more buffer, for a socket as for QUIC's send queue, which is walked for each packet.
pub const OWN_BUFFER_MIN: usize = 8 * 1024;

/// Bytes to be written one after another, in few buffers: what is small is copied together, what is large is not copied.
#[derive(Debug, Default)]
pub struct Buffers {
    whole: Vec<Bytes>,
    small: BytesMut,
}

impl Buffers {
    /// Where to append what is small in any case, such as headers.
    pub const fn small(&mut self) -> &mut BytesMut {
        &mut self.small
    }

    /// Appends bytes.
    pub fn add(&mut self, bytes: Bytes) {
        if bytes.len() < OWN_BUFFER_MIN {
            self.small.extend_from_slice(&bytes);
        } else {
            self.seal();
            self.whole.push(bytes);
        }
    }

    fn seal(&mut self) {
        if !self.small.is_empty() {
            self.whole.push(self.small.split().freeze());
        }
    }

    /// All buffers, none of them empty.
    pub fn finish(mut self) -> Vec<Bytes> {
        self.seal();
        self.whole
    }
}
