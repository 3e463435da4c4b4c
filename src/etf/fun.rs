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

/// A local fun, stored as its encoded bytes. It is encoded unchanged, and two funs are equal if their bytes are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fun {
    bytes: Bytes,
}

impl Fun {
    /// Creates a fun from its external term format (tag 112), without a version byte.
    ///
    /// # Errors
    /// If the bytes are not exactly one fun.
    pub fn new(bytes: Bytes) -> Result<Self, TermError> {
        let mut reader = Reader::new(&bytes);
        match reader.peek() {
            Some(tag::NEW_FUN) => skip(&mut reader)?,
            found => {
                return Err(TermError::Tag {
                    expected: "a local fun",
                    tag: found.unwrap_or_default(),
                });
            }
        }
        reader.finish("fun")?;
        Ok(Self { bytes })
    }

    /// Creates a fun from bytes that have been checked already.
    pub(super) const fn walked(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// The fun in the external term format, without a version byte.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Module, index and uniq, which Erlang prints as the name of a fun.
    pub fn name(&self) -> Option<(Atom, i64, i64)> {
        let mut reader = Reader::new(&self.bytes);
        reader.take(1 + 4 + 1 + 16 + 4 + 4, "fun").ok()?;
        let module = atom(&mut reader).ok()?;
        module.check().ok()?;
        let module = Atom::new(str::from_utf8(&module.utf8()).ok()?).ok()?;
        let mut small = || small_integer(&mut reader).ok();
        Some((module, small()?, small()?))
    }

    /// The process that created the fun.
    pub fn owner(&self) -> Option<Pid> {
        let mut reader = Reader::new(&self.bytes);
        reader.take(1 + 4 + 1 + 16 + 4 + 4, "fun").ok()?;
        (0..3).try_for_each(|_| skip(&mut reader)).ok()?;
        pid(&mut reader).ok()
    }
}
