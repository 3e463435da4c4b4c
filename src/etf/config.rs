use super::TermError;

/// An atom has at most this many characters (`erl_ext_dist.md`), each of at most four bytes.
pub(super) const ATOM_CHARACTERS_MAX: usize = 255;

/// The maximum nesting depth of a term, whatever [`Limits`] say.
///
/// Decoding, parsing, encoding, comparing, printing and dropping a [`Term`](super::Term) recurse. One level takes at
/// most 2.4 KB of stack in an unoptimised build (measured), so the maximum depth takes 1.2 MB of the 2 MiB that Rust
/// gives a thread. Optimised builds take 1 KB per level.
pub const DEPTH_MAX: usize = 512;

/// Limits on the cost of a term from an untrusted source.
///
/// An element takes at least one byte on the wire and 40 bytes in memory (a pair of a map takes 80), so `elements`
/// bounds memory: the default is 4 Mi elements, at most 160 MiB. All other bytes belong to binaries, atoms or integers
/// and are stored once.
///
/// ```
/// use beamway::etf::{Limits, Term};
///
/// let narrow = Limits { depth: 2, ..Limits::default() };
/// assert!(Term::decode_within(b"\x83h\x01h\x01a\x07", &narrow).is_ok());
/// assert!(Term::decode_within(b"\x83h\x01h\x01h\x01a\x07", &narrow).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nesting depth, at most [`DEPTH_MAX`]. Empty containers do not count.
    pub depth: usize,
    /// Bytes of the encoded term, after decompression.
    pub size: usize,
    /// Elements of all containers together, including the characters of strings.
    pub elements: usize,
    /// Bytes of one integer. The time to print an integer is quadratic in its size: a tenth of a second at the default.
    pub integer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 256,
            size: 64 << 20,
            elements: 4 << 20,
            integer: 64 << 10,
        }
    }
}

/// The part of [`Limits`] that is left while one term is read.
#[derive(Debug)]
pub(super) struct Budget {
    depth: usize,
    elements: usize,
    integer: usize,
}

impl Budget {
    /// Starts with all of `limits`, for a term of `size` bytes.
    pub(super) fn new(limits: &Limits, size: usize) -> Result<Self, TermError> {
        if size > limits.size {
            return Err(TermError::Limit {
                what: "bytes",
                limit: limits.size,
            });
        }
        Ok(Self {
            depth: limits.depth.min(DEPTH_MAX),
            elements: limits.elements,
            integer: limits.integer,
        })
    }

    /// Takes `count` elements from the budget.
    pub(super) fn take(&mut self, count: usize) -> Result<(), TermError> {
        self.elements = self.elements.checked_sub(count).ok_or(TermError::Limit {
            what: "elements",
            limit: self.elements,
        })?;
        Ok(())
    }

    /// Enters a nested level. [`Budget::leave`] is the counterpart.
    pub(super) fn enter(&mut self) -> Result<(), TermError> {
        self.depth = self.depth.checked_sub(1).ok_or(TermError::Limit {
            what: "further levels of nesting",
            limit: 0,
        })?;
        Ok(())
    }

    /// Leaves a level entered with [`Budget::enter`].
    pub(super) const fn leave(&mut self) {
        self.depth += 1;
    }

    /// The maximum number of bytes of an integer.
    pub(super) const fn integer(&self) -> usize {
        self.integer
    }

    /// Fails if an integer of `bytes` exceeds the limit.
    pub(super) const fn check_integer(&self, bytes: usize) -> Result<(), TermError> {
        if bytes > self.integer {
            return Err(TermError::Limit {
                what: "bytes per integer",
                limit: self.integer,
            });
        }
        Ok(())
    }
}
