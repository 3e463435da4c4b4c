use std::borrow::Cow;

use bytes::Bytes;
use miniz_oxide::inflate::decompress_slice_iter_to_slice;

use super::Atom;
use super::Bits;
use super::Export;
use super::Float;
use super::Fun;
use super::Limits;
use super::List;
use super::Map;
use super::NodePid;
use super::NodePort;
use super::NodeReference;
use super::Pid;
use super::Port;
use super::Reference;
use super::Term;
use super::TermError;
use super::config::Budget;
use super::read::atom;
use super::read::small_integer;
use super::skip::skip;
use super::tag;
use crate::codec::CodecError;
use crate::codec::Reader;

impl Term {
    /// Decodes a term as written by `term_to_binary`, compressed or not, within the default [`Limits`].
    ///
    /// # Errors
    /// If the bytes are not exactly one well-formed term, or exceed the limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, TermError> {
        Self::decode_within(bytes, &Limits::default())
    }

    /// Like [`Term::decode`], with the given limits.
    ///
    /// # Errors
    /// As [`Term::decode`].
    pub fn decode_within(bytes: &[u8], limits: &Limits) -> Result<Self, TermError> {
        if is_compressed(bytes) {
            return Self::decode_shared(&inflate(bytes, limits)?, limits);
        }
        Decoder::new(versioned(bytes)?, limits, Binaries::Copied)?.whole()
    }

    /// Like [`Term::decode_within`], without copies: binaries and strings share `bytes` and keep it alive.
    ///
    /// ```
    /// use beamway::etf::{Limits, Term};
    /// use bytes::Bytes;
    ///
    /// let bytes = Bytes::from_static(b"\x83m\0\0\0\x05hello");
    /// let Term::Binary(text) = Term::decode_shared(&bytes, &Limits::default())? else { panic!() };
    /// assert_eq!(text.as_ptr(), bytes[6..].as_ptr());
    /// # Ok::<(), beamway::etf::TermError>(())
    /// ```
    pub fn decode_shared(bytes: &Bytes, limits: &Limits) -> Result<Self, TermError> {
        if is_compressed(bytes) {
            return Self::decode_shared(&inflate(bytes, limits)?, limits);
        }
        Decoder::new(versioned(bytes)?, limits, Binaries::Shared(bytes))?.whole()
    }

    /// Reads the next term from a reader, without a version byte, as in a control term. The reader stops after the
    /// term.
    pub(crate) fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<Self, TermError> {
        let mut decoder = Decoder::new(*reader, limits, Binaries::Copied)?;
        let term = decoder.term()?;
        *reader = decoder.reader;
        Ok(term)
    }

    /// Like [`Term::read`], without copies: binaries share `bytes`, which must be the buffer that the reader reads.
    ///
    /// # Panics
    /// If the reader does not read `bytes` or a part of it.
    pub(crate) fn read_shared<'a>(
        reader: &mut Reader<'a>,
        bytes: &'a Bytes,
        limits: &Limits,
    ) -> Result<Self, TermError> {
        let mut decoder = Decoder::new(*reader, limits, Binaries::SharedIfLarge(bytes))?;
        let term = decoder.term()?;
        *reader = decoder.reader;
        Ok(term)
    }
}

/// Whether a term with a version byte is compressed.
pub(super) fn is_compressed(bytes: &[u8]) -> bool {
    matches!(bytes, [tag::VERSION, tag::COMPRESSED, ..])
}

/// Checks the version byte and returns a reader for the rest.
pub(super) fn versioned(bytes: &[u8]) -> Result<Reader<'_>, TermError> {
    let mut reader = Reader::new(bytes);
    match reader.u8("version of a term")? {
        tag::VERSION => Ok(reader),
        tag => Err(TermError::Tag {
            expected: "the version of a term",
            tag,
        }),
    }
}

/// The maximum compression ratio of zlib ("zlib Technical Details": 1032).
const INFLATED_MAX: usize = 1032;

/// Decompresses a compressed term (`term_to_binary(…, [compressed])`). The result has a version byte.
///
/// # Errors
/// If the term is not compressed, or states a size that exceeds the limit or differs from its actual size.
pub fn inflate(bytes: &[u8], limits: &Limits) -> Result<Bytes, TermError> {
    let mut reader = versioned(bytes)?;
    match reader.u8("compressed term")? {
        tag::COMPRESSED => {}
        tag => {
            return Err(TermError::Tag {
                expected: "a compressed term",
                tag,
            });
        }
    }
    let size = reader.u32("size of a compressed term")? as usize;
    if size > limits.size {
        return Err(TermError::Limit {
            what: "bytes",
            limit: limits.size,
        });
    }
    if size / INFLATED_MAX > reader.len() {
        return Err(TermError::Deflate);
    }
    let mut plain = vec![0; 1 + size];
    let (version, term) = plain.split_first_mut().ok_or(TermError::Deflate)?;
    *version = tag::VERSION;
    match decompress_slice_iter_to_slice(term, std::iter::once(reader.rest()), true, false) {
        Ok(written) if written == size => Ok(plain.into()),
        _ => Err(TermError::Deflate),
    }
}

/// Parses the text of a `FLOAT`, which is padded with zero bytes.
pub(super) fn old_float(text: &[u8]) -> Result<Float, TermError> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let value = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    value.and_then(Float::new).ok_or(TermError::NotFinite)
}

/// Reads one term after another. All share the limits.
struct Decoder<'a> {
    reader: Reader<'a>,
    budget: Budget,
    binaries: Binaries<'a>,
}

/// Where the bytes of binaries and strings go.
#[derive(Clone, Copy)]
enum Binaries<'a> {
    /// Each has memory of its own.
    Copied,
    /// They share this buffer, which the reader reads.
    Shared(&'a Bytes),
    /// The same, but for small ones, which would keep a buffer of many times their size when they are stored.
    SharedIfLarge(&'a Bytes),
}

/// A binary of this size shares the buffer of its message, as does one that is not smaller than an eighth of that buffer. A run
/// has 16 KiB, and a longer buffer is one message.
const LARGE: usize = 2 * 1024;

impl<'a> Decoder<'a> {
    fn new(reader: Reader<'a>, limits: &Limits, binaries: Binaries<'a>) -> Result<Self, TermError> {
        Ok(Self {
            reader,
            budget: Budget::new(limits, reader.len())?,
            binaries,
        })
    }

    fn whole(mut self) -> Result<Term, TermError> {
        let term = self.term()?;
        self.reader.finish("term")?;
        Ok(term)
    }

    /// Reads the next term. The recursive part is separate and small, because an unoptimised function reserves stack
    /// for all its branches at once.
    fn term(&mut self) -> Result<Term, TermError> {
        match self.reader.peek() {
            Some(tag::SMALL_TUPLE | tag::LARGE_TUPLE) => self.tuple(),
            Some(tag::LIST) => self.list(),
            Some(tag::MAP) => self.map(),
            _ => self.leaf(),
        }
    }

    /// Reads a term without elements, or a list of bytes.
    fn leaf(&mut self) -> Result<Term, TermError> {
        let start = self.reader;
        Ok(match self.reader.u8("term")? {
            tag::SMALL_INTEGER => Term::Integer(self.reader.u8("integer")?.into()),
            tag::INTEGER => Term::Integer((self.reader.u32("integer")? as i32).into()),
            tag::SMALL_BIG => {
                let size = self.reader.u8("integer length")?;
                self.big(size.into())?
            }
            tag::LARGE_BIG => {
                let size = self.reader.u32("integer length")?;
                self.big(size as usize)?
            }
            tag::NEW_FLOAT => {
                let value = f64::from_bits(self.reader.u64("float")?);
                Term::Float(Float::new(value).ok_or(TermError::NotFinite)?)
            }
            tag::FLOAT => Term::Float(old_float(self.reader.take(31, "float")?)?),
            tag::SMALL_ATOM_UTF8 => {
                let length = self.reader.u8("atom length")?;
                Term::Atom(short_atom(self.reader.take(length.into(), "atom text")?)?)
            }
            tag::ATOM_UTF8 | tag::ATOM | tag::SMALL_ATOM => {
                self.reader = start;
                Term::Atom(self.atom()?)
            }
            tag::NIL => Term::NIL,
            tag::STRING => {
                let length = self.reader.u16("string length")?;
                self.budget.take(length.into())?;
                let text = self.reader.take(length.into(), "string")?;
                Term::List(List::from_bytes(self.keep(text)))
            }
            tag::BINARY => {
                let length = self.reader.u32("binary length")?;
                let bytes = self.reader.take(length as usize, "binary")?;
                Term::Binary(self.keep(bytes))
            }
            tag::BIT_BINARY => self.bits()?,
            tag::NEW_PID | tag::PID | tag::NEW_PORT | tag::PORT | tag::V4_PORT => {
                self.reader = start;
                self.process_or_port()?
            }
            tag::NEWER_REFERENCE | tag::NEW_REFERENCE | tag::REFERENCE => {
                self.reader = start;
                self.reference()?
            }
            tag::EXPORT => Term::Export(Box::new(self.export()?)),
            tag::NEW_FUN => {
                self.reader = start;
                skip(&mut self.reader)?;
                let bytes = start.rest().get(..start.len() - self.reader.len());
                Term::Fun(Box::new(Fun::walked(self.keep(bytes.unwrap_or_default()))))
            }
            tag => {
                return Err(TermError::Tag {
                    expected: "a term",
                    tag,
                });
            }
        })
    }

    fn keep(&self, bytes: &'a [u8]) -> Bytes {
        let is_large = |buffer: &Bytes| bytes.len() >= LARGE || bytes.len() * 8 >= buffer.len();
        match self.binaries {
            Binaries::Shared(buffer) => buffer.slice_ref(bytes),
            Binaries::SharedIfLarge(buffer) if is_large(buffer) => buffer.slice_ref(bytes),
            Binaries::SharedIfLarge(_) | Binaries::Copied => Bytes::copy_from_slice(bytes),
        }
    }

    fn atom(&mut self) -> Result<Atom, TermError> {
        let text = atom(&mut self.reader)?;
        text.check()?;
        Ok(match text.utf8() {
            Cow::Borrowed(text) => Atom::checked(str::from_utf8(text).unwrap_or_default()),
            Cow::Owned(text) => Atom::checked(str::from_utf8(&text).unwrap_or_default()),
        })
    }

    /// Reads sign and magnitude.
    fn big(&mut self, size: usize) -> Result<Term, TermError> {
        self.budget.check_integer(size)?;
        let sign = self.reader.u8("integer sign")?;
        Ok(Term::integer(sign != 0, self.reader.take(size, "integer digits")?))
    }

    /// Takes `count` elements from the budget and checks that at least as many bytes are left.
    fn expect(&mut self, count: usize) -> Result<(), TermError> {
        if count > self.reader.len() {
            return Err(TermError::Codec(CodecError::Truncated {
                what: "elements of a term",
                needed: count,
                left: self.reader.len(),
            }));
        }
        self.budget.take(count)
    }

    /// Reads the size of a container and takes `terms` elements per unit from the budget.
    fn size(&mut self, terms: usize) -> Result<usize, TermError> {
        let count = match self.reader.u8("term")? {
            tag::SMALL_TUPLE => self.reader.u8("arity")?.into(),
            _ => self.reader.u32("size of a term")? as usize,
        };
        self.expect(count.saturating_mul(terms))?;
        Ok(count)
    }

    /// Reads `count` terms and appends them to `items`.
    fn fill(&mut self, items: &mut Vec<Term>, count: usize) -> Result<(), TermError> {
        for _ in 0..count {
            items.push(self.term()?);
        }
        Ok(())
    }

    fn tuple(&mut self) -> Result<Term, TermError> {
        let count = self.size(1)?;
        if count == 0 {
            return Ok(Term::Tuple(Vec::new()));
        }
        self.budget.enter()?;
        let mut items = Vec::with_capacity(count);
        self.fill(&mut items, count)?;
        self.budget.leave();
        Ok(Term::Tuple(items))
    }

    /// Reads a list. If its tail is again a list, the elements of that list are appended to the same vector: joining
    /// finished lists would copy the last one once for each list before it.
    fn list(&mut self) -> Result<Term, TermError> {
        let count = self.size(1)?;
        self.budget.enter()?;
        let mut items = Vec::with_capacity(count);
        self.fill(&mut items, count)?;
        while self.reader.peek() == Some(tag::LIST) {
            let more = self.size(1)?;
            items.reserve(more);
            self.fill(&mut items, more)?;
        }
        if self.reader.peek() == Some(tag::NIL) {
            self.reader.u8("tail")?;
            self.budget.leave();
            return Ok(Term::List(items.into()));
        }
        let tail = self.term()?;
        self.budget.leave();
        Ok(Term::list(items, tail))
    }

    fn map(&mut self) -> Result<Term, TermError> {
        let count = self.size(2)?;
        if count == 0 {
            return Ok(Term::Map(Map::new()));
        }
        self.budget.enter()?;
        let mut pairs = Vec::with_capacity(count);
        for _ in 0..count {
            pairs.push((self.term()?, self.term()?));
        }
        self.budget.leave();
        Map::from_pairs(pairs).map(Term::Map).ok_or(TermError::DuplicateKey)
    }

    fn bits(&mut self) -> Result<Term, TermError> {
        let (bytes, last) = bit_string(&mut self.reader)?;
        Ok(match Bits::new(bytes, last) {
            Some(bits) => Term::Bits(Box::new(bits)),
            None => Term::Binary(self.keep(bytes)),
        })
    }

    fn process_or_port(&mut self) -> Result<Term, TermError> {
        let tag = self.reader.u8("pid or port")?;
        let node = self.atom()?;
        let id = match tag {
            tag::V4_PORT => self.reader.u64("id")?,
            _ => self.reader.u32("id")?.into(),
        };
        if matches!(tag, tag::NEW_PID | tag::PID) {
            let pid = Pid {
                id: id as u32,
                serial: self.reader.u32("pid serial")?,
                creation: self.creation(tag == tag::NEW_PID)?,
            };
            return Ok(Term::Pid(NodePid { node, pid }));
        }
        let creation = self.creation(tag != tag::PORT)?;
        let port = Port { id, creation };
        Ok(Term::Port(Box::new(NodePort { node, port })))
    }

    fn creation(&mut self, is_wide: bool) -> Result<u32, TermError> {
        Ok(if is_wide {
            self.reader.u32("creation")?
        } else {
            self.reader.u8("creation")?.into()
        })
    }

    fn reference(&mut self) -> Result<Term, TermError> {
        let mut ahead = self.reader;
        let reference: Reference = super::reference(&mut self.reader)?;
        match ahead.u8("reference")? {
            tag::REFERENCE => {}
            _ => drop(ahead.u16("reference length")?),
        }
        std::mem::swap(&mut self.reader, &mut ahead);
        let node = self.atom()?;
        self.reader = ahead;
        Ok(Term::Reference(Box::new(NodeReference { node, reference })))
    }

    fn export(&mut self) -> Result<Export, TermError> {
        let (module, function) = (self.atom()?, self.atom()?);
        let arity = small_integer(&mut self.reader)?;
        Ok(Export {
            module,
            function,
            arity: u8::try_from(arity).map_err(|_| TermError::Range {
                what: "arity",
                value: arity as u64,
            })?,
        })
    }
}

/// Creates an atom from at most 255 bytes, which must be UTF-8.
pub(super) fn short_atom(text: &[u8]) -> Result<Atom, TermError> {
    match str::from_utf8(text) {
        Ok(text) => Ok(Atom::checked(text)),
        Err(error) => Err(TermError::Range {
            what: "UTF-8 in an atom at byte offset",
            value: error.valid_up_to() as u64,
        }),
    }
}

/// Reads a `BIT_BINARY` after its tag: the bytes, and the number of bits used in the last one, 1 to 8, or 0 if there
/// are no bytes.
pub(super) fn bit_string<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], u8), TermError> {
    let length = reader.u32("bit string length")?;
    let last = reader.u8("bits of the last byte")?;
    if last > 8 || (last == 0) != (length == 0) {
        return Err(TermError::Range {
            what: "bit count of the last byte",
            value: last.into(),
        });
    }
    Ok((reader.take(length as usize, "bit string")?, last))
}
