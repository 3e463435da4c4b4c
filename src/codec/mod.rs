//! Rank 0: a cursor over bytes that cannot overrun, and its writer.
//!
//! Every parser of beamway reads through [`Reader`] and every encoder writes through [`Writer`], so none of them
//! indexes into a buffer. Multi-byte integers are big-endian in every protocol that beamway speaks. Variable-length
//! integers are those of QUIC (RFC 9000 §16).
//!
//! `buffers`: bytes that are written together, without a copy of large ones. `account`: who keeps how many bytes in memory.

mod account;
mod buffers;
mod error;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use account::Account;
pub use account::Charge;
pub use buffers::Buffers;
pub use buffers::OWN_BUFFER_MIN;
pub use error::CodecError;
pub use reader::Reader;
pub use writer::Writer;
