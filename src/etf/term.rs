use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;

use bytes::Bytes;

use super::Atom;
use super::Big;
use super::Fun;
use super::List;
use super::Map;
use super::NodePid;
use super::NodePort;
use super::NodeReference;

/// An Erlang term of its own.
///
/// Two terms are equal if Erlang's `=:=` says so (that of OTP 27, which tells 0.0 from -0.0). Each value has one form
/// only: what `i64` holds is never [`Term::Big`], a list with a tail that is a list is a [`Term::List`], whole bytes are
/// a [`Term::Binary`]. Use [`term!`](crate::term) to write terms,
/// `From` and `TryFrom` to convert, [`to_term`](super::to_term) and [`from_term`](super::from_term) for one's own types.
///
/// ```
/// use beamway::etf::Term;
/// use beamway::term;
///
/// let reply = term!({ok, [1, 2.5, "text"], #{left => []}});
/// assert_eq!(reply.to_string(), r#"{ok,[1,2.5,<<"text">>],#{left => []}}"#);
/// assert_eq!(Term::decode(&reply.encode()?)?, reply);
/// # Ok::<(), beamway::etf::TermError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Term {
    /// An atom.
    Atom(Atom),
    /// An integer that fits.
    Integer(i64),
    /// Any other integer.
    Big(Big),
    /// A float.
    Float(Float),
    /// A pid.
    Pid(NodePid),
    /// A port.
    Port(Box<NodePort>),
    /// A reference.
    Reference(Box<NodeReference>),
    /// A tuple.
    Tuple(Vec<Term>),
    /// A list that ends in `[]`; without elements it is `[]` itself.
    List(List),
    /// A list that ends in something else.
    Improper(Improper),
    /// A map.
    Map(Map),
    /// A binary.
    Binary(Bytes),
    /// A bit string that is no binary.
    Bits(Box<Bits>),
    /// `fun Module:Function/Arity`.
    Export(Box<Export>),
    /// A fun with a body, which only its node can call.
    Fun(Box<Fun>),
}

// Lists and tuples are rows of these: each byte counts.
const _: () = assert!(size_of::<Term>() == 40);

impl Term {
    /// The empty list.
    pub const NIL: Self = Self::List(List::EMPTY);

    /// An atom of the program's text; [`Atom::literal`].
    ///
    /// # Panics
    /// If the name has more than 255 bytes.
    pub const fn atom(name: &'static str) -> Self {
        Self::Atom(Atom::literal(name))
    }

    /// The integer of that sign and magnitude (little-endian).
    pub fn integer(is_negative: bool, magnitude: &[u8]) -> Self {
        match Big::new(is_negative, magnitude) {
            Some(big) => Self::Big(big),
            None => Self::Integer(super::big::small(is_negative, magnitude).unwrap_or_default()),
        }
    }

    /// `[elements… | tail]`: proper if the tail is a proper list, and the tail itself if there are no elements.
    pub fn list(mut elements: Vec<Self>, tail: Self) -> Self {
        match tail {
            Self::List(rest) if elements.is_empty() => Self::List(rest),
            Self::List(rest) => {
                elements.extend(rest);
                Self::List(elements.into())
            }
            Self::Improper(rest) => {
                elements.extend(rest.elements);
                Self::Improper(Improper {
                    elements,
                    tail: rest.tail,
                })
            }
            tail if elements.is_empty() => tail,
            tail => Self::Improper(Improper {
                elements,
                tail: tail.into(),
            }),
        }
    }

    /// A list of characters, as Erlang's `"text"` is one.
    pub fn charlist(text: &str) -> Self {
        let bytes: Option<Bytes> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        Self::List(match bytes {
            Some(bytes) => List::from_bytes(bytes),
            None => text.chars().map(Self::from).collect(),
        })
    }

    /// The name, of an atom.
    pub fn as_atom(&self) -> Option<&str> {
        match self {
            Self::Atom(atom) => Some(atom),
            _ => None,
        }
    }

    /// Whether it is the atom of that name.
    pub fn is_atom(&self, name: &str) -> bool {
        matches!(self, Self::Atom(atom) if *atom == *name)
    }

    /// The elements, of a tuple.
    pub fn as_tuple(&self) -> Option<&[Self]> {
        match self {
            Self::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// The elements, of a proper list.
    pub const fn as_list(&self) -> Option<&List> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The pairs, of a map.
    pub const fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }
}

impl Default for Term {
    fn default() -> Self {
        Self::NIL
    }
}

/// A float that is a number: Erlang has neither infinities nor NaN.
#[derive(Clone, Copy)]
pub struct Float(f64);

impl Float {
    /// `None` if it is infinite or no number.
    pub const fn new(value: f64) -> Option<Self> {
        if value.is_finite() { Some(Self(value)) } else { None }
    }

    /// The value.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Float {
    /// Bit by bit, so 0.0 and -0.0 differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Float {}

impl Hash for Float {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// A list of at least one element that does not end in `[]`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Improper {
    elements: Vec<Term>,
    tail: Box<Term>,
}

impl Improper {
    /// What stands before the tail; never empty.
    pub fn elements(&self) -> &[Term] {
        &self.elements
    }

    /// What stands after the bar; never a list.
    pub const fn tail(&self) -> &Term {
        &self.tail
    }
}

/// Bits that are no whole number of bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Bits {
    bytes: Bytes,
    last: u8,
}

impl Bits {
    /// All bytes but the last, of which the highest `last` bits count, 1 to 7. `None` if there is no byte or another
    /// count. Bits that do not count become zero.
    pub fn new(bytes: &[u8], last: u8) -> Option<Self> {
        if !(1..=7).contains(&last) {
            return None;
        }
        let mut bytes = bytes.to_vec();
        *bytes.last_mut()? &= 0xff << (8 - last);
        Some(Self {
            bytes: bytes.into(),
            last,
        })
    }

    /// The bytes; the last holds its bits in its high end.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many bits of the last byte count, 1 to 7.
    pub const fn last(&self) -> u8 {
        self.last
    }
}

/// `fun Module:Function/Arity`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Export {
    /// The module.
    pub module: Atom,
    /// The function.
    pub function: Atom,
    /// How many arguments it takes.
    pub arity: u8,
}

/// Terms are long enough as Erlang prints them.
macro_rules! debug_as_display {
    ($($name:ty),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

debug_as_display!(Term, Float, List, Improper, Bits, Export, Fun, Map);
