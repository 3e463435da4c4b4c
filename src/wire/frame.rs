use bytes::Buf;
use bytes::Bytes;
use bytes::BytesMut;

use super::WireError;
use crate::codec::CodecError;
use crate::codec::Reader;
use crate::codec::Writer;
use crate::dist::RUN_MAX;

/// A lane of a session, 0 … N−1, each direction on its own.
pub type LaneId = u8;

/// A session has at most this many lanes in each direction.
pub const LANES_MAX: u8 = 64;

/// A strand of a circuit, 0 … [`STRANDS`] − 1: what is addressed to processes of one hash, in order.
pub type StrandId = u16;

/// Strands of a circuit, in each direction, when a session has more than one lane; with one lane there is one.
///
/// Of 4096 one in 1000 small calls shares its strand with one of four bulk transfers, and waits for all that it has sent. More
/// would cost each circuit memory: one that has lived for long has used them all.
pub const STRANDS: u16 = 4096;

/// The longest body of a frame, in bytes: the largest packet of a node without fragments (16 MiB), and the largest
/// control term with the first part of its payload (16 MiB + 64 KiB). Frames of other nodes stay near 64 KiB.
pub const BODY_MAX: usize = 16 * 1024 * 1024 + 128 * 1024;

/// Bytes that one strand sends before the next one has its turn: as many as the longest run, so that a full fragment, or a
/// run, never makes others wait for a second one.
pub const TURN: usize = RUN_MAX;

/// A frame of at most so many bytes is small: a call or its answer, most likely. It goes first where others have bulk.
pub const SMALL: usize = 4 * 1024;

/// The longest head of a frame: one with a fence for each strand.
const HEAD_MAX: usize = 1 + 8 * 6 + STRANDS as usize * (2 + 8);

/// Bytes allocated at once for what arrives: many frames share one buffer.
const BUFFER: usize = 64 * 1024;

const KIND_MASK: u8 = 0x03;
const KIND_SIGNAL: u8 = 0;
const KIND_FIRST: u8 = 1;
const KIND_NEXT: u8 = 2;
const KIND_RUN: u8 = 3;
const FENCED: u8 = 0x04;
const KNOWN_BITS: u8 = KIND_MASK | FENCED;

/// One circuit of a session. Never reused while the session lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CircuitId(pub u64);

impl std::fmt::Display for CircuitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a frame within its circuit and direction. As a fence it says "only after this one".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameId {
    /// Its strand.
    pub strand: StrandId,
    /// Its place in the strand, from 1.
    pub number: u64,
}

/// What a frame carries of a signal; the bodies are bytes of the BEAM, untouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A whole signal: control term and payload.
    Signal(Bytes),
    /// Several whole messages with the same control term, as their packets followed one another: at most [`RUN_MAX`] bytes.
    Run(Bytes),
    /// The first part of a signal in fragments: its whole control term and the start of its payload.
    First {
        /// Names the signal within its circuit and direction.
        message: u64,
        /// How many parts there are, this one included; at least 2.
        fragments: u64,
        /// Control term and start of the payload.
        body: Bytes,
    },
    /// A later part.
    Next {
        /// The signal it belongs to.
        message: u64,
        /// How many parts are left, this one included: 1 is the last.
        remaining: u64,
        /// Payload.
        body: Bytes,
    },
}

impl Content {
    /// The bytes carried.
    pub const fn body(&self) -> &Bytes {
        match self {
            Self::Signal(body) | Self::Run(body) | Self::First { body, .. } | Self::Next { body, .. } => body,
        }
    }

    /// What any frame costs on top of its body, so that a flood of empty messages is bounded too.
    pub const KEEPING: u64 = 64;

    /// What the largest frame costs, in bytes: by so much a credit may be overdrawn.
    pub const COST_MAX: u64 = BODY_MAX as u64 + Self::KEEPING;

    /// What the frame costs of its circuit's credit, in bytes: its body, and a flat sum for keeping it.
    pub fn cost(&self) -> u64 {
        self.body().len() as u64 + Self::KEEPING
    }
}

/// One unit on a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The circuit it belongs to.
    pub circuit: CircuitId,
    /// Its strand; its number is its place among the frames of circuit and strand.
    pub strand: StrandId,
    /// What it waits for; at most one fence a strand.
    pub fences: Vec<FrameId>,
    /// What it carries.
    pub content: Content,
}

/// Everything of a frame that stands before its body.
#[derive(Clone, Copy, Debug)]
pub struct FrameHead<'a> {
    /// The circuit it belongs to.
    pub circuit: CircuitId,
    /// Its strand.
    pub strand: StrandId,
    /// What it waits for.
    pub fences: &'a [FrameId],
    /// What it carries.
    pub content: &'a Content,
}

impl FrameHead<'_> {
    /// Appends the head; the caller appends the body.
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

/// The kind of a frame with the numbers that belong to it.
enum Kind {
    Signal,
    Run,
    First { message: u64, fragments: u64 },
    Next { message: u64, remaining: u64 },
}

/// A head as it was read, with the length of the body that follows.
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
            // KIND_NEXT: two bits name four kinds.
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
    /// If the body is longer than any of its kind.
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

/// What opens a lane's stream: the lane, and the number of the first frame on it.
pub fn lane_header(lane: LaneId, first: u64, out: &mut BytesMut) {
    Writer::new(out).u8(lane).varint(first);
}

/// Cuts the bytes of one lane's stream into its header and frames.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: BytesMut,
}

impl FrameDecoder {
    /// Adds bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.buffer.capacity() - self.buffer.len() < bytes.len() {
            self.buffer.reserve(bytes.len().max(BUFFER));
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The header of the stream, once it is complete; read it before any frame.
    pub fn header(&mut self) -> Result<Option<(LaneId, u64)>, WireError> {
        let mut reader = Reader::new(&self.buffer);
        let read = |reader: &mut Reader<'_>| Ok((reader.u8("lane")?, reader.varint("first frame")?));
        match read(&mut reader) {
            Ok(header) => {
                let used = self.buffer.len() - reader.len();
                let _ = self.buffer.split_to(used);
                Ok(Some(header))
            }
            Err(CodecError::Truncated { .. }) => Ok(None),
            Err(source) => Err(WireError::Malformed {
                what: "lane header",
                source,
            }),
        }
    }

    /// The next whole frame, if it has arrived.
    ///
    /// # Errors
    /// If the bytes are no frame, or its body is longer than [`BODY_MAX`], or than [`RUN_MAX`] for a run.
    pub fn poll_frame(&mut self) -> Result<Option<Frame>, WireError> {
        let mut reader = Reader::new(&self.buffer);
        let announced = match Announced::read(&mut reader) {
            Ok(announced) => announced,
            Err(CodecError::Truncated { .. }) if self.buffer.len() < HEAD_MAX => return Ok(None),
            Err(source) => return Err(WireError::Malformed { what: "frame", source }),
        };
        announced.check()?;
        if reader.len() < announced.length {
            let missing = announced.length - reader.len();
            self.buffer.reserve(missing);
            return Ok(None);
        }
        let head = self.buffer.len() - reader.len();
        self.buffer.advance(head);
        let body = self.buffer.split_to(announced.length).freeze();
        Ok(Some(announced.with_body(body)))
    }
}
