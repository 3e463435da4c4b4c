use bytes::BufMut;
use bytes::BytesMut;

use crate::dist::Format;
use crate::dist::PacketError;
use crate::dist::StreamDecoder;
use crate::endpoint::packets::intake;
use crate::session::Intake;

/// The smallest buffer. It is used up by small packets one after another, so that a call costs no allocation.
const BUFFER_MIN: usize = 4 * 1024;

/// Reads the packets of a VM. Each is copied once, into a buffer that the signals then share.
#[derive(Debug)]
pub struct Outgoing {
    format: Format,
    decoder: StreamDecoder,
    input: BytesMut,
}

impl Outgoing {
    /// For a connection that has completed its handshake.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            decoder: StreamDecoder::new(format),
            input: BytesMut::new(),
        }
    }

    /// Makes room for packets of `bytes` bytes in all, lengths included.
    pub fn reserve(&mut self, bytes: usize) {
        if self.input.capacity() - self.input.len() < bytes {
            self.input.reserve(bytes.max(BUFFER_MIN));
        }
    }

    /// Begins a packet of `size` bytes. Its bytes follow by [`Outgoing::part`].
    pub fn packet(&mut self, size: u32) {
        self.input.put_u32(size);
    }

    /// Appends bytes of the packet that was begun.
    pub fn part(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The signals in the packets so far. Ticks are left out.
    ///
    /// # Errors
    /// If a packet is malformed. The connection must be closed then.
    pub fn signals(&mut self) -> Result<Vec<Intake>, PacketError> {
        let mut signals = Vec::new();
        while let Some(packet) = self.decoder.decode(&mut self.input)? {
            signals.extend(intake(packet, self.format)?);
        }
        Ok(signals)
    }

    /// Frees the buffer, if no packet is incomplete: an idle connection keeps none.
    pub fn shrink(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }
}
