//! Conversions between Rust values and terms, by `From` and `TryFrom` only.

use std::borrow::Cow;

use bytes::Bytes;
use thiserror::Error;

use super::Atom;
use super::Big;
use super::Bits;
use super::Export;
use super::Float;
use super::Fun;
use super::List;
use super::Map;
use super::NodePid;
use super::NodePort;
use super::NodeReference;
use super::Term;

/// The term does not have the requested type, or its value is out of range.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("expected {expected}")]
pub struct Mismatch {
    /// The requested type.
    pub expected: &'static str,
}

/// Integers that always fit `i64`.
macro_rules! from_small {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Term {
            fn from(value: $integer) -> Self {
                Self::Integer(value.into())
            }
        }
    )*};
}

from_small!(u8, u16, u32, i8, i16, i32, i64);

/// Integers that may not fit `i64`.
macro_rules! from_large {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Term {
            fn from(value: $integer) -> Self {
                match i64::try_from(value) {
                    Ok(value) => Self::Integer(value),
                    #[allow(unused_comparisons, reason = "one body for signed and unsigned")]
                    Err(_) => Self::integer(value < 0, &value.abs_diff(0).to_le_bytes()),
                }
            }
        }
    )*};
}

from_large!(u64, u128, usize, i128, isize);

/// Conversions from terms to integers.
macro_rules! to_integer {
    ($($integer:ident),*) => {$(
        impl TryFrom<&Term> for $integer {
            type Error = Mismatch;

            fn try_from(term: &Term) -> Result<Self, Mismatch> {
                let value = match term {
                    Term::Integer(value) => (*value).try_into().ok(),
                    Term::Big(value) => value.try_into().ok(),
                    _ => None,
                };
                value.ok_or(Mismatch { expected: concat!("an integer in the range of ", stringify!($integer)) })
            }
        }

        impl TryFrom<&Big> for $integer {
            type Error = Mismatch;

            fn try_from(big: &Big) -> Result<Self, Mismatch> {
                let value = match big.to_i128() {
                    Some(value) => value.try_into().ok(),
                    None => big.to_u128().and_then(|value| value.try_into().ok()),
                };
                value.ok_or(Mismatch { expected: concat!("an integer in the range of ", stringify!($integer)) })
            }
        }
    )*};
}

to_integer!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

/// Types that a variant of `Term` holds directly.
macro_rules! kinds {
    ($($kind:ident: $value:ty = $from:ident => $term:expr, $expected:literal;)*) => {$(
        impl From<$value> for Term {
            fn from($from: $value) -> Self {
                Self::$kind($term)
            }
        }

        impl TryFrom<Term> for $value {
            type Error = Mismatch;

            fn try_from(term: Term) -> Result<Self, Mismatch> {
                match term {
                    Term::$kind(value) => Ok(value.into()),
                    _ => Err(Mismatch { expected: $expected }),
                }
            }
        }
    )*};
}

kinds! {
    Atom: Atom = value => value, "an atom";
    Pid: NodePid = value => value, "a pid";
    List: List = value => value, "a list";
    Map: Map = value => value, "a map";
    Binary: Bytes = value => value, "a binary";
    Float: Float = value => value, "a float";
}

/// Types that a variant of `Term` holds in a box.
macro_rules! boxed {
    ($($kind:ident: $value:ty, $expected:literal;)*) => {$(
        impl From<$value> for Term {
            fn from(value: $value) -> Self {
                Self::$kind(Box::new(value))
            }
        }

        impl TryFrom<Term> for $value {
            type Error = Mismatch;

            fn try_from(term: Term) -> Result<Self, Mismatch> {
                match term {
                    Term::$kind(value) => Ok(*value),
                    _ => Err(Mismatch { expected: $expected }),
                }
            }
        }
    )*};
}

boxed! {
    Port: NodePort, "a port";
    Reference: NodeReference, "a reference";
    Bits: Bits, "a bit string";
    Export: Export, "an external fun";
    Fun: Fun, "a local fun";
}

impl From<Big> for Term {
    fn from(value: Big) -> Self {
        Self::Big(value)
    }
}

impl From<bool> for Term {
    fn from(value: bool) -> Self {
        Self::Atom(value.into())
    }
}

impl From<char> for Term {
    /// Converts to the code point, as Erlang's `$c` does.
    fn from(value: char) -> Self {
        Self::Integer(u32::from(value).into())
    }
}

impl From<f32> for Term {
    /// Converts like an `f64`.
    fn from(value: f32) -> Self {
        f64::from(value).into()
    }
}

impl From<f64> for Term {
    /// Erlang has neither infinities nor NaN: they become the atoms `infinity`, `neg_infinity` and `nan`. Use
    /// [`Float::new`] to detect them.
    fn from(value: f64) -> Self {
        match Float::new(value) {
            Some(value) => Self::Float(value),
            None if value.is_nan() => Self::atom("nan"),
            None if value > 0.0 => Self::atom("infinity"),
            None => Self::atom("neg_infinity"),
        }
    }
}

impl From<&str> for Term {
    /// Converts to a binary in UTF-8. [`Term::charlist`] makes a list.
    fn from(value: &str) -> Self {
        Self::Binary(Bytes::copy_from_slice(value.as_bytes()))
    }
}

impl From<String> for Term {
    /// Converts to a binary in UTF-8.
    fn from(value: String) -> Self {
        Self::Binary(value.into())
    }
}

impl From<Cow<'_, str>> for Term {
    /// Converts to a binary in UTF-8.
    fn from(value: Cow<'_, str>) -> Self {
        value.into_owned().into()
    }
}

impl From<&[u8]> for Term {
    /// Converts to a binary.
    fn from(value: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(value))
    }
}

impl<const N: usize> From<&[u8; N]> for Term {
    /// Converts to a binary.
    fn from(value: &[u8; N]) -> Self {
        value.as_slice().into()
    }
}

impl From<&Self> for Term {
    fn from(value: &Self) -> Self {
        value.clone()
    }
}

impl<T: Into<Self>> From<Vec<T>> for Term {
    /// Converts to a list, even for bytes. [`Bytes`] becomes a binary.
    fn from(value: Vec<T>) -> Self {
        Self::List(value.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>> From<Option<T>> for Term {
    /// `None` becomes the atom `undefined`.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::atom("undefined"), Into::into)
    }
}

impl<T: Into<Self>, E: Into<Self>> From<Result<T, E>> for Term {
    /// Converts to `{ok, Value}` or `{error, Reason}`.
    fn from(value: Result<T, E>) -> Self {
        match value {
            Ok(value) => Self::Tuple(vec![Self::atom("ok"), value.into()]),
            Err(reason) => Self::Tuple(vec![Self::atom("error"), reason.into()]),
        }
    }
}

/// Tuples, up to the number of parameters.
macro_rules! from_tuple {
    ($($item:ident)*) => {
        impl<$($item: Into<Term>),*> From<($($item,)*)> for Term {
            #[allow(non_snake_case, reason = "type parameters double as variable names")]
            fn from(($($item,)*): ($($item,)*)) -> Self {
                Self::Tuple(vec![$($item.into()),*])
            }
        }
    };
}

from_tuple!(A);
from_tuple!(A B);
from_tuple!(A B C);
from_tuple!(A B C D);
from_tuple!(A B C D E);
from_tuple!(A B C D E F);

impl TryFrom<&Term> for bool {
    type Error = Mismatch;

    fn try_from(term: &Term) -> Result<Self, Mismatch> {
        match term.as_atom() {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            _ => Err(Mismatch { expected: "a boolean" }),
        }
    }
}

impl TryFrom<&Term> for f64 {
    type Error = Mismatch;

    /// Integers are not converted to floats.
    fn try_from(term: &Term) -> Result<Self, Mismatch> {
        match term {
            Term::Float(value) => Ok(value.get()),
            _ => Err(Mismatch { expected: "a float" }),
        }
    }
}

impl TryFrom<&Term> for String {
    type Error = Mismatch;

    /// Accepts a binary in UTF-8 or a list of characters, including `[]`.
    fn try_from(term: &Term) -> Result<Self, Mismatch> {
        let text = match term {
            Term::Binary(bytes) => str::from_utf8(bytes).ok().map(Self::from),
            Term::List(items) => items
                .iter()
                .map(|item| u32::try_from(item).ok().and_then(char::from_u32))
                .collect(),
            _ => None,
        };
        text.ok_or(Mismatch { expected: "text" })
    }
}

impl TryFrom<Term> for Vec<Term> {
    type Error = Mismatch;

    /// Returns the elements of a proper list.
    fn try_from(term: Term) -> Result<Self, Mismatch> {
        List::try_from(term).map(Self::from)
    }
}
