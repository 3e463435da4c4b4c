use std::borrow::Cow;

use super::Pid;
use super::Reference;
use super::TermError;
use super::config::ATOM_CHARACTERS_MAX;
use super::tag;
use crate::codec::Reader;

/// The text of an atom as encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtomText<'a> {
    text: &'a [u8],
    is_latin1: bool,
}

impl<'a> AtomText<'a> {
    /// The text in UTF-8. It is copied only if it is Latin-1 with non-ASCII characters.
    pub fn utf8(&self) -> Cow<'a, [u8]> {
        if self.is_latin1 && !self.text.is_ascii() {
            Cow::Owned(
                self.text
                    .iter()
                    .map(|byte| char::from(*byte))
                    .collect::<String>()
                    .into_bytes(),
            )
        } else {
            Cow::Borrowed(self.text)
        }
    }

    /// Checks what [`atom`] does not: that the text is UTF-8 of at most 255 characters. A VM closes the connection if
    /// it is not.
    pub fn check(&self) -> Result<(), TermError> {
        let characters = match str::from_utf8(self.text) {
            _ if self.is_latin1 => self.text.len(),
            Ok(text) => text.chars().count(),
            Err(error) => {
                return Err(TermError::Range {
                    what: "UTF-8 in an atom at byte offset",
                    value: error.valid_up_to() as u64,
                });
            }
        };
        if characters > ATOM_CHARACTERS_MAX {
            return Err(TermError::Range {
                what: "atom length in characters",
                value: characters as u64,
            });
        }
        Ok(())
    }
}

/// Whether the next term is an atom.
pub fn is_atom(reader: &Reader<'_>) -> bool {
    matches!(
        reader.peek(),
        Some(tag::ATOM | tag::SMALL_ATOM | tag::ATOM_UTF8 | tag::SMALL_ATOM_UTF8)
    )
}

/// Whether the next term is a pid.
pub fn is_pid(reader: &Reader<'_>) -> bool {
    matches!(reader.peek(), Some(tag::NEW_PID | tag::PID))
}

/// Whether the next term is a reference.
pub fn is_reference(reader: &Reader<'_>) -> bool {
    matches!(
        reader.peek(),
        Some(tag::NEWER_REFERENCE | tag::NEW_REFERENCE | tag::REFERENCE)
    )
}

/// Reads an atom. References to an atom cache are rejected, since beamway never offers one.
pub fn atom<'a>(reader: &mut Reader<'a>) -> Result<AtomText<'a>, TermError> {
    let tag = reader.u8("atom")?;
    let (length, is_latin1) = match tag {
        tag::SMALL_ATOM_UTF8 => (usize::from(reader.u8("atom length")?), false),
        tag::ATOM_UTF8 => (usize::from(reader.u16("atom length")?), false),
        tag::SMALL_ATOM => (usize::from(reader.u8("atom length")?), true),
        tag::ATOM => (usize::from(reader.u16("atom length")?), true),
        tag => {
            return Err(TermError::Tag {
                expected: "an atom",
                tag,
            });
        }
    };
    if length > 4 * ATOM_CHARACTERS_MAX {
        return Err(TermError::Range {
            what: "atom length in bytes",
            value: length as u64,
        });
    }
    let text = reader.take(length, "atom text")?;
    Ok(AtomText { text, is_latin1 })
}

/// Reads the identity of a pid. The node name is skipped.
pub fn pid(reader: &mut Reader<'_>) -> Result<Pid, TermError> {
    let tag = reader.u8("pid")?;
    if !matches!(tag, tag::NEW_PID | tag::PID) {
        return Err(TermError::Tag { expected: "a pid", tag });
    }
    atom(reader)?;
    Ok(Pid {
        id: reader.u32("pid id")?,
        serial: reader.u32("pid serial")?,
        creation: creation(reader, tag == tag::NEW_PID)?,
    })
}

/// Reads the identity of a reference. The node name is skipped.
pub fn reference(reader: &mut Reader<'_>) -> Result<Reference, TermError> {
    let tag = reader.u8("reference")?;
    let count = match tag {
        tag::NEWER_REFERENCE | tag::NEW_REFERENCE => usize::from(reader.u16("reference length")?),
        tag::REFERENCE => 1,
        tag => {
            return Err(TermError::Tag {
                expected: "a reference",
                tag,
            });
        }
    };
    atom(reader)?;
    if tag == tag::REFERENCE {
        let word = reader.u32("reference word")?;
        let creation = creation(reader, false)?;
        return Reference::new(creation, &[word]).ok_or(out_of_range(count));
    }
    let creation = creation(reader, tag == tag::NEWER_REFERENCE)?;
    let mut words = [0; Reference::WORDS_MAX];
    let used = words.get_mut(..count).ok_or(out_of_range(count))?;
    for word in used.iter_mut() {
        *word = reader.u32("reference word")?;
    }
    Reference::new(creation, used).ok_or(out_of_range(count))
}

const fn out_of_range(count: usize) -> TermError {
    TermError::Range {
        what: "reference length in words",
        value: count as u64,
    }
}

fn creation(reader: &mut Reader<'_>, is_wide: bool) -> Result<u32, TermError> {
    Ok(if is_wide {
        reader.u32("creation")?
    } else {
        reader.u8("creation")?.into()
    })
}

/// Reads a non-negative integer below 2^64.
pub fn unsigned(reader: &mut Reader<'_>) -> Result<u64, TermError> {
    match reader.u8("integer")? {
        tag::SMALL_INTEGER => Ok(reader.u8("integer")?.into()),
        tag::INTEGER => {
            let value = reader.u32("integer")?;
            i32::try_from(value)
                .map(|_| value.into())
                .map_err(|_| TermError::Range {
                    what: "negative integer, as 32 bits",
                    value: value.into(),
                })
        }
        tag::SMALL_BIG => {
            let digits = usize::from(reader.u8("integer length")?);
            let sign = reader.u8("integer sign")?;
            let digits = reader.take(digits, "integer digits")?;
            let mut value = [0; 8];
            match (sign, value.get_mut(..digits.len())) {
                (0, Some(low)) => low.copy_from_slice(digits),
                _ => {
                    return Err(TermError::Range {
                        what: "unsigned integer, length in bytes",
                        value: digits.len() as u64,
                    });
                }
            }
            Ok(u64::from_le_bytes(value))
        }
        tag => Err(TermError::Tag {
            expected: "an integer",
            tag,
        }),
    }
}

/// Reads a `SMALL_INTEGER` or an `INTEGER`.
pub(super) fn small_integer(reader: &mut Reader<'_>) -> Result<i64, TermError> {
    match reader.u8("integer")? {
        tag::SMALL_INTEGER => Ok(reader.u8("integer")?.into()),
        tag::INTEGER => Ok((reader.u32("integer")? as i32).into()),
        tag => Err(TermError::Tag {
            expected: "an integer of at most 32 bits",
            tag,
        }),
    }
}

/// Reads the low 64 bits of a non-negative integer of any size, for flags whose number may grow.
pub fn low_bits(reader: &mut Reader<'_>) -> Result<u64, TermError> {
    if reader.peek() != Some(tag::SMALL_BIG) {
        return unsigned(reader);
    }
    let mut ahead = *reader;
    ahead.u8("integer")?;
    let digits = usize::from(ahead.u8("integer length")?);
    if ahead.u8("integer sign")? != 0 {
        return unsigned(reader);
    }
    let digits = ahead.take(digits, "integer digits")?;
    *reader = ahead;
    Ok(digits
        .iter()
        .take(8)
        .rev()
        .fold(0, |value, digit| value << 8 | u64::from(*digit)))
}

/// Reads the arity of a small tuple. Its elements follow.
pub fn small_tuple(reader: &mut Reader<'_>) -> Result<u8, TermError> {
    match reader.u8("tuple")? {
        tag::SMALL_TUPLE => Ok(reader.u8("arity")?),
        tag => Err(TermError::Tag {
            expected: "a tuple",
            tag,
        }),
    }
}
