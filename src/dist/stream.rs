//! Packets on a byte stream, each preceded by its length.

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

/// Splits the bytes of a connection into packets.
///
/// A BEAM sends signals that it queued before the connection was up as one packet of any size. Such a packet is split
/// into fragments as it arrives, so that little more than one fragment is buffered.
#[derive(Debug)]
pub struct StreamDecoder {
    packets: PacketDecoder,
    cut: Option<Cut>,
    /// The number of bytes of a long packet that must have arrived before its control term is scanned again.
    patience: usize,
}

impl StreamDecoder {
    /// Creates a decoder for a connection that has completed its handshake.
    pub fn new(format: Format) -> Self {
        Self {
            packets: PacketDecoder::new(format),
            cut: None,
            patience: FRAGMENT_SIZE,
        }
    }

    /// The next packet, if it has arrived. Bodies are slices of `input`.
    ///
    /// # Errors
    /// If a packet does not have the format of the connection, exceeds a limit, or is a fragment out of order.
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
                limit(length, PACKET_MAX, "; the node does not support fragments")?;
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
        // The first fragment must contain the whole control term.
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

    /// The next part of a signal that is being split, if it has arrived.
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

/// Checks that a packet of `length` bytes contains its header of `needed` bytes; the bytes that follow belong to the
/// next packet.
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

/// Takes the packet of a signal, which has `length` bytes, from `input` if it is complete, together with the following
/// ones if they form a run.
fn take_whole(input: &mut BytesMut, length: usize, format: Format) -> Option<Packet> {
    match run::length(input, format) {
        Some(run) => Some(Packet::Run(input.split_to(run).freeze())),
        None => take(input, length, format.prefix().len()).map(Packet::Signal),
    }
}

/// Takes a packet of `length` bytes from `input` if it is complete. Returns it without its first `prefix` bytes.
fn take(input: &mut BytesMut, length: usize, prefix: usize) -> Option<Bytes> {
    if input.len() < 4 + length {
        // Reserve space, so that the next read can complete the packet.
        input.reserve((4 + length - input.len()).min(2 * FRAGMENT_SIZE));
        return None;
    }
    input.advance(4);
    let mut packet = input.split_to(length);
    packet.advance(prefix.min(length));
    Some(packet.freeze())
}

/// Encodes the headers of packets for one BEAM, each preceded by the length of its packet. The caller appends the
/// bodies.
#[derive(Debug)]
pub struct StreamEncoder {
    packets: PacketEncoder,
}

impl StreamEncoder {
    /// Creates an encoder for a connection that has completed its handshake.
    pub fn new(format: Format) -> Self {
        Self {
            packets: PacketEncoder::new(format),
        }
    }

    /// The header of a complete signal of `body` bytes.
    pub fn signal(&self, body: usize, out: &mut BytesMut) {
        header(self.packets.signal(), body, out);
    }

    /// The header of the first of `fragments` parts of `message`, with `body` bytes.
    ///
    /// # Errors
    /// As [`PacketEncoder::first`]. In that case nothing is written.
    pub fn first(&mut self, message: u64, fragments: u64, body: usize, out: &mut BytesMut) -> Result<(), PacketError> {
        header(&self.packets.first(message, fragments)?, body, out);
        Ok(())
    }

    /// The header of a later part of `message`, with `body` bytes. `remaining` counts down to 1.
    ///
    /// # Errors
    /// As [`PacketEncoder::next`]. In that case nothing is written.
    pub fn next(&mut self, message: u64, remaining: u64, body: usize, out: &mut BytesMut) -> Result<(), PacketError> {
        header(&self.packets.next(message, remaining)?, body, out);
        Ok(())
    }

    /// A keep-alive.
    pub fn tick(out: &mut BytesMut) {
        Writer::new(out).u32(0);
    }
}

fn header(header: &[u8], body: usize, out: &mut BytesMut) {
    Writer::new(out).u32((header.len() + body) as u32).bytes(header);
}
