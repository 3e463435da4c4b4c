//! Rank 0: a cursor over bytes that cannot overrun, and its writer.
//!
//! Every parser of beamway reads through [`Reader`] and every encoder writes through [`Writer`], so neither holds an
//! index of its own. Multi-byte integers are big-endian, as on every wire beamway speaks; variable-length integers are
//! those of QUIC (RFC 9000 §16).

mod buffers;
mod error;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use buffers::Buffers;
pub use buffers::OWN_BUFFER_MIN;
pub use error::CodecError;
pub use reader::Reader;
pub use writer::Writer;
