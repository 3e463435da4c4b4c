use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error as _;
use serde::de::Visitor;
use serde::ser::Error as _;

use super::conventions::ATOM;
use super::conventions::OWN;
use super::conventions::TERM;
use crate::codec::Reader;
use crate::etf::Atom;
use crate::etf::Bits;
use crate::etf::Export;
use crate::etf::Fun;
use crate::etf::List;
use crate::etf::Map;
use crate::etf::NodePid;
use crate::etf::NodePort;
use crate::etf::NodeReference;
use crate::etf::Term;

/// Text that is written as a list of characters, like Erlang's `"text"`.
///
/// ```
/// use beamway::etf::{self, Charlist};
///
/// let path = Charlist("/tmp".to_owned());
/// assert_eq!(etf::to_term(&path)?.to_string(), "\"/tmp\"");
/// assert_eq!(etf::from_bytes::<Charlist>(&etf::to_bytes(&path)?)?, path);
/// # Ok::<(), etf::ValueError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Charlist(pub String);

impl Serialize for Charlist {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.chars())
    }
}

impl<'de> Deserialize<'de> for Charlist {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl Serialize for Atom {
    /// Serializes to an atom in a term, and to text in any other format.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(ATOM, self.as_str())
    }
}

struct AtomVisitor;

impl<'de> Visitor<'de> for AtomVisitor {
    type Value = Atom;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an atom")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Atom, E> {
        Atom::new(name).map_err(E::custom)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, name: D) -> Result<Atom, D::Error> {
        name.deserialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Atom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(ATOM, AtomVisitor)
    }
}

/// A term as bytes, for [`TERM`].
struct Encoded(Bytes);

impl Serialize for Encoded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl Serialize for Term {
    /// Serializes to itself in a term, and to bytes in any other format.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.encode().map_err(S::Error::custom)?;
        serializer.serialize_newtype_struct(TERM, &Encoded(bytes.slice(1..)))
    }
}

struct TermVisitor;

impl<'de> Visitor<'de> for TermVisitor {
    type Value = Term;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a term")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Term, E> {
        let mut reader = Reader::new(bytes);
        let term = Term::read(&mut reader, &OWN).map_err(E::custom)?;
        reader.finish("term").map_err(E::custom)?;
        Ok(term)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, bytes: D) -> Result<Term, D::Error> {
        bytes.deserialize_bytes(self)
    }
}

impl<'de> Deserialize<'de> for Term {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TERM, TermVisitor)
    }
}

/// Types of terms that have no counterpart in Rust.
macro_rules! kinds_of_term {
    ($($kind:ty),*) => {$(
        impl Serialize for $kind {
            /// Serializes as [`Term`] does.
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Term::from(self.clone()).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::try_from(Term::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }
    )*};
}

kinds_of_term!(NodePid, NodePort, NodeReference, List, Map, Bits, Export, Fun);
