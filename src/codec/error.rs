use thiserror::Error;

/// Why bytes could not be decoded.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CodecError {
    /// Fewer bytes are left than the item needs.
    #[error("truncated {what}: needs {needed} bytes, {left} left")]
    Truncated {
        /// The item that was being read.
        what: &'static str,
        /// The number of bytes it needs.
        needed: usize,
        /// The number of bytes left.
        left: usize,
    },
    /// Bytes follow the last item.
    #[error("{left} unexpected bytes after the {what}")]
    Trailing {
        /// The structure that should have ended.
        what: &'static str,
        /// The number of bytes that follow it.
        left: usize,
    },
    /// The value is out of range.
    #[error("invalid {what}: {value}")]
    Value {
        /// The item that was being read.
        what: &'static str,
        /// The value found.
        value: u64,
    },
}
