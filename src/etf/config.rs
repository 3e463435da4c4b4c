use super::TermError;

/// An atom has at most this many characters (`erl_ext_dist.md`), each of at most four bytes.
pub(super) const ATOM_CHARACTERS_MAX: usize = 255;

/// No term is nested deeper than this, whatever [`Limits`] say.
///
/// Decoding, parsing, encoding, comparing, printing and dropping an owned term recurse. A level takes at most 2.4 KB of
/// stack in a build without optimisation (measured), so all of them together 1.2 MB of the 2 MiB that Rust gives a thread;
/// optimised, 1 KB.
pub const DEPTH_MAX: usize = 512;

/// What a term from outside may cost before it is refused.
///
/// An element takes at least one byte on the wire and 40 in memory (a map's pair 80), so `elements` is what bounds
/// memory: the default is 4 Mi elements, at most 160 MiB. Each byte beyond belongs to a binary, an atom or an integer
/// and is kept once.
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
    /// Containers around a term, at most [`DEPTH_MAX`]; one that is empty is around nothing.
    pub depth: usize,
    /// Bytes of the encoded term, after inflating.
    pub size: usize,
    /// Elements of all containers together; a string's characters count.
    pub elements: usize,
    /// Bytes of one integer. Printing takes a time quadratic in it: a tenth of a second at the default.
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

/// What is left of [`Limits`] while one term is read.
#[derive(Debug)]
pub(super) struct Budget {
    depth: usize,
    elements: usize,
    integer: usize,
}

impl Budget {
    /// The whole of `limits`, for a term of `size` bytes.
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

    /// Takes `count` elements.
    pub(super) fn take(&mut self, count: usize) -> Result<(), TermError> {
        self.elements = self.elements.checked_sub(count).ok_or(TermError::Limit {
            what: "elements",
            limit: self.elements,
        })?;
        Ok(())
    }

    /// Goes one level down; [`Budget::leave`] comes back.
    pub(super) fn enter(&mut self) -> Result<(), TermError> {
        self.depth = self.depth.checked_sub(1).ok_or(TermError::Limit {
            what: "levels of nesting left",
            limit: 0,
        })?;
        Ok(())
    }

    /// Comes back from the level that [`Budget::enter`] went down to.
    pub(super) const fn leave(&mut self) {
        self.depth += 1;
    }

    /// Bytes that an integer may have.
    pub(super) const fn integer(&self) -> usize {
        self.integer
    }

    /// Refuses an integer of more than the bytes allowed.
    pub(super) const fn check_integer(&self, bytes: usize) -> Result<(), TermError> {
        if bytes > self.integer {
            return Err(TermError::Limit {
                what: "bytes of an integer",
                limit: self.integer,
            });
        }
        Ok(())
    }
}
