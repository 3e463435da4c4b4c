use bytes::BufMut;
use bytes::Bytes;
use bytes::BytesMut;

use super::Atom;
use super::Big;
use super::DEPTH_MAX;
use super::List;
use super::NodePort;
use super::NodeReference;
use super::Term;
use super::TermError;
use super::atom::IN_PLACE_MAX;
use super::list::Row;
use super::pen::Pen;
use super::pen::ROOM;
use super::tag;

/// Tag and length of a binary.
const BINARY_HEAD: usize = 1 + 4;

impl Term {
    /// Encodes the term as `term_to_binary` of OTP 26 and later does (before, with `{minor_version, 2}`). The result is
    /// identical byte for byte, except that the pairs of a map are sorted by key.
    ///
    /// # Errors
    /// If the term is nested deeper than [`DEPTH_MAX`], or a part of it has more than 2^32 - 1 bytes or elements.
    pub fn encode(&self) -> Result<Bytes, TermError> {
        let mut out = match bulk(self) {
            Some(length) => Pen::versioned_for(length),
            None => Pen::versioned(),
        };
        term(self, &mut out, DEPTH_MAX)?;
        Ok(out.finish().into())
    }

    /// Appends the term without a version byte, as in a control term.
    ///
    /// # Errors
    /// As [`Term::encode`]. In that case nothing is appended.
    pub fn write(&self, out: &mut BytesMut) -> Result<(), TermError> {
        if let Some(bytes) = self.write_but(0, out)? {
            out.extend_from_slice(&bytes);
        }
        Ok(())
    }

    /// Like [`Term::write`], but if the term is a binary of at least `large` bytes, they are returned instead of
    /// copied. The caller must append them.
    ///
    /// # Errors
    /// As [`Term::encode`]. In that case nothing is appended.
    pub fn write_but(&self, large: usize, out: &mut BytesMut) -> Result<Option<Bytes>, TermError> {
        if let Self::Binary(bytes) = self {
            let length = u32::try_from(bytes.len()).map_err(|_| Excess::Length)?;
            let is_large = bytes.len() >= large;
            out.reserve(BINARY_HEAD + if is_large { 0 } else { bytes.len() });
            out.put_u8(tag::BINARY);
            out.put_u32(length);
            if is_large {
                return Ok(Some(bytes.clone()));
            }
            out.put_slice(bytes);
            return Ok(None);
        }
        let mut pen = Pen::default();
        term(self, &mut pen, DEPTH_MAX)?;
        out.extend_from_slice(pen.written(0));
        Ok(None)
    }
}

/// The encoded length of a term that consists mostly of bytes: a binary, a string, or a tuple that contains one. The
/// length is exact if all other elements are atoms; a buffer that is filled completely need not store a capacity.
fn bulk(term: &Term) -> Option<usize> {
    let bytes = |term: &Term| match term {
        Term::Binary(bytes) => Some(BINARY_HEAD + bytes.len()),
        Term::List(list) => list.as_bytes().map(|bytes| 1 + 2 + bytes.len()),
        _ => None,
    };
    match term {
        Term::Tuple(items) => {
            let all: usize = items.iter().filter_map(bytes).sum();
            let beside = |item: &Term| match item {
                Term::Atom(name) => 2 + name.len(),
                // Usually a number, or short.
                other => bytes(other).map_or(12, |_| 0),
            };
            (all > ROOM).then(|| 2 + all + items.iter().map(beside).sum::<usize>())
        }
        other => bytes(other),
    }
}

fn term(term: &Term, out: &mut Pen, depth: usize) -> Result<(), Excess> {
    match term {
        Term::Atom(name) => atom(name, out),
        Term::Integer(value) => integer(*value, out),
        Term::Big(value) => big(value, out)?,
        Term::Float(value) => float(value.get(), out),
        Term::Pid(pid) => {
            out.put([tag::NEW_PID]);
            atom(&pid.node, out);
            out.put(pid.pid.id.to_be_bytes());
            out.put(pid.pid.serial.to_be_bytes());
            out.put(pid.pid.creation.to_be_bytes());
        }
        Term::Port(value) => port(value, out),
        Term::Reference(value) => reference(value, out),
        Term::Tuple(items) => {
            tuple(items.len(), out)?;
            elements(items, out, depth)?;
        }
        Term::List(items) => list(items, out, depth)?,
        Term::Improper(value) => {
            head(tag::LIST, value.elements().len(), out)?;
            elements(value.elements(), out, depth)?;
            elements(std::slice::from_ref(value.tail()), out, depth)?;
        }
        Term::Map(map) => {
            head(tag::MAP, map.len(), out)?;
            let depth = if map.is_empty() { depth } else { deeper(depth)? };
            for (key, value) in map {
                item(key, out, depth)?;
                item(value, out, depth)?;
            }
        }
        Term::Binary(bytes) => binary(bytes, out)?,
        Term::Bits(bits) => {
            head(tag::BIT_BINARY, bits.bytes().len(), out)?;
            out.put([bits.last()]);
            out.slice(bits.bytes());
        }
        Term::Export(value) => {
            out.put([tag::EXPORT]);
            atom(&value.module, out);
            atom(&value.function, out);
            out.put([tag::SMALL_INTEGER, value.arity]);
        }
        Term::Fun(fun) => out.slice(fun.bytes()),
    }
    Ok(())
}

/// Why a term cannot be encoded. It is small, since it is part of the result for each part of a term.
#[derive(Clone, Copy)]
pub(super) enum Excess {
    /// The term is nested deeper than [`DEPTH_MAX`].
    Depth,
    /// A part of the term has more than 2^32 - 1 bytes or elements.
    Length,
}

impl From<Excess> for TermError {
    fn from(excess: Excess) -> Self {
        match excess {
            Excess::Depth => Self::Limit {
                what: "levels of nesting",
                limit: DEPTH_MAX,
            },
            Excess::Length => Self::Limit {
                what: "bytes or elements per item",
                limit: u32::MAX as usize,
            },
        }
    }
}

/// Enters a nested level.
pub(super) const fn deeper(depth: usize) -> Result<usize, Excess> {
    match depth.checked_sub(1) {
        Some(depth) => Ok(depth),
        None => Err(Excess::Depth),
    }
}

fn elements(items: &[Term], out: &mut Pen, depth: usize) -> Result<(), Excess> {
    let depth = if items.is_empty() { depth } else { deeper(depth)? };
    items.iter().try_for_each(|one| item(one, out, depth))
}

/// Writes an element. The most frequent types are handled first, without the detour through `term`.
#[inline]
fn item(one: &Term, out: &mut Pen, depth: usize) -> Result<(), Excess> {
    match one {
        Term::Atom(name) => atom(name, out),
        Term::Integer(value) => integer(*value, out),
        Term::Binary(bytes) => binary(bytes, out)?,
        other => term(other, out, depth)?,
    }
    Ok(())
}

fn list(list: &List, out: &mut Pen, depth: usize) -> Result<(), Excess> {
    match list.row() {
        Row::Bytes(bytes) => return string(bytes, out, depth),
        Row::Terms(items) if items.is_empty() => {}
        Row::Terms(items) => {
            head(tag::LIST, items.len(), out)?;
            elements(items, out, depth)?;
        }
    }
    out.put([tag::NIL]);
    Ok(())
}

/// Writes a list of bytes, as a `STRING` if its length fits 16 bits (`external.c: MAX_STRING_LEN`).
fn string(bytes: &[u8], out: &mut Pen, depth: usize) -> Result<(), Excess> {
    if let Ok(length) = u16::try_from(bytes.len()) {
        let [high, low] = length.to_be_bytes();
        out.put([tag::STRING, high, low]);
        out.slice(bytes);
        return Ok(());
    }
    deeper(depth)?;
    head(tag::LIST, bytes.len(), out)?;
    for byte in bytes {
        out.put([tag::SMALL_INTEGER, *byte]);
    }
    out.put([tag::NIL]);
    Ok(())
}

/// Writes a tag and a 32-bit length.
pub(super) fn head(tag: u8, length: usize, out: &mut Pen) -> Result<(), Excess> {
    let length = u32::try_from(length).map_err(|_| Excess::Length)?;
    let [a, b, c, d] = length.to_be_bytes();
    out.put([tag, a, b, c, d]);
    Ok(())
}

/// Writes the tag and the arity of a tuple.
pub(super) fn tuple(arity: usize, out: &mut Pen) -> Result<(), Excess> {
    match u8::try_from(arity) {
        Ok(small) => out.put([tag::SMALL_TUPLE, small]),
        Err(_) => head(tag::LARGE_TUPLE, arity, out)?,
    }
    Ok(())
}

pub(super) fn atom(name: &Atom, out: &mut Pen) {
    if let Some((text, length)) = name.in_place() {
        let mut block = [0; ATOM_BLOCK];
        let [tag, stated, place @ ..] = &mut block;
        (*tag, *stated, *place) = (tag::SMALL_ATOM_UTF8, length, *text);
        return out.block(block, 2 + usize::from(length));
    }
    let text = name.as_bytes();
    match u8::try_from(text.len()) {
        Ok(length) => out.put([tag::SMALL_ATOM_UTF8, length]),
        Err(_) => {
            // At most 255 characters of four bytes each.
            let [high, low] = (text.len() as u16).to_be_bytes();
            out.put([tag::ATOM_UTF8, high, low]);
        }
    }
    out.slice(text);
}

/// Tag, length and text of an atom that is stored inline.
const ATOM_BLOCK: usize = 2 + IN_PLACE_MAX;

pub(super) fn integer(value: i64, out: &mut Pen) {
    if let Ok(value) = u8::try_from(value) {
        return out.put([tag::SMALL_INTEGER, value]);
    }
    if let Ok(value) = i32::try_from(value) {
        let [a, b, c, d] = value.to_be_bytes();
        return out.put([tag::INTEGER, a, b, c, d]);
    }
    magnitude(value < 0, value.unsigned_abs().into(), out);
}

/// Writes an integer of more than 32 bits, by sign and magnitude.
pub(super) fn magnitude(is_negative: bool, magnitude: u128, out: &mut Pen) {
    let mut block = [0; 3 + 16];
    let [tag, stated, sign, digits @ ..] = &mut block;
    let length = digits.len() - magnitude.leading_zeros() as usize / 8;
    (*tag, *stated, *sign) = (tag::SMALL_BIG, length as u8, is_negative.into());
    *digits = magnitude.to_le_bytes();
    out.block(block, 3 + length);
}

fn big(value: &Big, out: &mut Pen) -> Result<(), Excess> {
    match u8::try_from(value.magnitude().len()) {
        Ok(length) => out.put([tag::SMALL_BIG, length]),
        Err(_) => head(tag::LARGE_BIG, value.magnitude().len(), out)?,
    }
    out.put([value.is_negative().into()]);
    out.slice(value.magnitude());
    Ok(())
}

pub(super) fn float(value: f64, out: &mut Pen) {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    out.put([tag::NEW_FLOAT, a, b, c, d, e, f, g, h]);
}

pub(super) fn binary(bytes: &[u8], out: &mut Pen) -> Result<(), Excess> {
    head(tag::BINARY, bytes.len(), out)?;
    out.slice(bytes);
    Ok(())
}

/// Writes a port. A number that fits 32 bits is written in the shorter form, as OTP 25 does; later releases read both.
fn port(value: &NodePort, out: &mut Pen) {
    let id = u32::try_from(value.port.id);
    out.put([if id.is_ok() { tag::NEW_PORT } else { tag::V4_PORT }]);
    atom(&value.node, out);
    match id {
        Ok(id) => out.put(id.to_be_bytes()),
        Err(_) => out.put(value.port.id.to_be_bytes()),
    }
    out.put(value.port.creation.to_be_bytes());
}

fn reference(value: &NodeReference, out: &mut Pen) {
    let words = value.reference.words();
    out.put([tag::NEWER_REFERENCE, 0, words.len() as u8]);
    atom(&value.node, out);
    out.put(value.reference.creation.to_be_bytes());
    for word in words {
        out.put((*word).to_be_bytes());
    }
}
