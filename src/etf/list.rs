use std::sync::LazyLock;

use bytes::Bytes;

use super::Term;

/// A proper list, which ends in `[]`.
///
/// A string in Erlang is a list of its characters, and a [`Term`] takes 40 bytes. So a list that consists of integers
/// from 0 to 255 is stored as bytes, whatever its length and however it was made. [`List::as_bytes`] borrows them. All
/// other methods work the same way for both representations.
///
/// ```
/// use beamway::etf::{List, Term};
/// use beamway::term;
///
/// let text = Term::charlist("tea");
/// assert_eq!(text, term!([116, 101, 97]));
/// let list = List::try_from(text)?;
/// assert_eq!(list.get(1), Some(&term!(101)));
/// assert_eq!(list.as_bytes().map(|bytes| &bytes[..]), Some(&b"tea"[..]));
///
/// let mut elements = Vec::from(list);
/// elements.push(term!(cup));
/// assert_eq!(Term::from(elements).to_string(), "[116,101,97,cup]");
/// # Ok::<(), beamway::etf::Mismatch>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct List(Row);

/// The representation. It depends only on the elements, so that equal lists are represented alike.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Row {
    /// At least one element, all of them integers from 0 to 255.
    Bytes(Bytes),
    /// No elements, or at least one of another kind.
    Terms(Vec<Term>),
}

/// Each byte as a term, to lend elements of a list of bytes.
static BYTES: LazyLock<[Term; 256]> = LazyLock::new(|| std::array::from_fn(|byte| Term::Integer(byte as i64)));

fn lend(byte: &u8) -> Option<&'static Term> {
    BYTES.get(usize::from(*byte))
}

/// The value of an integer from 0 to 255.
fn byte(term: &Term) -> Option<u8> {
    match term {
        Term::Integer(value) => u8::try_from(*value).ok(),
        _ => None,
    }
}

impl List {
    /// The empty list.
    pub const EMPTY: Self = Self(Row::Terms(Vec::new()));

    /// Creates the list of the values of these bytes.
    pub fn from_bytes(bytes: Bytes) -> Self {
        match bytes.is_empty() {
            true => Self::EMPTY,
            false => Self(Row::Bytes(bytes)),
        }
    }

    /// The elements as bytes, if the list is not empty and consists of integers from 0 to 255.
    pub const fn as_bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Row::Bytes(bytes) => Some(bytes),
            Row::Terms(_) => None,
        }
    }

    pub(super) const fn row(&self) -> &Row {
        &self.0
    }

    /// The number of elements.
    pub const fn len(&self) -> usize {
        match &self.0 {
            Row::Bytes(bytes) => bytes.len(),
            Row::Terms(terms) => terms.len(),
        }
    }

    /// Whether the list is empty.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Iterates over the elements.
    pub fn iter(&self) -> Elements<'_> {
        Elements(match &self.0 {
            Row::Bytes(bytes) => Run::Bytes(bytes.iter()),
            Row::Terms(terms) => Run::Terms(terms.iter()),
        })
    }

    /// The element at a position, counted from 0.
    pub fn get(&self, place: usize) -> Option<&Term> {
        match &self.0 {
            Row::Bytes(bytes) => bytes.get(place).and_then(lend),
            Row::Terms(terms) => terms.get(place),
        }
    }

    /// The first element.
    pub fn first(&self) -> Option<&Term> {
        self.get(0)
    }

    /// Whether the list contains the term.
    pub fn contains(&self, term: &Term) -> bool {
        self.iter().any(|element| element == term)
    }

    /// The elements, if there are exactly `N`: `if let Some([name, value]) = list.as_array()`.
    pub fn as_array<const N: usize>(&self) -> Option<[&Term; N]> {
        static NIL: Term = Term::NIL;
        (self.len() == N).then(|| std::array::from_fn(|place| self.get(place).unwrap_or(&NIL)))
    }
}

impl Default for List {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl From<Vec<Term>> for List {
    fn from(terms: Vec<Term>) -> Self {
        // Most lists are not bytes, which their first element shows.
        if terms.is_empty() || terms.iter().any(|term| byte(term).is_none()) {
            return Self(Row::Terms(terms));
        }
        Self(Row::Bytes(terms.iter().filter_map(byte).collect()))
    }
}

impl FromIterator<Term> for List {
    fn from_iter<I: IntoIterator<Item = Term>>(terms: I) -> Self {
        Vec::from_iter(terms).into()
    }
}

impl From<List> for Vec<Term> {
    fn from(list: List) -> Self {
        match list.0 {
            Row::Bytes(bytes) => bytes.iter().map(|byte| Term::from(*byte)).collect(),
            Row::Terms(terms) => terms,
        }
    }
}

impl IntoIterator for List {
    type Item = Term;
    type IntoIter = std::vec::IntoIter<Term>;

    fn into_iter(self) -> Self::IntoIter {
        Vec::from(self).into_iter()
    }
}

impl<'a> IntoIterator for &'a List {
    type Item = &'a Term;
    type IntoIter = Elements<'a>;

    fn into_iter(self) -> Elements<'a> {
        self.iter()
    }
}

/// An iterator over the elements of a list. Returned by [`List::iter`].
#[derive(Clone, Debug)]
pub struct Elements<'a>(Run<'a>);

#[derive(Clone, Debug)]
enum Run<'a> {
    Bytes(std::slice::Iter<'a, u8>),
    Terms(std::slice::Iter<'a, Term>),
}

impl<'a> Elements<'a> {
    /// Iterates over elements stored as terms.
    pub(super) fn of_terms(terms: &'a [Term]) -> Self {
        Self(Run::Terms(terms.iter()))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a Term;

    fn next(&mut self) -> Option<&'a Term> {
        match &mut self.0 {
            Run::Bytes(bytes) => bytes.next().and_then(lend),
            Run::Terms(terms) => terms.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Run::Bytes(bytes) => bytes.size_hint(),
            Run::Terms(terms) => terms.size_hint(),
        }
    }
}

impl DoubleEndedIterator for Elements<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Run::Bytes(bytes) => bytes.next_back().and_then(lend),
            Run::Terms(terms) => terms.next_back(),
        }
    }
}

impl ExactSizeIterator for Elements<'_> {}
