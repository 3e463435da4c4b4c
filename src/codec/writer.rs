use bytes::BufMut;
use bytes::BytesMut;

/// The largest value a variable-length integer can hold (RFC 9000 §16).
pub(crate) const VARINT_MAX: u64 = (1 << 62) - 1;

/// Appends items to a buffer. The counterpart of [`Reader`](super::Reader).
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut BytesMut,
}

impl<'a> Writer<'a> {
    /// Creates a writer that appends to `out`.
    pub const fn new(out: &'a mut BytesMut) -> Self {
        Self { out }
    }

    /// Writes one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.out.put_u8(value);
        self
    }

    /// Writes a 16-bit integer.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.out.put_u16(value);
        self
    }

    /// Writes a 32-bit integer.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.out.put_u32(value);
        self
    }

    /// Writes a 64-bit integer.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.out.put_u64(value);
        self
    }

    /// Writes raw bytes.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.out.put_slice(value);
        self
    }

    /// Writes a variable-length integer in its shortest form (RFC 9000 §16).
    ///
    /// # Panics
    /// If `value` exceeds 2^62 − 1. No counter of beamway can reach that.
    pub fn varint(&mut self, value: u64) -> &mut Self {
        assert!(value <= VARINT_MAX, "{value} does not fit a variable-length integer");
        match value {
            0..=0x3f => self.out.put_u8(value as u8),
            0x40..=0x3fff => self.out.put_u16(value as u16 | 0x4000),
            0x4000..=0x3fff_ffff => self.out.put_u32(value as u32 | 0x8000_0000),
            _ => self.out.put_u64(value | 0xc000_0000_0000_0000),
        }
        self
    }
}
