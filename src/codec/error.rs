use thiserror::Error;

/// Why bytes could not be read as what they should be.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CodecError {
    /// Fewer bytes are left than the item needs.
    #[error("{what}: {needed} bytes wanted, {left} left")]
    Truncated {
        /// The item that was being read.
        what: &'static str,
        /// How many bytes it needs.
        needed: usize,
        /// How many bytes were left.
        left: usize,
    },
    /// Bytes are left after the last item.
    #[error("{what}: {left} bytes too many")]
    Trailing {
        /// The structure that should have ended.
        what: &'static str,
        /// How many bytes follow it.
        left: usize,
    },
    /// A value is outside what the item allows.
    #[error("{what}: {value} is not allowed")]
    Value {
        /// The item that was being read.
        what: &'static str,
        /// The value found.
        value: u64,
    },
}
