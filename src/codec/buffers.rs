use bytes::Bytes;
use bytes::BytesMut;

/// Buffers of at least this size are kept as they are. Smaller ones are copied together, because an additional buffer
/// costs more than the copy, both for a socket and for QUIC's send queue, which is walked for each packet.
pub const OWN_BUFFER_MIN: usize = 8 * 1024;

/// Bytes to be written in order, in few buffers: small pieces are copied together, large ones are not copied.
#[derive(Debug, Default)]
pub struct Buffers {
    whole: Vec<Bytes>,
    small: BytesMut,
}

impl Buffers {
    /// The buffer for data that is always small, such as headers.
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

    /// Returns all buffers. None of them is empty.
    pub fn finish(mut self) -> Vec<Bytes> {
        self.seal();
        self.whole
    }
}
