use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;
use std::ops::Deref;
use std::sync::Arc;

use super::TermError;
use super::config::ATOM_CHARACTERS_MAX;
use super::quote;

/// Texts up to this many bytes are stored inline: nearly all atoms and most node names.
pub(super) const IN_PLACE_MAX: usize = 22;

/// An atom: a name of at most 255 characters.
///
/// Atoms are not interned. An atom stores its text: inline up to 22 bytes, otherwise in memory shared between clones.
/// So atoms made up by an untrusted sender are freed with the terms that hold them.
///
/// ```
/// use beamway::etf::Atom;
///
/// const OK: Atom = Atom::literal("ok");
/// assert_eq!(Atom::new("ok")?, OK);
/// assert_eq!(OK, *"ok");
/// assert_eq!(Atom::literal("Not plain").to_string(), "'Not plain'");
/// assert!(Atom::new(&"x".repeat(256)).is_err());
/// # Ok::<(), beamway::etf::TermError>(())
/// ```
#[derive(Clone)]
pub struct Atom(Text);

#[derive(Clone)]
enum Text {
    InPlace { length: u8, bytes: [u8; IN_PLACE_MAX] },
    Literal(&'static str),
    Shared(Arc<str>),
}

impl Atom {
    /// Creates the atom with this name.
    ///
    /// # Errors
    /// If the name has more than 255 characters.
    pub fn new(name: &str) -> Result<Self, TermError> {
        if name.len() > ATOM_CHARACTERS_MAX && name.chars().count() > ATOM_CHARACTERS_MAX {
            return Err(TermError::Range {
                what: "atom length in characters",
                value: name.chars().count() as u64,
            });
        }
        Ok(Self::checked(name))
    }

    /// Creates an atom whose name is known to be short enough.
    pub(super) fn checked(name: &str) -> Self {
        let mut bytes = [0; IN_PLACE_MAX];
        Self(match bytes.get_mut(..name.len()) {
            Some(place) => {
                place.copy_from_slice(name.as_bytes());
                Text::InPlace {
                    length: name.len() as u8,
                    bytes,
                }
            }
            None => Text::Shared(name.into()),
        })
    }

    /// Creates an atom from a string literal, without a copy.
    ///
    /// # Panics
    /// If the name has more than 255 bytes. In a `const`, and so in [`term!`](crate::term), this is a compile-time
    /// error.
    pub const fn literal(name: &'static str) -> Self {
        assert!(name.len() <= ATOM_CHARACTERS_MAX, "an atom has at most 255 characters");
        if name.len() > IN_PLACE_MAX {
            return Self(Text::Literal(name));
        }
        let mut bytes = [0; IN_PLACE_MAX];
        let (mut places, mut text): (&mut [u8], &[u8]) = (&mut bytes, name.as_bytes());
        while let (Some((place, more)), Some((byte, rest))) = (places.split_first_mut(), text.split_first()) {
            *place = *byte;
            (places, text) = (more, rest);
        }
        Self(Text::InPlace {
            length: name.len() as u8,
            bytes,
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // It was a `str` when it was stored.
            Text::InPlace { .. } => str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Text::Literal(name) => name,
            Text::Shared(name) => name,
        }
    }

    /// The name in UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::InPlace { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or(bytes),
            Text::Literal(name) => name.as_bytes(),
            Text::Shared(name) => name.as_bytes(),
        }
    }

    /// The inline buffer, padded, and the length of the text; `None` if the text is not stored inline.
    pub(super) const fn in_place(&self) -> Option<(&[u8; IN_PLACE_MAX], u8)> {
        match &self.0 {
            Text::InPlace { length, bytes } => Some((bytes, *length)),
            Text::Literal(_) | Text::Shared(_) => None,
        }
    }
}

impl From<&'static str> for Atom {
    /// [`Atom::literal`].
    fn from(name: &'static str) -> Self {
        Self::literal(name)
    }
}

impl From<&Self> for Atom {
    fn from(atom: &Self) -> Self {
        atom.clone()
    }
}

impl From<bool> for Atom {
    fn from(value: bool) -> Self {
        Self::literal(if value { "true" } else { "false" })
    }
}

impl Deref for Atom {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Atom {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Atom {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Atom {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Atom {}

impl PartialEq<str> for Atom {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Hash for Atom {
    /// Hashes like a `str`, so that a table keyed by atoms can be queried with one.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for Atom {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Atom {
    /// Compares by code points, as Erlang does. UTF-8 preserves that order.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Display for Atom {
    /// Formats the atom as Erlang prints it, quoted where necessary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quote::atom(f, self.as_str())
    }
}

impl fmt::Debug for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
