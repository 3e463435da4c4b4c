use bytes::Bytes;
use bytes::BytesMut;

use super::WireError;
use super::page::PAGED_MAX;
use super::page::Page;
use crate::codec::Account;
use crate::codec::Charge;
use crate::codec::CodecError;
use crate::codec::Reader;
use crate::codec::Writer;
use crate::dist::RUN_MAX;

/// The number of a lane, 0 … N−1. Each direction counts on its own.
pub type LaneId = u8;

/// The maximum number of lanes of a session in each direction.
pub const LANES_MAX: u8 = 64;

/// The number of a strand, 0 … [`STRANDS`] − 1. A strand carries, in order, what a circuit addresses to processes of
/// one hash.
pub type StrandId = u16;

/// The number of strands of a circuit in each direction, if the session has more than one lane. With one lane there is
/// one strand.
///
/// With 4096 strands, one in 1000 small calls shares its strand with one of four bulk transfers, and waits for
/// everything that the transfer has sent. More strands would cost each circuit memory: a long-lived circuit has used
/// all of them.
pub const STRANDS: u16 = 4096;

/// The maximum length of the body of a frame in bytes. It fits the largest packet of a node without fragments (16 MiB),
/// and the largest control term with the first part of its payload (16 MiB + 64 KiB). Frames of other nodes have about
/// 64 KiB.
pub const BODY_MAX: usize = 16 * 1024 * 1024 + 128 * 1024;

/// The number of bytes that a strand may send before it is the turn of the next one: as many as the longest run, so that no
/// strand waits for more than one full fragment or run of another.
pub const TURN: usize = RUN_MAX;

/// The maximum body of a small frame in bytes: most likely a call or its answer. Small frames may overtake bulk data of other
/// strands.
pub const SMALL: usize = 4 * 1024;

/// The maximum length of the head of a frame: one with a fence for each strand.
const HEAD_MAX: usize = 1 + 8 * 6 + STRANDS as usize * (2 + 8);

/// A head that is cut off by the end of a packet is read again after this many bytes at first: nearly all are shorter.
const START_STEP: usize = 64;

/// The first part of a body that did not arrive whole: most bodies are not longer.
const BODY_STEP: usize = 64 * 1024;

/// The number of frames for which there is room at most because the one before was small.
const ALIKE: usize = 255;

const KIND_MASK: u8 = 0x03;
const KIND_SIGNAL: u8 = 0;
const KIND_FIRST: u8 = 1;
const KIND_NEXT: u8 = 2;
const KIND_RUN: u8 = 3;
const FENCED: u8 = 0x04;
const KNOWN_BITS: u8 = KIND_MASK | FENCED;

/// A circuit of a session. Ids are not reused during a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CircuitId(pub u64);

impl CircuitId {
    /// No circuit has this id.
    pub const NONE: Self = Self(0);
}

impl std::fmt::Display for CircuitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies a frame within its circuit and direction. Also a fence: "deliver only after this frame".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameId {
    /// The strand.
    pub strand: StrandId,
    /// The position in the strand, counted from 1.
    pub number: u64,
}

/// The content of a frame. Bodies are unmodified bytes of the BEAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A complete signal: control term and payload.
    Signal(Bytes),
    /// Several complete messages with the same control term, as consecutive packets: at most [`RUN_MAX`] bytes.
    Run(Bytes),
    /// The first part of a fragmented signal: its whole control term and the start of its payload.
    First {
        /// Identifies the signal within its circuit and direction.
        message: u64,
        /// The total number of parts, at least 2.
        fragments: u64,
        /// The control term and the start of the payload.
        body: Bytes,
    },
    /// A later part of a fragmented signal.
    Next {
        /// The signal it belongs to.
        message: u64,
        /// The number of parts left, including this one: 1 is the last.
        remaining: u64,
        /// A part of the payload.
        body: Bytes,
    },
}

impl Content {
    /// The body of the frame.
    pub const fn body(&self) -> &Bytes {
        match self {
            Self::Signal(body) | Self::Run(body) | Self::First { body, .. } | Self::Next { body, .. } => body,
        }
    }

    /// The same, to be replaced by bytes of the same content.
    pub const fn body_mut(&mut self) -> &mut Bytes {
        match self {
            Self::Signal(body) | Self::Run(body) | Self::First { body, .. } | Self::Next { body, .. } => body,
        }
    }

    /// The cost of a frame in addition to its body. It bounds the number of empty messages, too.
    pub const KEEPING: u64 = 64;

    /// The cost of the largest frame in bytes. A credit may be overdrawn by at most this amount.
    pub const COST_MAX: u64 = BODY_MAX as u64 + Self::KEEPING;

    /// The amount that the frame is charged against the credit of its circuit, in bytes: its body and a fixed cost.
    pub fn cost(&self) -> u64 {
        self.body().len() as u64 + Self::KEEPING
    }
}

/// A unit on a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The circuit of the frame.
    pub circuit: CircuitId,
    /// The strand of the frame. The number of a frame is its position among the frames of its circuit and strand.
    pub strand: StrandId,
    /// The fences of the frame: at most one per strand.
    pub fences: Vec<FrameId>,
    /// The content of the frame.
    pub content: Content,
}

impl Frame {
    /// How much work it is to handle, where a frame without fences is one.
    pub const fn weight(&self) -> usize {
        1 + self.fences.len() / 8
    }
}

/// The head of a frame: everything before its body.
#[derive(Clone, Copy, Debug)]
pub struct FrameHead<'a> {
    /// The circuit of the frame.
    pub circuit: CircuitId,
    /// The strand of the frame.
    pub strand: StrandId,
    /// The fences of the frame.
    pub fences: &'a [FrameId],
    /// The content of the frame.
    pub content: &'a Content,
}

impl FrameHead<'_> {
    /// Appends the head. The caller appends the body.
    pub fn encode(&self, out: &mut BytesMut) {
        let (kind, numbers) = match *self.content {
            Content::Signal(_) => (KIND_SIGNAL, None),
            Content::Run(_) => (KIND_RUN, None),
            Content::First { message, fragments, .. } => (KIND_FIRST, Some((message, fragments))),
            Content::Next { message, remaining, .. } => (KIND_NEXT, Some((message, remaining))),
        };
        let mut writer = Writer::new(out);
        writer.u8(if self.fences.is_empty() { kind } else { kind | FENCED });
        writer.varint(self.circuit.0).varint(self.strand.into());
        if !self.fences.is_empty() {
            writer.varint(self.fences.len() as u64);
            for fence in self.fences {
                writer.varint(fence.strand.into()).varint(fence.number);
            }
        }
        if let Some((message, count)) = numbers {
            writer.varint(message).varint(count);
        }
        writer.varint(self.content.body().len() as u64);
    }
}

/// The kind of a frame and its numbers.
#[derive(Debug)]
enum Kind {
    Signal,
    Run,
    First { message: u64, fragments: u64 },
    Next { message: u64, remaining: u64 },
}

/// A decoded head, and the length of the body that follows.
#[derive(Debug)]
struct Announced {
    circuit: CircuitId,
    strand: StrandId,
    fences: Vec<FrameId>,
    kind: Kind,
    length: usize,
}

impl Announced {
    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let flags = reader.u8("frame kind")?;
        if flags & !KNOWN_BITS != 0 {
            return Err(not_allowed("frame kind", flags.into()));
        }
        let circuit = CircuitId(reader.varint("circuit")?);
        let strand = read_strand(reader, "strand")?;
        let fences = if flags & FENCED == 0 {
            Vec::new()
        } else {
            read_fences(reader)?
        };
        let kind = match flags & KIND_MASK {
            KIND_SIGNAL => Kind::Signal,
            KIND_RUN => Kind::Run,
            KIND_FIRST => Kind::First {
                message: reader.varint("message")?,
                fragments: reader.varint("fragments")?,
            },
            // KIND_NEXT: two bits identify four kinds.
            _ => Kind::Next {
                message: reader.varint("message")?,
                remaining: reader.varint("remaining fragments")?,
            },
        };
        let length = reader.varint("body length")?;
        let length = usize::try_from(length).map_err(|_| not_allowed("body length", length))?;
        Ok(Self {
            circuit,
            strand,
            fences,
            kind,
            length,
        })
    }

    /// # Errors
    /// If the body exceeds the limit of its kind.
    fn check(&self) -> Result<(), WireError> {
        let (what, limit) = match self.kind {
            Kind::Run => ("run", RUN_MAX),
            Kind::Signal | Kind::First { .. } | Kind::Next { .. } => ("frame body", BODY_MAX),
        };
        if self.length > limit {
            return Err(WireError::Oversized {
                what,
                length: self.length as u64,
                limit: limit as u64,
            });
        }
        Ok(())
    }

    fn with_body(self, body: Bytes) -> Frame {
        let content = match self.kind {
            Kind::Signal => Content::Signal(body),
            Kind::Run => Content::Run(body),
            Kind::First { message, fragments } => Content::First {
                message,
                fragments,
                body,
            },
            Kind::Next { message, remaining } => Content::Next {
                message,
                remaining,
                body,
            },
        };
        Frame {
            circuit: self.circuit,
            strand: self.strand,
            fences: self.fences,
            content,
        }
    }
}

const fn not_allowed(what: &'static str, value: u64) -> CodecError {
    CodecError::Value { what, value }
}

fn read_strand(reader: &mut Reader<'_>, what: &'static str) -> Result<StrandId, CodecError> {
    let strand = reader.varint(what)?;
    StrandId::try_from(strand)
        .ok()
        .filter(|strand| *strand < STRANDS)
        .ok_or(not_allowed(what, strand))
}

fn read_fences(reader: &mut Reader<'_>) -> Result<Vec<FrameId>, CodecError> {
    let count = reader.varint("fence count")?;
    if count == 0 || count > STRANDS.into() {
        return Err(not_allowed("fence count", count));
    }
    (0..count)
        .map(|_| {
            Ok(FrameId {
                strand: read_strand(reader, "fence strand")?,
                number: reader.varint("fence number")?,
            })
        })
        .collect()
}

/// Writes the header of a lane's stream: the lane, and the number of its first frame.
pub fn lane_header(lane: LaneId, first: u64, out: &mut BytesMut) {
    Writer::new(out).u8(lane).varint(first);
}

/// Decodes the stream of one lane into its header and frames.
///
/// Each body is copied out of the buffer in which it arrived: one that waits for its node would keep all of that buffer, so that
/// a few small ones could keep a thousand times their size. Small bodies that come together share a page.
#[derive(Debug)]
pub struct FrameDecoder {
    /// The beginning of a head, or of the lane's header.
    start: Vec<u8>,
    /// A frame whose head is complete, and the part of its body that has arrived.
    partial: Option<(Announced, Vec<u8>)>,
    /// The memory of both.
    charge: Charge,
    page: Page,
}

impl Default for FrameDecoder {
    fn default() -> Self {
        Self::new(&Account::default())
    }
}

impl FrameDecoder {
    /// Creates a decoder that counts what is incomplete in `account`.
    pub fn new(account: &Account) -> Self {
        Self {
            start: Vec::new(),
            partial: None,
            charge: account.charge(0),
            page: Page::new(account),
        }
    }

    /// Takes the header of the stream from `input`, once it is complete. Call this before [`decode`](Self::decode).
    ///
    /// # Errors
    /// If it is malformed.
    pub fn header(&mut self, input: &mut &[u8]) -> Result<Option<(LaneId, u64)>, WireError> {
        self.start_with(input, |bytes| {
            let mut reader = Reader::new(bytes);
            let read = |reader: &mut Reader<'_>| Ok((reader.u8("lane")?, reader.varint("first frame")?));
            match read(&mut reader) {
                Ok(header) => Ok(Some((header, bytes.len() - reader.len()))),
                Err(CodecError::Truncated { .. }) => Ok(None),
                Err(source) => Err(WireError::Malformed {
                    what: "lane header",
                    source,
                }),
            }
        })
    }

    /// Takes frames from `input` until nothing is left of it, or their [weight](Frame::weight) is `most`. Returns their weight. If a
    /// part of the last one is missing, continues with the next input.
    ///
    /// # Errors
    /// If the bytes are malformed, or the body is longer than [`BODY_MAX`], or [`RUN_MAX`] for a run.
    pub fn decode(&mut self, input: &mut &[u8], frames: &mut Vec<Frame>, most: usize) -> Result<usize, WireError> {
        let outcome = self.fill(input, frames, most);
        self.give(frames);
        outcome
    }

    fn fill(&mut self, input: &mut &[u8], frames: &mut Vec<Frame>, most: usize) -> Result<usize, WireError> {
        let mut weight = 0;
        let mut before = input.len();
        while weight < most
            && let Some(frame) = self.next(input, frames.len())?
        {
            weight += frame.weight();
            if frames.len() == frames.capacity() {
                // Most frames that come together are alike.
                let alike = input.len() / (before - input.len()).max(1);
                frames.reserve(1 + alike.min(ALIKE));
            }
            before = input.len();
            frames.push(frame);
            if self.page.is_full() {
                self.give(frames);
            }
        }
        Ok(weight)
    }

    fn give(&mut self, frames: &mut [Frame]) {
        self.page.give(|place, body| {
            if let Some(frame) = frames.get_mut(place) {
                *frame.content.body_mut() = body;
            }
        });
    }

    /// The next frame, which will be the one at this place. It lacks its body if that goes to the page.
    fn next(&mut self, input: &mut &[u8], place: usize) -> Result<Option<Frame>, WireError> {
        if self.partial.is_none() {
            let Some(announced) = self.start_with(input, read_head)? else {
                return Ok(None);
            };
            if let Some((body, rest)) = input.split_at_checked(announced.length) {
                *input = rest;
                let body = if body.len() <= PAGED_MAX {
                    self.page.add(body, place);
                    Bytes::new()
                } else {
                    Bytes::copy_from_slice(body)
                };
                return Ok(Some(announced.with_body(body)));
            }
            self.partial = Some((announced, Vec::new()));
        }
        let Some((announced, body)) = &mut self.partial else {
            return Ok(None);
        };
        let missing = announced.length - body.len();
        let (part, rest) = input.split_at(missing.min(input.len()));
        *input = rest;
        grow(body, part.len(), announced.length);
        body.extend_from_slice(part);
        if body.len() < announced.length {
            let fences = announced.fences.capacity() * size_of::<FrameId>();
            self.charge.set((body.capacity() + fences) as u64);
            return Ok(None);
        }
        let whole = self.partial.take();
        self.charge.set(0);
        Ok(whole.map(|(announced, body)| announced.with_body(body.into())))
    }

    /// Reads from what there was and `input`, which loses what was read, or all if it is not enough.
    fn start_with<T>(
        &mut self,
        input: &mut &[u8],
        read: impl Fn(&[u8]) -> Result<Option<(T, usize)>, WireError>,
    ) -> Result<Option<T>, WireError> {
        if self.start.is_empty()
            && let Some((found, length)) = read(input)?
        {
            *input = input.get(length..).unwrap_or_default();
            return Ok(Some(found));
        }
        while !input.is_empty() {
            let before = self.start.len();
            // Each step is as long as all before: a long head is not read again and again.
            let (step, rest) = input.split_at(before.max(START_STEP).min(input.len()));
            self.start.extend_from_slice(step);
            if let Some((found, length)) = read(&self.start)? {
                *input = input.get(length - before..).unwrap_or_default();
                self.start = Vec::new();
                self.charge.set(0);
                return Ok(Some(found));
            }
            *input = rest;
        }
        self.charge.set(self.start.capacity() as u64);
        Ok(None)
    }
}

/// Reads a head, and tells its length. `None` if a part of it is missing.
fn read_head(bytes: &[u8]) -> Result<Option<(Announced, usize)>, WireError> {
    let mut reader = Reader::new(bytes);
    let announced = match Announced::read(&mut reader) {
        Ok(announced) => announced,
        Err(CodecError::Truncated { .. }) if bytes.len() < HEAD_MAX => return Ok(None),
        Err(source) => return Err(WireError::Malformed { what: "frame", source }),
    };
    announced.check()?;
    Ok(Some((announced, bytes.len() - reader.len())))
}

/// Makes room for `more` bytes of a body. It grows with what has arrived, since a length is easily announced, and ends with
/// exactly `length`.
fn grow(body: &mut Vec<u8>, more: usize, length: usize) {
    let needed = body.len() + more;
    if needed > body.capacity() {
        let size = (body.capacity() * 2).max(BODY_STEP).max(needed).min(length);
        body.reserve_exact(size - body.len());
    }
}
