use std::borrow::Cow;
use std::fmt;
use std::iter::FusedIterator;

use super::Limits;
use super::Pid;
use super::Port;
use super::Reference;
use super::Term;
use super::TermError;
use super::config::Budget;
use super::decode::bit_string;
use super::decode::is_compressed;
use super::decode::old_float;
use super::decode::versioned;
use super::read::atom;
use super::read::small_integer;
use super::skip::skip;
use super::skip::skip_one;
use super::tag;
use crate::codec::Reader;

/// A view of an encoded term, without a copy.
///
/// The bytes are checked once, when the view is created, and held to [`Limits`]. No later access fails. The check does
/// not include duplicate keys of maps. The elements of a container are found sequentially: reaching one takes time
/// proportional to the bytes before it.
///
/// ```
/// use beamway::etf::{TermRef, View};
/// use beamway::term;
///
/// let bytes = term!({order, 7, #{name => "tea", tags => [new]}}).encode()?;
/// let order = TermRef::new(&bytes)?;
/// assert_eq!(order.item(1).and_then(|id| id.as_i64()), Some(7));
/// let details = order.item(2).expect("an order has details");
/// assert_eq!(details.get("name").and_then(|name| name.as_bytes()), Some(&b"tea"[..]));
/// for tag in details.get("tags").into_iter().flat_map(|tags| tags.items()) {
///     assert!(matches!(tag.view(), View::Atom(name) if name == "new"));
/// }
/// # Ok::<(), beamway::etf::TermError>(())
/// ```
#[derive(Clone, Copy)]
pub struct TermRef<'a> {
    /// Exactly one term, without a version byte.
    bytes: &'a [u8],
}

/// The type and content of a [`TermRef`].
///
/// Names are borrowed unless they are Latin-1 with non-ASCII characters.
#[derive(Clone, Debug)]
pub enum View<'a> {
    /// An atom.
    Atom(Cow<'a, str>),
    /// An integer that fits `i64`.
    Integer(i64),
    /// Any other integer; see [`Big`](super::Big).
    Big {
        /// Whether it is negative.
        is_negative: bool,
        /// Its absolute value, little-endian.
        magnitude: &'a [u8],
    },
    /// A float.
    Float(f64),
    /// A pid.
    Pid(Cow<'a, str>, Pid),
    /// A port.
    Port(Cow<'a, str>, Port),
    /// A reference.
    Reference(Cow<'a, str>, Reference),
    /// A tuple.
    Tuple(Items<'a>),
    /// A list. [`Items::tail`] returns what follows the last element of an improper one.
    List(Items<'a>),
    /// A map.
    Map(Pairs<'a>),
    /// A binary.
    Binary(&'a [u8]),
    /// A bit string, and the number of bits used in its last byte, 1 to 7. These are the highest; the others are
    /// undefined.
    Bits(&'a [u8], u8),
    /// An external fun: `fun Module:Function/Arity`.
    Export {
        /// The module.
        module: Cow<'a, str>,
        /// The function.
        function: Cow<'a, str>,
        /// The number of arguments.
        arity: u8,
    },
    /// A local fun, in the external term format.
    Fun(&'a [u8]),
}

impl<'a> TermRef<'a> {
    /// Creates a view of a term as written by `term_to_binary`, within the default [`Limits`].
    ///
    /// # Errors
    /// If the bytes are not exactly one well-formed term, or exceed the limits. [`TermError::Compressed`] if the term
    /// must be passed to [`inflate`](super::inflate) first.
    pub fn new(bytes: &'a [u8]) -> Result<Self, TermError> {
        Self::within(bytes, &Limits::default())
    }

    /// Like [`TermRef::new`], with the given limits.
    ///
    /// # Errors
    /// As [`TermRef::new`].
    pub fn within(bytes: &'a [u8], limits: &Limits) -> Result<Self, TermError> {
        if is_compressed(bytes) {
            return Err(TermError::Compressed);
        }
        let mut reader = versioned(bytes)?;
        let term = Self::read(&mut reader, limits)?;
        reader.finish("term")?;
        Ok(term)
    }

    /// Reads the next term from a reader, without a version byte, as in a control term. The reader stops after the
    /// term.
    pub(crate) fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, TermError> {
        let start = *reader;
        check(reader, &mut Budget::new(limits, start.len())?)?;
        Ok(Self::between(start, *reader))
    }

    fn between(start: Reader<'a>, end: Reader<'a>) -> Self {
        let bytes = start.rest().get(..start.len() - end.len());
        Self {
            bytes: bytes.unwrap_or_default(),
        }
    }

    /// The next term of bytes that have been checked.
    pub(super) fn next_of(reader: &mut Reader<'a>) -> Option<Self> {
        let start = *reader;
        skip(reader).ok()?;
        Some(Self::between(start, *reader))
    }

    /// The term in the external term format, without a version byte.
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The type and content of the term.
    pub fn view(self) -> View<'a> {
        // The bytes were checked when the view was created.
        look(Reader::new(self.bytes)).unwrap_or(View::List(Items::EMPTY))
    }

    /// Decodes the term into an owned one.
    ///
    /// # Errors
    /// As [`Term::decode_within`].
    pub fn to_term(self, limits: &Limits) -> Result<Term, TermError> {
        Term::read(&mut Reader::new(self.bytes), limits)
    }

    /// The elements of a tuple or a list; empty for all other types.
    pub fn items(self) -> Items<'a> {
        match self.view() {
            View::Tuple(items) | View::List(items) => items,
            _ => Items::EMPTY,
        }
    }

    /// An element of a tuple or a list, counted from 0.
    pub fn item(self, index: usize) -> Option<Self> {
        self.items().nth(index)
    }

    /// The value of a map for the key that is the atom with this name.
    pub fn get(self, key: &str) -> Option<Self> {
        match self.view() {
            View::Map(mut pairs) => pairs.find_map(|(found, value)| found.is_atom(key).then_some(value)),
            _ => None,
        }
    }

    /// Whether it is the atom with this name.
    pub fn is_atom(self, name: &str) -> bool {
        matches!(self.view(), View::Atom(found) if found == name)
    }

    /// The value, if it is an integer that fits `i64`.
    pub fn as_i64(self) -> Option<i64> {
        match self.view() {
            View::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// The bytes, if it is a binary.
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        match self.view() {
            View::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl fmt::Debug for TermRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_term(&Limits::default()) {
            Ok(term) => write!(f, "{term}"),
            Err(error) => write!(f, "{error}"),
        }
    }
}

/// An iterator over the elements of a tuple or a list.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    reader: Reader<'a>,
    left: usize,
    row: Row,
}

/// How elements are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    /// One after another.
    Tuple,
    /// One after another, followed by a tail.
    List,
    /// One byte each (`STRING`).
    String,
}

impl<'a> Items<'a> {
    const EMPTY: Self = Self::new(Reader::new(&[]), 0, Row::Tuple);

    const fn new(reader: Reader<'a>, left: usize, row: Row) -> Self {
        Self { reader, left, row }
    }

    /// The tail of an improper list, or `None`. Takes time proportional to the bytes left.
    pub fn tail(mut self) -> Option<TermRef<'a>> {
        if self.row != Row::List {
            return None;
        }
        for _ in 0..self.left {
            skip(&mut self.reader).ok()?;
        }
        match self.reader.peek() {
            Some(tag::NIL) => None,
            _ => TermRef::next_of(&mut self.reader),
        }
    }
}

/// Each byte as an encoded `SMALL_INTEGER`: the elements of a `STRING`.
static SMALL_INTEGERS: [[u8; 2]; 256] = {
    let mut all = [[tag::SMALL_INTEGER, 0]; 256];
    let mut rest: &mut [[u8; 2]] = &mut all;
    let mut value = 0;
    while let Some((first, tail)) = rest.split_first_mut() {
        first[1] = value;
        value = value.wrapping_add(1);
        rest = tail;
    }
    all
};

impl<'a> Iterator for Items<'a> {
    type Item = TermRef<'a>;

    fn next(&mut self) -> Option<TermRef<'a>> {
        self.left = self.left.checked_sub(1)?;
        if self.row != Row::String {
            return TermRef::next_of(&mut self.reader);
        }
        let byte = self.reader.u8("character").ok()?;
        SMALL_INTEGERS.get(usize::from(byte)).map(|bytes| TermRef { bytes })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Items<'_> {}

impl FusedIterator for Items<'_> {}

/// An iterator over the pairs of a map.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (TermRef<'a>, TermRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some((TermRef::next_of(&mut self.reader)?, TermRef::next_of(&mut self.reader)?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Pairs<'_> {}

impl FusedIterator for Pairs<'_> {}

/// Walks one term without recursion and checks everything that a view relies on.
fn check(reader: &mut Reader<'_>, budget: &mut Budget) -> Result<(), TermError> {
    // Elements left on each level, and whether the level is a list. The last element of a list is its tail. The budget
    // bounds the number of levels.
    let mut levels = vec![(1usize, false)];
    while let Some((left, is_list)) = levels.last_mut() {
        let Some(less) = left.checked_sub(1) else {
            levels.pop();
            budget.leave();
            continue;
        };
        *left = less;
        let next_is_list = reader.peek() == Some(tag::LIST);
        let count = check_one(reader, budget)?;
        if next_is_list && *is_list && less == 0 {
            // The tail is a list that continues this one.
            *left = count;
        } else if count > 0 {
            budget.enter()?;
            levels.push((count, next_is_list));
        }
    }
    Ok(())
}

/// Checks a term up to its elements. Returns the number of terms that follow and belong to it.
fn check_one(reader: &mut Reader<'_>, budget: &mut Budget) -> Result<usize, TermError> {
    let mut ahead = *reader;
    match ahead.u8("term")? {
        tag::ATOM | tag::SMALL_ATOM | tag::ATOM_UTF8 | tag::SMALL_ATOM_UTF8 => {
            atom(reader)?.check()?;
            return Ok(0);
        }
        tag::NEW_FUN => {
            skip(reader)?;
            return Ok(0);
        }
        tag::EXPORT => {
            reader.u8("fun")?;
            atom(reader)?.check()?;
            atom(reader)?.check()?;
            return match small_integer(reader)? {
                0..=255 => Ok(0),
                arity => Err(TermError::Range {
                    what: "arity",
                    value: arity as u64,
                }),
            };
        }
        tag::NEW_PID | tag::PID | tag::NEW_PORT | tag::PORT | tag::V4_PORT | tag::REFERENCE => {
            atom(&mut ahead)?.check()?;
        }
        tag::NEWER_REFERENCE | tag::NEW_REFERENCE => {
            ahead.u16("reference length")?;
            atom(&mut ahead)?.check()?;
        }
        tag::NEW_FLOAT if !f64::from_bits(ahead.u64("float")?).is_finite() => return Err(TermError::NotFinite),
        tag::FLOAT => drop(old_float(ahead.take(31, "float")?)?),
        tag::LARGE_BIG => budget.check_integer(ahead.u32("integer length")? as usize)?,
        tag::SMALL_BIG => budget.check_integer(ahead.u8("integer length")?.into())?,
        tag::STRING => budget.take(ahead.u16("string length")?.into())?,
        tag::BIT_BINARY => drop(bit_string(&mut ahead)?),
        _ => {}
    }
    let is_list = reader.peek() == Some(tag::LIST);
    let count = usize::try_from(skip_one(reader)?).unwrap_or(usize::MAX);
    if count > reader.len() {
        reader.take(count, "elements of a term")?;
    }
    // The tail does not count as an element.
    budget.take(count - usize::from(is_list))?;
    Ok(count)
}

fn name<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, TermError> {
    Ok(match atom(reader)?.utf8() {
        Cow::Borrowed(text) => Cow::Borrowed(str::from_utf8(text).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(String::from_utf8(text).unwrap_or_default()),
    })
}

/// Decodes the head of a term.
fn look(mut reader: Reader<'_>) -> Result<View<'_>, TermError> {
    let start = reader;
    Ok(match reader.u8("term")? {
        tag::SMALL_INTEGER => View::Integer(reader.u8("integer")?.into()),
        tag::INTEGER => View::Integer((reader.u32("integer")? as i32).into()),
        tag::SMALL_BIG => {
            let size = reader.u8("integer length")?;
            big(&mut reader, size.into())?
        }
        tag::LARGE_BIG => {
            let size = reader.u32("integer length")?;
            big(&mut reader, size as usize)?
        }
        tag::NEW_FLOAT => View::Float(f64::from_bits(reader.u64("float")?)),
        tag::FLOAT => View::Float(old_float(reader.take(31, "float")?)?.get()),
        tag::ATOM_UTF8 | tag::SMALL_ATOM_UTF8 | tag::ATOM | tag::SMALL_ATOM => View::Atom(name(&mut start.clone())?),
        tag::SMALL_TUPLE => {
            let arity = reader.u8("arity")?;
            View::Tuple(Items::new(reader, arity.into(), Row::Tuple))
        }
        tag::LARGE_TUPLE => {
            let arity = reader.u32("arity")?;
            View::Tuple(Items::new(reader, arity as usize, Row::Tuple))
        }
        tag::NIL => View::List(Items::EMPTY),
        tag::STRING => {
            let left = reader.u16("string length")?.into();
            View::List(Items::new(reader, left, Row::String))
        }
        tag::LIST => {
            let left = reader.u32("list length")? as usize;
            View::List(Items::new(reader, left, Row::List))
        }
        tag::MAP => {
            let left = reader.u32("map size")? as usize;
            View::Map(Pairs { reader, left })
        }
        tag::BINARY => {
            let length = reader.u32("binary length")?;
            View::Binary(reader.take(length as usize, "binary")?)
        }
        tag::BIT_BINARY => match bit_string(&mut reader)? {
            (bytes, last @ 1..=7) => View::Bits(bytes, last),
            (bytes, _) => View::Binary(bytes),
        },
        tag::EXPORT => View::Export {
            module: name(&mut reader)?,
            function: name(&mut reader)?,
            arity: small_integer(&mut reader)? as u8,
        },
        tag::NEW_FUN => View::Fun(start.rest()),
        _ => identity(start)?,
    })
}

fn big<'a>(reader: &mut Reader<'a>, size: usize) -> Result<View<'a>, TermError> {
    let is_negative = reader.u8("integer sign")? != 0;
    let magnitude = reader.take(size, "integer digits")?;
    Ok(match super::big::small(is_negative, magnitude) {
        Some(value) => View::Integer(value),
        None => View::Big { is_negative, magnitude },
    })
}

/// A pid, a port or a reference.
fn identity(start: Reader<'_>) -> Result<View<'_>, TermError> {
    let mut reader = start;
    let tag = reader.u8("term")?;
    if matches!(tag, tag::NEWER_REFERENCE | tag::NEW_REFERENCE) {
        reader.u16("reference length")?;
    }
    let node = name(&mut reader)?;
    Ok(match tag {
        tag::NEW_PID | tag::PID => View::Pid(node, super::pid(&mut start.clone())?),
        tag::NEW_PORT => View::Port(
            node,
            Port {
                id: reader.u32("id")?.into(),
                creation: reader.u32("creation")?,
            },
        ),
        tag::V4_PORT => View::Port(
            node,
            Port {
                id: reader.u64("id")?,
                creation: reader.u32("creation")?,
            },
        ),
        tag::PORT => View::Port(
            node,
            Port {
                id: reader.u32("id")?.into(),
                creation: reader.u8("creation")?.into(),
            },
        ),
        _ => View::Reference(node, super::reference(&mut start.clone())?),
    })
}
