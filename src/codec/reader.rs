use super::CodecError;

/// A cursor over borrowed bytes.
///
/// Each method takes the name of the item it reads, for the error message. A failed read consumes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Creates a cursor at the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    /// The number of bytes left.
    pub const fn len(&self) -> usize {
        self.left.len()
    }

    /// Whether no bytes are left.
    pub const fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The bytes left, without consuming them.
    pub const fn rest(&self) -> &'a [u8] {
        self.left
    }

    /// The next byte, without consuming it.
    pub fn peek(&self) -> Option<u8> {
        self.left.first().copied()
    }

    /// Reads exactly `count` bytes.
    pub fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], CodecError> {
        let (head, tail) = self.left.split_at_checked(count).ok_or(CodecError::Truncated {
            what,
            needed: count,
            left: self.left.len(),
        })?;
        self.left = tail;
        Ok(head)
    }

    /// Reads exactly `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CodecError> {
        let (head, tail) = self.left.split_first_chunk::<N>().ok_or(CodecError::Truncated {
            what,
            needed: N,
            left: self.left.len(),
        })?;
        self.left = tail;
        Ok(*head)
    }

    /// Reads one byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, CodecError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    /// Reads a 16-bit integer.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, CodecError> {
        self.array(what).map(u16::from_be_bytes)
    }

    /// Reads a 32-bit integer.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, CodecError> {
        self.array(what).map(u32::from_be_bytes)
    }

    /// Reads a 64-bit integer.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, CodecError> {
        self.array(what).map(u64::from_be_bytes)
    }

    /// Reads a variable-length integer of one, two, four or eight bytes (RFC 9000 §16).
    pub fn varint(&mut self, what: &'static str) -> Result<u64, CodecError> {
        let first = self.peek().ok_or(CodecError::Truncated {
            what,
            needed: 1,
            left: 0,
        })?;
        match first >> 6 {
            0 => self.u8(what).map(u64::from),
            1 => self.u16(what).map(|v| u64::from(v & 0x3fff)),
            2 => self.u32(what).map(|v| u64::from(v & 0x3fff_ffff)),
            _ => self.u64(what).map(|v| v & 0x3fff_ffff_ffff_ffff),
        }
    }

    /// Fails unless all bytes were consumed.
    pub fn finish(self, what: &'static str) -> Result<(), CodecError> {
        match self.left.len() {
            0 => Ok(()),
            left => Err(CodecError::Trailing { what, left }),
        }
    }
}
