use bytes::Bytes;

use super::Atom;
use super::Pid;
use super::TermError;
use super::read::atom;
use super::read::pid;
use super::read::small_integer;
use super::skip::skip;
use super::tag;
use crate::codec::Reader;

/// A fun with a body, as the bytes in which it came: it goes out as it came in, and is equal to what came in the same.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fun {
    bytes: Bytes,
}

impl Fun {
    /// A fun in the external term format, tag 112, without version byte.
    ///
    /// # Errors
    /// If the bytes are anything else, or not all of a fun.
    pub fn new(bytes: Bytes) -> Result<Self, TermError> {
        let mut reader = Reader::new(&bytes);
        match reader.peek() {
            Some(tag::NEW_FUN) => skip(&mut reader)?,
            found => {
                return Err(TermError::Tag {
                    expected: "a fun",
                    tag: found.unwrap_or_default(),
                });
            }
        }
        reader.finish("fun")?;
        Ok(Self { bytes })
    }

    /// A fun whose bytes have been walked already.
    pub(super) const fn walked(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// The fun in the external term format, without version byte.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Module, index and uniq, the names under which Erlang prints a fun.
    pub fn name(&self) -> Option<(Atom, i64, i64)> {
        let mut reader = Reader::new(&self.bytes);
        reader.take(1 + 4 + 1 + 16 + 4 + 4, "fun").ok()?;
        let module = atom(&mut reader).ok()?;
        module.check().ok()?;
        let module = Atom::new(str::from_utf8(&module.utf8()).ok()?).ok()?;
        let mut small = || small_integer(&mut reader).ok();
        Some((module, small()?, small()?))
    }

    /// The process that made it.
    pub fn owner(&self) -> Option<Pid> {
        let mut reader = Reader::new(&self.bytes);
        reader.take(1 + 4 + 1 + 16 + 4 + 4, "fun").ok()?;
        (0..3).try_for_each(|_| skip(&mut reader)).ok()?;
        pid(&mut reader).ok()
    }
}
