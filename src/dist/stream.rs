//! Packets on a byte stream: each with its length before it.

use bytes::Buf;
use bytes::Bytes;
use bytes::BytesMut;

use super::Format;
use super::Packet;
use super::PacketDecoder;
use super::PacketEncoder;
use super::PacketError;
use super::format::HEADER;
use super::format::PASS_THROUGH;
use super::format::VERSION;
use super::packet::Cut;
use super::packet::FIRST_HEADER;
use super::packet::FRAGMENT_FIRST;
use super::packet::FRAGMENT_NEXT;
use super::packet::FRAGMENT_SIZE;
use super::packet::LENGTH_MAX;
use super::packet::NEXT_HEADER;
use super::packet::PACKET_MAX;
use super::packet::first_part;
use super::packet::limit;
use super::packet::no_references;
use super::run;
use crate::codec::CodecError;
use crate::codec::Reader;
use crate::codec::Writer;

/// Cuts a connection's bytes into packets.
///
/// What a BEAM queued before the connection came up arrives as one packet of any size; it is split into fragments as it
/// streams in, so never much more than one fragment is held (protocol reference §6.5).
#[derive(Debug)]
pub struct StreamDecoder {
    packets: PacketDecoder,
    cut: Option<Cut>,
    /// Bytes of a long packet that must be there before its control term is looked for again.
    patience: usize,
}

impl StreamDecoder {
    /// A decoder for a connection that has just completed its handshake.
    pub fn new(format: Format) -> Self {
        Self {
            packets: PacketDecoder::new(format),
            cut: None,
            patience: FRAGMENT_SIZE,
        }
    }

    /// The next packet, if it has arrived; bodies are slices of `input`.
    ///
    /// # Errors
    /// If the bytes are no packet of the format, exceed a limit, or fragments do not follow one another.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Packet>, PacketError> {
        if self.cut.is_some() {
            return Ok(self.next_part(input));
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
        let format = self.packets.format();
        match (format, first, reader.peek()) {
            (Format::Header, VERSION, _) if length < 2 => Err(PacketError::Format { found: [VERSION, 0] }),
            (Format::PassThrough, PASS_THROUGH, _) => {
                limit(length, PACKET_MAX, "; a node without fragments cannot send more")?;
                Ok(take_whole(input, length, format))
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
        let format = self.packets.format();
        whole("signal header", length, PREFIX)?;
        let mut reader = Reader::new(input);
        reader.take(4 + 2, "header")?;
        let Ok(references) = reader.u8("atom cache references") else {
            return Ok(None);
        };
        no_references(references)?;
        let body = length.saturating_sub(PREFIX);
        if body <= FRAGMENT_SIZE {
            return Ok(take_whole(input, length, format));
        }
        if reader.len() < body.min(self.patience) {
            return Ok(None);
        }
        // The first fragment must hold the whole control term.
        let there = reader.take(body.min(reader.len()).min(PACKET_MAX), "body")?;
        let Some(first) = first_part(there, body, format)? else {
            self.patience = (there.len() * 2).min(PACKET_MAX);
            return Ok(None);
        };
        self.patience = FRAGMENT_SIZE;
        if first >= body {
            return Ok(take(input, length, PREFIX).map(Packet::Signal));
        }
        let cut = self.packets.cut(body - first);
        self.cut = Some(cut);
        input.advance(4 + PREFIX);
        Ok(Some(Packet::First {
            message: cut.message,
            fragments: cut.remaining + 1,
            body: input.split_to(first).freeze(),
        }))
    }

    /// The next part of a signal that is cut, if it has come.
    fn next_part(&mut self, input: &mut BytesMut) -> Option<Packet> {
        let cut = self.cut.as_mut().filter(|cut| input.len() >= cut.size())?;
        let (message, remaining, size) = cut.next_part()?;
        if remaining == 1 {
            self.cut = None;
        }
        Some(Packet::Next {
            message,
            remaining,
            body: input.split_to(size).freeze(),
        })
    }

    fn fragment(&mut self, input: &mut BytesMut, length: usize, kind: u8) -> Result<Option<Packet>, PacketError> {
        limit(length, PACKET_MAX, "")?;
        let header = if kind == FRAGMENT_NEXT {
            NEXT_HEADER
        } else {
            FIRST_HEADER
        };
        whole("fragment header", length, header)?;
        if input.len() < 4 + length {
            return Ok(None);
        }
        take(input, length, 0)
            .map(|packet| self.packets.fragment(packet, kind))
            .transpose()
    }
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

/// Writes the headers of packets for one BEAM, each with the length of its packet before it; the caller appends the bodies.
#[derive(Debug)]
pub struct StreamEncoder {
    packets: PacketEncoder,
}

impl StreamEncoder {
    /// An encoder for a connection that has just completed its handshake.
    pub fn new(format: Format) -> Self {
        Self {
            packets: PacketEncoder::new(format),
        }
    }

    /// The header of a whole signal of `body` bytes.
    pub fn signal(&self, body: usize, out: &mut BytesMut) {
        header(self.packets.signal(), body, out);
    }

    /// The header of the first of `fragments` parts of `message`, of `body` bytes.
    ///
    /// # Errors
    /// As [`PacketEncoder::first`]; nothing is written.
    pub fn first(&mut self, message: u64, fragments: u64, body: usize, out: &mut BytesMut) -> Result<(), PacketError> {
        header(&self.packets.first(message, fragments)?, body, out);
        Ok(())
    }

    /// The header of a later part of `message`, of `body` bytes; `remaining` counts down to 1.
    ///
    /// # Errors
    /// As [`PacketEncoder::next`]; nothing is written.
    pub fn next(&mut self, message: u64, remaining: u64, body: usize, out: &mut BytesMut) -> Result<(), PacketError> {
        header(&self.packets.next(message, remaining)?, body, out);
        Ok(())
    }

    /// "I am alive."
    pub fn tick(out: &mut BytesMut) {
        Writer::new(out).u32(0);
    }
}

fn header(header: &[u8], body: usize, out: &mut BytesMut) {
    Writer::new(out).u32((header.len() + body) as u32).bytes(header);
}
