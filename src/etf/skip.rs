use super::TermError;
use super::read::atom;
use super::read::pid;
use super::read::reference;
use super::tag;
use crate::codec::CodecError;
use crate::codec::Reader;

/// Skips one whole term.
///
/// It does not recurse: it counts the terms still to skip. Each element lowers the count, and each container raises it.
/// The size of a container is checked against the bytes left, since every element takes at least one byte: a container
/// that claims more elements is rejected as truncated before any of them is read. A local fun is walked by its
/// structure, as the VM does (`external.c: dec_term`), and not skipped by its size field: both must agree on where a
/// control term ends.
pub fn skip(reader: &mut Reader<'_>) -> Result<(), TermError> {
    let mut left: u64 = 1;
    while left > 0 {
        left -= 1;
        let elements = skip_one(reader)?;
        left += elements;
        if left > reader.len() as u64 {
            return Err(TermError::Codec(CodecError::Truncated {
                what: "elements of a term",
                needed: usize::try_from(left).unwrap_or(usize::MAX),
                left: reader.len(),
            }));
        }
    }
    Ok(())
}

/// Skips a term up to its elements. Returns the number of terms that follow and belong to it.
pub(super) fn skip_one(reader: &mut Reader<'_>) -> Result<u64, TermError> {
    let Some(tag) = reader.peek() else {
        reader.u8("term")?;
        return Ok(0);
    };
    match tag {
        tag::ATOM | tag::SMALL_ATOM | tag::ATOM_UTF8 | tag::SMALL_ATOM_UTF8 => {
            atom(reader)?;
            return Ok(0);
        }
        tag::NEW_PID | tag::PID => {
            pid(reader)?;
            return Ok(0);
        }
        tag::NEWER_REFERENCE | tag::NEW_REFERENCE | tag::REFERENCE => {
            reference(reader)?;
            return Ok(0);
        }
        _ => {}
    }
    reader.u8("term")?;
    let bytes = match tag {
        tag::NIL => 0,
        tag::SMALL_INTEGER => 1,
        tag::INTEGER => 4,
        tag::NEW_FLOAT => 8,
        tag::FLOAT => 31,
        tag::STRING => u64::from(reader.u16("string length")?),
        tag::BINARY => u64::from(reader.u32("binary length")?),
        tag::BIT_BINARY => u64::from(reader.u32("bit string length")?) + 1,
        tag::SMALL_BIG => u64::from(reader.u8("integer length")?) + 1,
        tag::LARGE_BIG => u64::from(reader.u32("integer length")?) + 1,
        tag::NEW_PORT | tag::PORT | tag::V4_PORT => {
            atom(reader)?;
            match tag {
                tag::NEW_PORT => 8,
                tag::PORT => 5,
                _ => 12,
            }
        }
        tag::NEW_FUN => return fun(reader),
        tag::SMALL_TUPLE => return Ok(reader.u8("arity")?.into()),
        tag::LARGE_TUPLE => return Ok(reader.u32("arity")?.into()),
        tag::LIST => return Ok(u64::from(reader.u32("list length")?) + 1),
        tag::MAP => return Ok(u64::from(reader.u32("map size")?) * 2),
        tag::EXPORT => return Ok(3),
        tag::RECORD => {
            return Err(TermError::Tag {
                expected: "a term allowed in a control term",
                tag,
            });
        }
        tag => {
            return Err(TermError::Tag {
                expected: "a term",
                tag,
            });
        }
    };
    reader.take(usize::try_from(bytes).unwrap_or(usize::MAX), "term")?;
    Ok(0)
}

/// Skips `Size:32 Arity:8 Uniq:128 Index:32 NumFree:32`; module, old index, old uniq, pid and the free variables
/// follow.
fn fun(reader: &mut Reader<'_>) -> Result<u64, TermError> {
    reader.take(4 + 1 + 16 + 4, "fun")?;
    Ok(4 + u64::from(reader.u32("free variables of a fun")?))
}
