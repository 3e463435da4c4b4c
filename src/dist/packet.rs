use bytes::Buf;
use bytes::Bytes;
use rustc_hash::FxHashMap;

use super::Format;
use super::PacketError;
use super::control::scan_first;
use super::format::HEADER;
use super::format::PASS_THROUGH;
use super::format::VERSION;
use crate::codec::Reader;

/// A BEAM splits signals into fragments of this many bytes (`ERTS_DIST_FRAGMENT_SIZE`).
pub const FRAGMENT_SIZE: usize = 64 * 1024;

/// The maximum length of a packet of a node without fragments, and of a control term, in bytes. Real ones are far
/// shorter; the limit bounds the memory that one connection can make a gateway use.
pub const PACKET_MAX: usize = 16 * 1024 * 1024;

/// The maximum number of incomplete fragmented signals on one connection: one for each process that is sending a large
/// message.
pub const SEQUENCES_MAX: usize = 65_536;

/// The maximum number of fragments of one signal: 16 GiB. A VM that receives the first fragment allocates memory for
/// all of them (`external.c: erts_dist_ext_size`, 40 bytes each), so the number must be checked before it is passed on.
pub const FRAGMENTS_MAX: u64 = 1 << 18;

/// The length of the header of a first fragment, and of a later one.
pub(super) const FIRST_HEADER: usize = 19;
pub(super) const NEXT_HEADER: usize = 18;

/// The maximum length of a packet that a VM accepts (`packet_parser.c`).
pub(super) const LENGTH_MAX: usize = (1 << 31) - 1 - 4;

pub(super) const FRAGMENT_FIRST: u8 = 69;
pub(super) const FRAGMENT_NEXT: u8 = 70;

/// What a BEAM sends on a connection after the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// A keep-alive.
    Tick,
    /// A complete signal: control term and payload.
    Signal(Bytes),
    /// Several small messages with the same control term that followed one another. Each packet includes its length;
    /// together they are at most [`RUN_MAX`](super::RUN_MAX) bytes. A [`Run`](super::Run) reads them.
    Run(Bytes),
    /// The first part of a signal: the whole control term and the start of the payload.
    First {
        /// The number of the signal on this connection, counted from 1.
        message: u64,
        /// The total number of parts, at least 2.
        fragments: u64,
        /// The bytes of the part.
        body: Bytes,
    },
    /// A later part of a signal.
    Next {
        /// The signal it belongs to.
        message: u64,
        /// The number of parts left, including this one.
        remaining: u64,
        /// The bytes of the part.
        body: Bytes,
    },
}

/// A fragmented signal from the BEAM.
#[derive(Clone, Copy, Debug)]
struct Sequence {
    message: u64,
    /// The number of the next fragment.
    due: u64,
}

/// Decodes packets from a BEAM, without the length that precedes each of them on a stream.
///
/// Bodies are slices of the packet. A signal longer than a fragment, which a BEAM sends if it was queued before the
/// connection was up, is split into fragments.
#[derive(Debug)]
pub struct PacketDecoder {
    format: Format,
    sequences: FxHashMap<u64, Sequence>,
    messages: u64,
}

impl PacketDecoder {
    /// Creates a decoder for a connection that has completed its handshake.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            sequences: FxHashMap::default(),
            messages: 0,
        }
    }

    pub(super) const fn format(&self) -> Format {
        self.format
    }

    /// Decodes a packet and appends its content: one item, or several if a signal has to be split.
    ///
    /// # Errors
    /// If the packet does not have the format of the connection, exceeds a limit, or is a fragment out of order.
    #[cfg_attr(
        not(feature = "internals"),
        allow(dead_code, reason = "a VM hands over packets without framing")
    )]
    pub fn decode(&mut self, packet: Bytes, packets: &mut Vec<Packet>) -> Result<(), PacketError> {
        let mut reader = Reader::new(&packet);
        let (Ok(first), second) = (reader.u8("format"), reader.peek()) else {
            packets.push(Packet::Tick);
            return Ok(());
        };
        match (self.format, first, second) {
            (Format::PassThrough, PASS_THROUGH, _) => {
                limit(packet.len(), PACKET_MAX, "; the node does not support fragments")?;
                packets.push(Packet::Signal(behind(packet, 1)));
                Ok(())
            }
            (Format::Header, VERSION, Some(HEADER)) => self.signal(packet, packets),
            (Format::Header, VERSION, Some(kind @ (FRAGMENT_FIRST | FRAGMENT_NEXT))) => {
                packets.push(self.fragment(packet, kind)?);
                Ok(())
            }
            (_, first, second) => Err(PacketError::Format {
                found: [first, second.unwrap_or(0)],
            }),
        }
    }

    fn signal(&mut self, packet: Bytes, packets: &mut Vec<Packet>) -> Result<(), PacketError> {
        limit(packet.len(), LENGTH_MAX, "")?;
        let mut reader = Reader::new(&packet);
        reader.take(2, "header")?;
        no_references(reader.u8("atom cache references")?)?;
        let mut body = behind(packet, self.format.prefix().len());
        if body.len() <= FRAGMENT_SIZE {
            packets.push(Packet::Signal(body));
            return Ok(());
        }
        let first = first_part(body.get(..PACKET_MAX).unwrap_or(&body), body.len(), self.format)?;
        let Some(first) = first else {
            return Err(PacketError::ControlTerm { limit: PACKET_MAX });
        };
        if first >= body.len() {
            packets.push(Packet::Signal(body));
            return Ok(());
        }
        let mut cut = self.cut(body.len() - first);
        packets.push(Packet::First {
            message: cut.message,
            fragments: cut.remaining + 1,
            body: body.split_to(first),
        });
        while let Some((message, remaining, size)) = cut.next_part() {
            packets.push(Packet::Next {
                message,
                remaining,
                body: body.split_to(size),
            });
        }
        Ok(())
    }

    /// Begins to split a signal of which `bytes_left` bytes follow its first part.
    pub(super) const fn cut(&mut self, bytes_left: usize) -> Cut {
        self.messages += 1;
        Cut {
            message: self.messages,
            remaining: bytes_left.div_ceil(FRAGMENT_SIZE) as u64,
            bytes_left,
        }
    }

    /// Decodes a packet that is a fragment.
    pub(super) fn fragment(&mut self, packet: Bytes, kind: u8) -> Result<Packet, PacketError> {
        limit(packet.len(), PACKET_MAX, "")?;
        let mut reader = Reader::new(&packet);
        reader.take(2, "header")?;
        let sequence = reader.u64("sequence")?;
        let number = reader.u64("fragment number")?;
        if kind == FRAGMENT_NEXT {
            let (message, remaining) = self.follow(sequence, number)?;
            let body = behind(packet, NEXT_HEADER);
            return Ok(Packet::Next {
                message,
                remaining,
                body,
            });
        }
        no_references(reader.u8("atom cache references")?)?;
        let message = self.begin(sequence, number)?;
        let body = behind(packet, FIRST_HEADER);
        Ok(match message {
            None => Packet::Signal(body),
            Some(message) => Packet::First {
                message,
                fragments: number,
                body,
            },
        })
    }

    /// Registers a sequence. The number of its first fragment is their total number. Returns `None` if there is only
    /// one.
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

/// A signal that is being split into fragments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) message: u64,
    /// The number of parts that follow.
    pub(super) remaining: u64,
    bytes_left: usize,
}

impl Cut {
    /// The length of the next part; zero after the last.
    pub(super) fn size(&self) -> usize {
        self.bytes_left.min(FRAGMENT_SIZE)
    }

    /// The next part: its message, the number of parts left including this one, and its length.
    pub(super) fn next_part(&mut self) -> Option<(u64, u64, usize)> {
        if self.remaining == 0 {
            return None;
        }
        let part = (self.message, self.remaining, self.size());
        self.bytes_left -= self.size();
        self.remaining -= 1;
        Some(part)
    }
}

/// The length of the first part of a signal of `body` bytes, of which `there` have arrived: it contains the whole
/// control term. `None` if more bytes are needed.
pub(super) fn first_part(there: &[u8], body: usize, format: Format) -> Result<Option<usize>, PacketError> {
    match scan_first(there, format) {
        Ok(control) => Ok(Some(control.length.max(FRAGMENT_SIZE))),
        Err(error) if !error.is_truncated() || there.len() == body => Err(error.into()),
        Err(_) if there.len() >= PACKET_MAX => Err(PacketError::ControlTerm { limit: PACKET_MAX }),
        Err(_) => Ok(None),
    }
}

pub(super) const fn no_references(references: u8) -> Result<(), PacketError> {
    if references == 0 {
        Ok(())
    } else {
        Err(PacketError::AtomCache(references))
    }
}

/// The packet without its first bytes.
fn behind(mut packet: Bytes, header: usize) -> Bytes {
    packet.advance(header.min(packet.len()));
    packet
}

pub(super) fn limit(length: usize, limit: usize, hint: &'static str) -> Result<(), PacketError> {
    if length > limit {
        return Err(PacketError::Oversized {
            length: length as u64,
            limit: limit as u64,
            hint,
        });
    }
    Ok(())
}

/// Encodes the headers of packets for one BEAM, without the length that precedes each of them on a stream. The caller
/// appends the bodies.
///
/// The encoder assigns sequence numbers itself, from 1 upwards. The numbers of the other side are never relayed,
/// because zero or a fragment out of order harms the VM that receives it.
#[derive(Debug)]
pub struct PacketEncoder {
    format: Format,
    sequences: u64,
    underway: FxHashMap<u64, Sequence>,
}

impl PacketEncoder {
    /// Creates an encoder for a connection that has completed its handshake.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            sequences: 0,
            underway: FxHashMap::default(),
        }
    }

    /// The header of a complete signal.
    pub const fn signal(&self) -> &'static [u8] {
        self.format.prefix()
    }

    /// The header of the first of `fragments` parts of `message`.
    ///
    /// # Errors
    /// If the message has begun already, has fewer than two or more than [`FRAGMENTS_MAX`] parts, or the node does not
    /// support fragments.
    pub fn first(&mut self, message: u64, fragments: u64) -> Result<[u8; FIRST_HEADER], PacketError> {
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
        let [a, b, c, d, e, f, g, h] = self.sequences.to_be_bytes();
        let [i, j, k, l, m, n, o, p] = fragments.to_be_bytes();
        Ok([
            VERSION,
            FRAGMENT_FIRST,
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            i,
            j,
            k,
            l,
            m,
            n,
            o,
            p,
            0,
        ])
    }

    /// The header of a later part of `message`. `remaining` counts down to 1.
    ///
    /// # Errors
    /// If the part is out of order.
    pub fn next(&mut self, message: u64, remaining: u64) -> Result<[u8; NEXT_HEADER], PacketError> {
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
        let [a, b, c, d, e, f, g, h] = sequence.to_be_bytes();
        let [i, j, k, l, m, n, o, p] = remaining.to_be_bytes();
        Ok([VERSION, FRAGMENT_NEXT, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }
}
