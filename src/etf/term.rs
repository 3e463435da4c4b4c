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

/// An owned Erlang term.
///
/// Two terms are equal if `=:=` of OTP 27 says so, which distinguishes 0.0 from -0.0. Each value has exactly one
/// representation: an integer that fits `i64` is never a [`Term::Big`], a list whose tail is a list is a
/// [`Term::List`], and a bit string of whole bytes is a [`Term::Binary`].
///
/// Use [`term!`](crate::term) to construct terms, `From` and `TryFrom` to convert simple values, and
/// [`to_term`](super::to_term) and [`from_term`](super::from_term) for your own types.
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
    /// An integer that fits `i64`.
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
    /// A proper list, which ends in `[]`. Without elements it is `[]` itself.
    List(List),
    /// An improper list, which does not end in `[]`.
    Improper(Improper),
    /// A map.
    Map(Map),
    /// A binary.
    Binary(Bytes),
    /// A bit string that is not a whole number of bytes.
    Bits(Box<Bits>),
    /// An external fun: `fun Module:Function/Arity`.
    Export(Box<Export>),
    /// A local fun, which only its own node can call.
    Fun(Box<Fun>),
}

// Lists and tuples are vectors of terms, so the size matters.
const _: () = assert!(size_of::<Term>() == 40);

impl Term {
    /// The empty list.
    pub const NIL: Self = Self::List(List::EMPTY);

    /// Creates an atom from a string literal. See [`Atom::literal`].
    ///
    /// # Panics
    /// If the name has more than 255 bytes.
    pub const fn atom(name: &'static str) -> Self {
        Self::Atom(Atom::literal(name))
    }

    /// Creates the integer with this sign and magnitude (little-endian).
    pub fn integer(is_negative: bool, magnitude: &[u8]) -> Self {
        match Big::new(is_negative, magnitude) {
            Some(big) => Self::Big(big),
            None => Self::Integer(super::big::small(is_negative, magnitude).unwrap_or_default()),
        }
    }

    /// Creates `[elements… | tail]`. The list is proper if the tail is a proper list. Without elements, the result is
    /// the tail.
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

    /// Creates a list of characters, as Erlang's `"text"`.
    pub fn charlist(text: &str) -> Self {
        let bytes: Option<Bytes> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        Self::List(match bytes {
            Some(bytes) => List::from_bytes(bytes),
            None => text.chars().map(Self::from).collect(),
        })
    }

    /// The name, if it is an atom.
    pub fn as_atom(&self) -> Option<&str> {
        match self {
            Self::Atom(atom) => Some(atom),
            _ => None,
        }
    }

    /// Whether it is the atom with this name.
    pub fn is_atom(&self, name: &str) -> bool {
        matches!(self, Self::Atom(atom) if *atom == *name)
    }

    /// Whether it is `true`, if it is `true` or `false`.
    pub fn as_bool(&self) -> Option<bool> {
        match self.as_atom() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        }
    }

    /// The value, if it is an integer that fits `i64`. Floats are not converted. For other types of integers there is `TryFrom`.
    ///
    /// ```
    /// use beamway::term;
    ///
    /// let reply = term!({ok, 42, 0.5, "text"});
    /// if let Some([ok, count, share, text]) = reply.as_tuple() {
    ///     assert!(ok.is_atom("ok"));
    ///     assert_eq!(count.as_i64(), Some(42));
    ///     assert_eq!(share.as_f64(), Some(0.5));
    ///     assert_eq!(text.as_str(), Some("text"));
    /// }
    /// ```
    pub const fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The value, if it is an integer that fits `u64`.
    pub fn as_u64(&self) -> Option<u64> {
        self.try_into().ok()
    }

    /// The value, if it is a float. Integers are not converted.
    pub const fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(value.get()),
            _ => None,
        }
    }

    /// The bytes, if it is a binary.
    pub const fn as_binary(&self) -> Option<&Bytes> {
        match self {
            Self::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text, if it is a binary in UTF-8, as an Elixir string. For a list of characters, as Erlang's `"text"`, there is
    /// `String::try_from`, which also accepts a binary.
    pub fn as_str(&self) -> Option<&str> {
        str::from_utf8(self.as_binary()?).ok()
    }

    /// The pid, if it is one.
    pub const fn as_pid(&self) -> Option<&NodePid> {
        match self {
            Self::Pid(pid) => Some(pid),
            _ => None,
        }
    }

    /// The reference, if it is one.
    pub fn as_reference(&self) -> Option<&NodeReference> {
        match self {
            Self::Reference(reference) => Some(reference),
            _ => None,
        }
    }

    /// The elements, if it is a tuple.
    pub fn as_tuple(&self) -> Option<&[Self]> {
        match self {
            Self::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// The elements, if it is a proper list.
    pub const fn as_list(&self) -> Option<&List> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The pairs, if it is a map.
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

/// A finite float. Erlang has neither infinities nor NaN.
#[derive(Clone, Copy)]
pub struct Float(f64);

impl Float {
    /// Returns `None` if the value is infinite or NaN.
    pub const fn new(value: f64) -> Option<Self> {
        if value.is_finite() { Some(Self(value)) } else { None }
    }

    /// The value.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Float {
    /// Compares bit by bit, so 0.0 and -0.0 differ.
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

/// An improper list: at least one element, and a tail other than a list.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Improper {
    elements: Vec<Term>,
    tail: Box<Term>,
}

impl Improper {
    /// The elements before the tail. Never empty.
    pub fn elements(&self) -> &[Term] {
        &self.elements
    }

    /// The tail. Never a list.
    pub const fn tail(&self) -> &Term {
        &self.tail
    }
}

/// A bit string whose length is not a multiple of eight.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Bits {
    bytes: Bytes,
    last: u8,
}

impl Bits {
    /// Creates a bit string from bytes, of which the last contributes only its `last` highest bits, 1 to 7. Returns
    /// `None` without bytes or with another count. Unused bits are set to zero.
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

    /// The bytes. The bits of the last one are in its high end.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The number of bits used in the last byte, 1 to 7.
    pub const fn last(&self) -> u8 {
        self.last
    }
}

/// An external fun: `fun Module:Function/Arity`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Export {
    /// The module.
    pub module: Atom,
    /// The function.
    pub function: Atom,
    /// The number of arguments.
    pub arity: u8,
}

/// The `Debug` output is the term as Erlang prints it, since a derived one would be very long.
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
