//! Reading the control stream.

use quinn::RecvStream;

use crate::trunk::TrunkError;
use crate::wire::Notice;
use crate::wire::NoticeDecoder;

/// The priority of the control stream: notices are sent before what is on the lanes.
pub(in crate::trunk) const CONTROL_PRIORITY: i32 = 2;

/// Reads notices from a control stream.
#[derive(Debug)]
pub struct NoticeReader {
    stream: RecvStream,
    decoder: NoticeDecoder,
}

impl NoticeReader {
    pub(in crate::trunk) fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            decoder: NoticeDecoder::default(),
        }
    }

    /// Returns the next notice and its number. Cancel-safe: bytes that have been read stay in the decoder.
    pub async fn read(&mut self) -> Result<(u64, Notice), TrunkError> {
        loop {
            if let Some(notice) = self.decoder.poll_notice()? {
                return Ok(notice);
            }
            match self.stream.read_chunk(usize::MAX, true).await? {
                Some(chunk) => self.decoder.push(&chunk.bytes),
                None => return Err(TrunkError::Ended("its control stream")),
            }
        }
    }
}
