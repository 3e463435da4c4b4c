use bytes::Bytes;
use bytes::BytesMut;
use rustc_hash::FxHashMap;

use super::ConnectionError;
use crate::dist::PacketError;
use crate::dist::SEQUENCES_MAX;
use crate::wire::Content;

/// Reassembles the fragmented signals of one connection.
#[derive(Debug)]
pub(super) struct Inlet {
    underway: FxHashMap<u64, Partial>,
    /// Bytes of all fragments received so far. Their memory is at most twice as much.
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Partial {
    body: BytesMut,
    /// Fragments that are still missing.
    due: u64,
}

impl Inlet {
    /// For a connection that may have `bytes_max` bytes of fragments in reassembly.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            underway: FxHashMap::default(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Returns a signal if this completes one. A run is always complete.
    ///
    /// # Errors
    /// If a fragment is out of sequence, or the limit of bytes is exceeded.
    pub(super) fn take(&mut self, content: Content) -> Result<Option<Bytes>, ConnectionError> {
        match content {
            Content::Signal(body) | Content::Run(body) => Ok(Some(body)),
            Content::First {
                message,
                fragments,
                body,
            } => {
                self.grow(body.len())?;
                if self.underway.len() >= SEQUENCES_MAX {
                    return Err(PacketError::TooManySequences(SEQUENCES_MAX).into());
                }
                let partial = Partial {
                    body: BytesMut::from(body),
                    due: fragments.saturating_sub(1),
                };
                if partial.due == 0 || self.underway.insert(message, partial).is_some() {
                    return Err(PacketError::Sequence(message).into());
                }
                Ok(None)
            }
            Content::Next {
                message,
                remaining,
                body,
            } => {
                self.grow(body.len())?;
                let due = self.underway.get(&message).map_or(0, |partial| partial.due);
                let Some(partial) = self
                    .underway
                    .get_mut(&message)
                    .filter(|partial| partial.due == remaining)
                else {
                    return Err(PacketError::Fragment {
                        sequence: message,
                        expected: due,
                        found: remaining,
                    }
                    .into());
                };
                // The announced number of fragments is trusted as far as others have arrived.
                let missing = body
                    .len()
                    .saturating_mul(usize::try_from(remaining).unwrap_or(usize::MAX));
                partial.body.reserve(missing.min(partial.body.len()).max(body.len()));
                partial.body.extend_from_slice(&body);
                partial.due -= 1;
                if partial.due > 0 {
                    return Ok(None);
                }
                let whole = self.underway.remove(&message).map(|partial| partial.body.freeze());
                self.bytes -= whole.as_ref().map_or(0, Bytes::len);
                Ok(whole)
            }
        }
    }

    /// The memory of all that is incomplete, in bytes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.underway.values().map(|partial| partial.body.capacity()).sum()
    }

    fn grow(&mut self, bytes: usize) -> Result<(), ConnectionError> {
        self.bytes += bytes;
        if self.bytes > self.bytes_max {
            return Err(ConnectionError::Oversized(self.bytes_max));
        }
        Ok(())
    }
}
