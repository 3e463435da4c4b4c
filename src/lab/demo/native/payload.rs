use std::sync::Arc;

use bytes::Bytes;
use md5::Digest as _;
use md5::Md5;

/// A prime close to 1 MB: rotations of such a block never line up with fragments or chunks of 2^n bytes, so pieces that
/// are swapped on the way cannot go unnoticed.
const BLOCK: usize = 1_000_003;

/// What payloads are cut from, the same on every node: MD5 of this number and 0, of this number and 1, and so on.
const SEED: u32 = 4471;

/// Makes payloads.
#[derive(Clone)]
pub(super) struct Payloads {
    block: Arc<[u8]>,
}

impl Payloads {
    pub(super) fn new() -> Self {
        let sums = (0..u32::MAX).flat_map(|number| {
            let mut sum = Md5::new();
            sum.update(SEED.to_be_bytes());
            sum.update(number.to_be_bytes());
            <[u8; 16]>::from(sum.finalize())
        });
        Self {
            block: sums.take(BLOCK).collect(),
        }
    }

    /// The same bytes for the same arguments, others for others.
    pub(super) fn make(&self, seed: u64, which: u64, size: u64) -> Bytes {
        let offset = (seed * 7919 + which * 104_729) % BLOCK as u64;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let (head, tail) = self.block.split_at(usize::try_from(offset).unwrap_or_default());
        let mut payload = Vec::with_capacity(size);
        for part in [tail, head].into_iter().cycle() {
            let left = size - payload.len();
            if left == 0 {
                break;
            }
            payload.extend(part.iter().take(left));
        }
        payload.into()
    }

    /// The two that a sender of streams takes in turn.
    pub(super) fn two(&self, seed: u64, size: u64) -> [Bytes; 2] {
        [self.make(seed, 0, size), self.make(seed, 1, size)]
    }
}

/// MD5 as sixteen bytes in hexadecimal digits, made on a thread where it holds nobody up.
pub(super) async fn checksum(bytes: Bytes) -> anyhow::Result<String> {
    let sum = tokio::task::spawn_blocking(move || Md5::digest(&bytes)).await?;
    Ok(sum.iter().map(|byte| format!("{byte:02X}")).collect())
}
