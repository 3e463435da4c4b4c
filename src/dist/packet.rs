use bytes::Buf;
use bytes::Bytes;
use bytes::BytesMut;
use rustc_hash::FxHashMap;

use super::Format;
use super::PacketError;
use super::control::scan_first;
use super::format::HEADER;
use super::format::PASS_THROUGH;
use super::format::VERSION;
use super::run;
use crate::codec::CodecError;
use crate::codec::Reader;
use crate::codec::Writer;

/// A BEAM cuts messages into pieces of this many bytes (`ERTS_DIST_FRAGMENT_SIZE`, protocol reference §6.4).
pub const FRAGMENT_SIZE: usize = 64 * 1024;

/// The longest packet of a node without fragments, and the longest control term, in bytes. Real ones are far shorter;
/// the limit bounds what one connection can make the gateway hold.
pub const PACKET_MAX: usize = 16 * 1024 * 1024;

/// Fragmented signals underway at once on one connection: one for each process that is sending a large message.
const SEQUENCES_MAX: usize = 65_536;

/// Fragments of one signal: 16 GiB. The VM that receives the first one allocates room for all that it announces
/// (`external.c: erts_dist_ext_size`, 40 bytes each), so a claim must not be passed on unchecked.
pub const FRAGMENTS_MAX: u64 = 1 << 18;

/// What a VM accepts as the length of a packet (`packet_parser.c`, protocol reference §5).
const LENGTH_MAX: usize = (1 << 31) - 1 - 4;

const FRAGMENT_FIRST: u8 = 69;
const FRAGMENT_NEXT: u8 = 70;

/// What a BEAM's connection brings after the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// "I am alive."
    Tick,
    /// A whole signal: control term and payload.
    Signal(Bytes),
    /// Several small messages with the same control term, that followed one another: their packets, lengths included, of
    /// together at most [`RUN_MAX`](super::RUN_MAX) bytes. A [`Run`](super::Run) reads them.
    Run(Bytes),
    /// The first part of a signal: its whole control term and the start of its payload.
    First {
        /// Names the signal on this connection; counts upwards from 1.
        message: u64,
        /// Parts in all, at least 2.
        fragments: u64,
        /// The part.
        body: Bytes,
    },
    /// A later part.
    Next {
        /// The signal it belongs to.
        message: u64,
        /// Parts left, this one included.
        remaining: u64,
        /// The part.
        body: Bytes,
    },
}

/// A fragmented signal of the BEAM.
#[derive(Clone, Copy, Debug)]
struct Sequence {
    message: u64,
    /// The fragment number that must come next.
    due: u64,
}

/// A packet over the fragment size that is cut while it streams in.
#[derive(Clone, Copy, Debug)]
struct Cut {
    message: u64,
    remaining: u64,
    bytes_left: usize,
}

/// Cuts a connection's bytes into packets.
///
/// What a BEAM queued before the connection came up arrives as one packet of any size; it is split into fragments as it
/// streams in, so never much more than one fragment is held (protocol reference §6.5).
#[derive(Debug)]
pub struct PacketDecoder {
    format: Format,
    sequences: FxHashMap<u64, Sequence>,
    messages: u64,
    cut: Option<Cut>,
    /// Bytes of a long packet that must be there before its control term is looked for again.
    patience: usize,
}

impl PacketDecoder {
    /// A decoder for a connection that has just completed its handshake.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            sequences: FxHashMap::default(),
            messages: 0,
            cut: None,
            patience: FRAGMENT_SIZE,
        }
    }

    /// The next packet, if it has arrived; bodies are slices of `input`.
    ///
    /// # Errors
    /// If the bytes are no packet of the format, exceed a limit, or fragments do not follow one another.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Packet>, PacketError> {
        if let Some(cut) = self.cut {
            return Ok(self.continue_cut(cut, input));
        }
        let mut reader = Reader::new(input);
        let Ok(length) = reader.u32("length") else {
            return Ok(None);
        };
        let length = length as usize;
        if length == 0 {
            input.advance(4);
            return Ok(Some(Packet::Tick));
        }
        limit(length, LENGTH_MAX, "")?;
        let Ok(first) = reader.u8("format") else {
            return Ok(None);
        };
        match (self.format, first, reader.peek()) {
            (Format::Header, VERSION, _) if length < 2 => Err(PacketError::Format { found: [VERSION, 0] }),
            (Format::PassThrough, PASS_THROUGH, _) => {
                limit(length, PACKET_MAX, "; a node without fragments cannot send more")?;
                Ok(take_whole(input, length, self.format))
            }
            (Format::Header, VERSION, None) => Ok(None),
            (Format::Header, VERSION, Some(HEADER)) => self.signal(input, length),
            (Format::Header, VERSION, Some(kind @ (FRAGMENT_FIRST | FRAGMENT_NEXT))) => {
                self.fragment(input, length, kind)
            }
            (_, first, second) => Err(PacketError::Format {
                found: [first, second.unwrap_or(0)],
            }),
        }
    }

    fn signal(&mut self, input: &mut BytesMut, length: usize) -> Result<Option<Packet>, PacketError> {
        const PREFIX: usize = 3;
        whole("signal header", length, PREFIX)?;
        let mut reader = Reader::new(input);
        reader.take(4 + 2, "header")?;
        let Ok(references) = reader.u8("atom cache references") else {
            return Ok(None);
        };
        if references != 0 {
            return Err(PacketError::AtomCache(references));
        }
        let body = length.saturating_sub(PREFIX);
        if body <= FRAGMENT_SIZE {
            return Ok(take_whole(input, length, self.format));
        }
        if reader.len() < body.min(self.patience) {
            return Ok(None);
        }
        // The first fragment must hold the whole control term.
        let there = reader.take(body.min(reader.len()).min(PACKET_MAX), "body")?;
        let first = match scan_first(there, self.format) {
            Ok(control) => control.length.max(FRAGMENT_SIZE),
            Err(error) if !error.is_truncated() || there.len() == body => return Err(error.into()),
            Err(_) if there.len() >= PACKET_MAX => return Err(PacketError::ControlTerm { limit: PACKET_MAX }),
            Err(_) => {
                self.patience = (there.len() * 2).min(PACKET_MAX);
                return Ok(None);
            }
        };
        self.patience = FRAGMENT_SIZE;
        if first >= body {
            return Ok(take(input, length, PREFIX).map(Packet::Signal));
        }
        self.messages += 1;
        let message = self.messages;
        let bytes_left = body - first;
        let remaining = bytes_left.div_ceil(FRAGMENT_SIZE) as u64;
        self.cut = Some(Cut {
            message,
            remaining,
            bytes_left,
        });
        input.advance(4 + PREFIX);
        Ok(Some(Packet::First {
            message,
            fragments: remaining + 1,
            body: input.split_to(first).freeze(),
        }))
    }

    fn continue_cut(&mut self, cut: Cut, input: &mut BytesMut) -> Option<Packet> {
        let size = cut.bytes_left.min(FRAGMENT_SIZE);
        if input.len() < size {
            return None;
        }
        self.cut = (cut.remaining > 1).then_some(Cut {
            remaining: cut.remaining - 1,
            bytes_left: cut.bytes_left - size,
            ..cut
        });
        Some(Packet::Next {
            message: cut.message,
            remaining: cut.remaining,
            body: input.split_to(size).freeze(),
        })
    }

    fn fragment(&mut self, input: &mut BytesMut, length: usize, kind: u8) -> Result<Option<Packet>, PacketError> {
        limit(length, PACKET_MAX, "")?;
        whole("fragment header", length, if kind == FRAGMENT_NEXT { 18 } else { 19 })?;
        if input.len() < 4 + length {
            return Ok(None);
        }
        let mut reader = Reader::new(input);
        reader.take(4 + 2, "header")?;
        let sequence = reader.u64("sequence")?;
        let number = reader.u64("fragment number")?;
        if kind == FRAGMENT_NEXT {
            let (message, remaining) = self.follow(sequence, number)?;
            let body = take(input, length, 18).unwrap_or_default();
            return Ok(Some(Packet::Next {
                message,
                remaining,
                body,
            }));
        }
        match reader.u8("atom cache references")? {
            0 => {}
            references => return Err(PacketError::AtomCache(references)),
        }
        let message = self.begin(sequence, number)?;
        let body = take(input, length, 19).unwrap_or_default();
        Ok(Some(match message {
            None => Packet::Signal(body),
            Some(message) => Packet::First {
                message,
                fragments: number,
                body,
            },
        }))
    }

    /// A sequence begins with the number of its fragments; `None` when there is only one.
    fn begin(&mut self, sequence: u64, fragments: u64) -> Result<Option<u64>, PacketError> {
        if sequence == 0 || self.sequences.contains_key(&sequence) {
            return Err(PacketError::Sequence(sequence));
        }
        match fragments {
            0 => Err(PacketError::Fragment {
                sequence,
                expected: 1,
                found: 0,
            }),
            1 => Ok(None),
            _ if fragments > FRAGMENTS_MAX => Err(PacketError::Fragments {
                sequence,
                fragments,
                limit: FRAGMENTS_MAX,
            }),
            _ if self.sequences.len() >= SEQUENCES_MAX => Err(PacketError::TooManySequences(SEQUENCES_MAX)),
            _ => {
                self.messages += 1;
                let message = self.messages;
                let due = fragments - 1;
                self.sequences.insert(sequence, Sequence { message, due });
                Ok(Some(message))
            }
        }
    }

    fn follow(&mut self, sequence: u64, found: u64) -> Result<(u64, u64), PacketError> {
        let expected = self.sequences.get(&sequence).map_or(0, |underway| underway.due);
        let (Some(underway), true) = (self.sequences.get_mut(&sequence), expected == found) else {
            return Err(PacketError::Fragment {
                sequence,
                expected,
                found,
            });
        };
        let message = underway.message;
        underway.due -= 1;
        if underway.due == 0 {
            self.sequences.remove(&sequence);
        }
        Ok((message, found))
    }
}

fn limit(length: usize, limit: usize, hint: &'static str) -> Result<(), PacketError> {
    if length > limit {
        return Err(PacketError::Oversized {
            length: length as u64,
            limit: limit as u64,
            hint,
        });
    }
    Ok(())
}

/// Whether a packet of `length` bytes holds its own header of `needed`: what follows belongs to the next one.
fn whole(what: &'static str, length: usize, needed: usize) -> Result<(), PacketError> {
    if length < needed {
        return Err(PacketError::Codec(CodecError::Truncated {
            what,
            needed,
            left: length,
        }));
    }
    Ok(())
}

/// Takes a signal, whose packet is `length` bytes long, off `input` if it is whole; with those behind it, if they make a run.
fn take_whole(input: &mut BytesMut, length: usize, format: Format) -> Option<Packet> {
    match run::length(input, format) {
        Some(run) => Some(Packet::Run(input.split_to(run).freeze())),
        None => take(input, length, format.prefix().len()).map(Packet::Signal),
    }
}

/// Takes a packet of `length` bytes off `input` if it is whole; returns it without its first `prefix` bytes.
fn take(input: &mut BytesMut, length: usize, prefix: usize) -> Option<Bytes> {
    if input.len() < 4 + length {
        // So that the next read can bring all of it.
        input.reserve((4 + length - input.len()).min(2 * FRAGMENT_SIZE));
        return None;
    }
    input.advance(4);
    let mut packet = input.split_to(length);
    packet.advance(prefix.min(length));
    Some(packet.freeze())
}

/// Writes the headers of packets for one BEAM; the caller appends the bodies.
///
/// Sequence numbers are its own, counting upwards from 1: zero, or a fragment out of turn, harms the VM that receives it
/// (protocol reference §6.4), so nothing of the kind is ever relayed.
#[derive(Debug)]
pub struct PacketEncoder {
    format: Format,
    sequences: u64,
    underway: FxHashMap<u64, Sequence>,
}

impl PacketEncoder {
    /// An encoder for a connection that has just completed its handshake.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            sequences: 0,
            underway: FxHashMap::default(),
        }
    }

    /// The header of a whole signal of `body` bytes.
    pub fn signal(&self, body: usize, out: &mut BytesMut) {
        let prefix = self.format.prefix();
        Writer::new(out).u32((prefix.len() + body) as u32).bytes(prefix);
    }

    /// The header of the first of `fragments` parts of `message`.
    ///
    /// # Errors
    /// If the message is underway already, has fewer than two parts or more than [`FRAGMENTS_MAX`], or the node takes no
    /// fragments.
    pub fn first(&mut self, message: u64, fragments: u64, body: usize, out: &mut BytesMut) -> Result<(), PacketError> {
        if self.format == Format::PassThrough || fragments < 2 {
            return Err(PacketError::Fragment {
                sequence: message,
                expected: 0,
                found: fragments,
            });
        }
        if fragments > FRAGMENTS_MAX {
            return Err(PacketError::Fragments {
                sequence: message,
                fragments,
                limit: FRAGMENTS_MAX,
            });
        }
        if self.underway.contains_key(&message) {
            return Err(PacketError::Sequence(message));
        }
        if self.underway.len() >= SEQUENCES_MAX {
            return Err(PacketError::TooManySequences(SEQUENCES_MAX));
        }
        self.sequences += 1;
        let sequence = Sequence {
            message: self.sequences,
            due: fragments - 1,
        };
        self.underway.insert(message, sequence);
        let mut writer = Writer::new(out);
        writer.u32(19 + body as u32).u8(VERSION).u8(FRAGMENT_FIRST);
        writer.u64(self.sequences).u64(fragments).u8(0);
        Ok(())
    }

    /// The header of a later part of `message`; `remaining` counts down to 1.
    ///
    /// # Errors
    /// If the part does not follow the one before.
    pub fn next(&mut self, message: u64, remaining: u64, body: usize, out: &mut BytesMut) -> Result<(), PacketError> {
        let expected = self.underway.get(&message).map_or(0, |underway| underway.due);
        let (Some(underway), true) = (self.underway.get_mut(&message), expected == remaining) else {
            return Err(PacketError::Fragment {
                sequence: message,
                expected,
                found: remaining,
            });
        };
        let sequence = underway.message;
        underway.due -= 1;
        if underway.due == 0 {
            self.underway.remove(&message);
        }
        let mut writer = Writer::new(out);
        writer.u32(18 + body as u32).u8(VERSION).u8(FRAGMENT_NEXT);
        writer.u64(sequence).u64(remaining);
        Ok(())
    }

    /// "I am alive."
    pub fn tick(out: &mut BytesMut) {
        Writer::new(out).u32(0);
    }
}
