use bytes::Bytes;
use bytes::BytesMut;
use rustc_hash::FxHashMap;

use crate::dist::FRAGMENT_SIZE;
use crate::dist::Format;
use crate::dist::PacketError;
use crate::dist::StreamEncoder;
use crate::endpoint::packets;
use crate::wire::Content;

/// Bytes of packets in one block, at most, unless it holds a single packet. A message that waits in a mailbox holds the whole block
/// that it came in.
pub(super) const BATCH_MAX: usize = 64 * 1024;

/// A packet longer than this has a block of its own. A term that has more than a quarter of its block holds the block even when
/// it is decoded (`external.c: dec_term`), so no term in a shared block does.
pub(super) const SHARED_MAX: usize = BATCH_MAX / 4;

/// Bytes of messages that are put together from their fragments at the same time on one circuit. Further messages are handed over
/// in fragments, which the VM puts together. The announced sizes count, so that announcing much gains a peer nothing.
pub(super) const WHOLE_MAX: usize = 32 * 1024 * 1024;

/// The length of a packet and the header of a complete signal.
const WHOLE_HEADER: usize = 4 + 3;

/// Memory of a VM.
pub trait Block: Sized {
    /// Allocates `size` bytes; `None` if there is not enough memory.
    fn allocate(size: usize) -> Option<Self>;

    /// All its bytes.
    fn bytes_mut(&mut self) -> &mut [u8];
}

/// Packets for the VM, each preceded by its length (4 bytes).
#[derive(Debug)]
pub struct Batch<B> {
    /// The memory.
    pub block: B,
    /// How many of its bytes are used, from its beginning.
    pub used: usize,
}

/// Writes signals as packets into blocks of a VM's memory.
#[derive(Debug)]
pub struct Incoming<B> {
    format: Format,
    encoder: StreamEncoder,
    /// Messages that are being put together.
    wholes: FxHashMap<u64, Whole<B>>,
    /// Bytes allocated for these.
    held: usize,
}

/// A message that is being put together from its fragments.
#[derive(Debug)]
struct Whole<B> {
    batch: Batch<B>,
    /// Fragments still to come.
    due: u64,
    /// Bytes allocated.
    size: usize,
}

/// What becomes of the content of a frame.
enum Put<B> {
    /// It is part of a message that is not complete.
    Kept,
    /// It completes a message.
    Complete(Batch<B>),
    /// It goes into a batch as it is.
    AsItIs,
}

impl<B: Block> Incoming<B> {
    /// For a connection that has completed its handshake.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            encoder: StreamEncoder::new(format),
            wholes: FxHashMap::default(),
            held: 0,
        }
    }

    /// Packets with these signals, in this order. A fragmented message comes with its last fragment, when a VM delivers it, in one
    /// packet: a VM would copy its fragments once more.
    ///
    /// # Errors
    /// If a fragment does not follow the previous one of its message, or memory is short. The connection must be closed then.
    pub fn batches(&mut self, contents: &[Content]) -> Result<Vec<Batch<B>>, PacketError> {
        let mut filling = Filling::default();
        for content in contents {
            match self.put_together(content)? {
                Put::Kept => {}
                Put::Complete(batch) => {
                    filling.close()?;
                    filling.batches.push(batch);
                }
                Put::AsItIs => self.append(content, &mut filling)?,
            }
        }
        filling.close()?;
        Ok(filling.batches)
    }

    fn append(&mut self, content: &Content, filling: &mut Filling<B>) -> Result<(), PacketError> {
        let body = content.body();
        let is_alone = body.len() > SHARED_MAX && !matches!(content, Content::Run(_));
        if is_alone || filling.size + body.len() > BATCH_MAX {
            filling.close()?;
        }
        let headers = filling.headers.len();
        packets::header(content, &mut self.encoder, &mut filling.headers)?;
        filling.add(filling.headers.len() - headers, body.clone());
        if is_alone {
            filling.close()?;
        }
        Ok(())
    }

    fn put_together(&mut self, content: &Content) -> Result<Put<B>, PacketError> {
        match *content {
            Content::First {
                message,
                fragments,
                ref body,
            } => self.begin(message, fragments, body),
            Content::Next {
                message,
                remaining,
                ref body,
            } => self.go_on(message, remaining, body),
            Content::Signal(_) | Content::Run(_) => Ok(Put::AsItIs),
        }
    }

    fn begin(&mut self, message: u64, fragments: u64, body: &[u8]) -> Result<Put<B>, PacketError> {
        let due = fragments.saturating_sub(1);
        let size = usize::try_from(due)
            .unwrap_or(usize::MAX)
            .saturating_mul(FRAGMENT_SIZE)
            .saturating_add(WHOLE_HEADER + body.len());
        let is_fit = self.format == Format::Header && due > 0 && !self.wholes.contains_key(&message);
        if !is_fit || self.held.saturating_add(size) > WHOLE_MAX {
            return Ok(Put::AsItIs);
        }
        let block = B::allocate(size).ok_or(PacketError::Memory)?;
        let batch = Batch {
            block,
            used: WHOLE_HEADER,
        };
        let mut whole = Whole { batch, due, size };
        whole.add(body)?;
        self.held += size;
        self.wholes.insert(message, whole);
        Ok(Put::Kept)
    }

    fn go_on(&mut self, message: u64, remaining: u64, body: &[u8]) -> Result<Put<B>, PacketError> {
        let Some(whole) = self.wholes.get_mut(&message) else {
            return Ok(Put::AsItIs);
        };
        if whole.due != remaining {
            return Err(PacketError::Fragment {
                sequence: message,
                expected: whole.due,
                found: remaining,
            });
        }
        whole.add(body)?;
        whole.due -= 1;
        if whole.due > 0 {
            return Ok(Put::Kept);
        }
        let Some(whole) = self.wholes.remove(&message) else {
            return Ok(Put::Kept);
        };
        self.held -= whole.size;
        Ok(Put::Complete(whole.complete(&self.encoder)))
    }
}

impl<B: Block> Whole<B> {
    fn add(&mut self, body: &[u8]) -> Result<(), PacketError> {
        let end = self.batch.used + body.len();
        let room = self.batch.block.bytes_mut().get_mut(self.batch.used..end);
        let room = room.ok_or(PacketError::Oversized {
            length: end as u64,
            limit: self.size as u64,
            hint: "; its fragments are longer than those of a node",
        })?;
        room.copy_from_slice(body);
        self.batch.used = end;
        Ok(())
    }

    fn complete(mut self, encoder: &StreamEncoder) -> Batch<B> {
        let mut header = BytesMut::with_capacity(WHOLE_HEADER);
        encoder.signal(self.batch.used - WHOLE_HEADER, &mut header);
        if let Some(room) = self.batch.block.bytes_mut().get_mut(..header.len()) {
            room.copy_from_slice(&header);
        }
        self.batch
    }
}

/// Batches that are being filled.
struct Filling<B> {
    batches: Vec<Batch<B>>,
    /// The headers of the open batch, one after another.
    headers: BytesMut,
    /// Its packets: how many bytes of header each has, and its body.
    packets: Vec<(usize, Bytes)>,
    /// Its size.
    size: usize,
}

impl<B> Default for Filling<B> {
    fn default() -> Self {
        Self {
            batches: Vec::new(),
            headers: BytesMut::new(),
            packets: Vec::new(),
            size: 0,
        }
    }
}

impl<B: Block> Filling<B> {
    fn add(&mut self, header: usize, body: Bytes) {
        self.size += header + body.len();
        self.packets.push((header, body));
    }

    /// Copies the open batch into a block.
    fn close(&mut self) -> Result<(), PacketError> {
        if self.size == 0 {
            return Ok(());
        }
        let used = std::mem::take(&mut self.size);
        let mut block = B::allocate(used).ok_or(PacketError::Memory)?;
        let mut room = block.bytes_mut();
        for (header, body) in self.packets.drain(..) {
            room = copy(&self.headers.split_to(header), room)?;
            room = copy(&body, room)?;
        }
        self.batches.push(Batch { block, used });
        Ok(())
    }
}

/// Copies bytes to the beginning of `room`, and returns the rest.
fn copy<'a>(bytes: &[u8], room: &'a mut [u8]) -> Result<&'a mut [u8], PacketError> {
    let (here, rest) = room.split_at_mut_checked(bytes.len()).ok_or(PacketError::Memory)?;
    here.copy_from_slice(bytes);
    Ok(rest)
}
