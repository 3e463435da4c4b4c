//! The messages of the distribution handshake (`erl_dist_protocol`, `dist_util.erl`), without their 2-byte length.
//!
//! The cookie's digest covers only the cookie and the challenge. So a gateway can relay these messages between the two
//! nodes with masked flags, and never needs the cookie.

use bytes::Buf;
use bytes::Bytes;
use bytes::BytesMut;

use super::Flags;
use super::HandshakeError;
use crate::codec::Reader;
use crate::codec::Writer;

/// The maximum length of a handshake message in bytes: a name of 255 characters and trailing bytes, which are ignored.
pub const MESSAGE_MAX: usize = 2048;

/// Takes the next message from `input`, if it is complete.
///
/// # Errors
/// If the message is longer than [`MESSAGE_MAX`] bytes, or a record of TLS.
pub fn decode(input: &mut BytesMut) -> Result<Option<Bytes>, HandshakeError> {
    let Ok(length) = Reader::new(input).u16("length") else {
        return Ok(None);
    };
    // A record of TLS begins with its type, 20 to 23, and the major version, 3.
    if matches!(length, 0x1403 | 0x1503 | 0x1603 | 0x1703) {
        return Err(HandshakeError::Tls);
    }
    let length = usize::from(length);
    if length > MESSAGE_MAX {
        return Err(HandshakeError::Oversized {
            length,
            limit: MESSAGE_MAX,
        });
    }
    if input.len() < 2 + length {
        return Ok(None);
    }
    input.advance(2);
    Ok(Some(input.split_to(length).freeze()))
}

/// Appends a message preceded by its length.
pub fn encode(message: &[u8], out: &mut BytesMut) {
    Writer::new(out).u16(message.len() as u16).bytes(message);
}

/// `'N'` from the initiator: its name. With [`Flags::NAME_ME`] the name is only the host part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendName {
    /// The capabilities of the node.
    pub flags: Flags,
    /// The incarnation of the node.
    pub creation: u32,
    /// The name of the node.
    pub name: String,
}

/// `'N'` from the acceptor: its name and a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The capabilities of the node.
    pub flags: Flags,
    /// The challenge for the digest of the cookie.
    pub challenge: u32,
    /// The incarnation of the node.
    pub creation: u32,
    /// The name of the node.
    pub name: String,
}

/// `'s'` from the acceptor, and the initiator's reply to `alive`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// A connection already exists: the acceptor asks whether to continue.
    Alive,
    /// The initiator's reply to `alive`.
    Answer(bool),
    /// The acceptor assigns a name.
    Named {
        /// The full name.
        name: String,
        /// The incarnation.
        creation: u32,
    },
    /// Another attempt of the initiator continues.
    Nok,
    /// The initiator may not connect.
    NotAllowed,
    /// Continue.
    Ok,
    /// Continue. The acceptor aborts its own attempt.
    OkSimultaneous,
}

/// Names are Latin-1 on the wire (`atom_to_binary(_, latin1)`). Other characters are not possible.
fn read_latin1(reader: &mut Reader<'_>) -> Result<String, HandshakeError> {
    let length = reader.u16("name length")?;
    let bytes = reader.take(length.into(), "name")?;
    Ok(bytes.iter().map(|byte| char::from(*byte)).collect())
}

fn write_latin1(name: &str, out: &mut BytesMut) {
    let bytes: Vec<u8> = name.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
    Writer::new(out).u16(bytes.len() as u16).bytes(&bytes);
}

fn expect(reader: &mut Reader<'_>, tag: u8, expected: &'static str) -> Result<(), HandshakeError> {
    match reader.u8(expected)? {
        found if found == tag => Ok(()),
        b'n' | b'c' => Err(HandshakeError::TooOld),
        found => Err(HandshakeError::Unexpected { expected, found }),
    }
}

impl SendName {
    /// Parses the message. Bytes after the name are ignored, as nodes do.
    pub fn parse(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut reader = Reader::new(message);
        expect(&mut reader, b'N', "send_name")?;
        Ok(Self {
            flags: Flags::from_bits(reader.u64("flags")?),
            creation: reader.u32("creation")?,
            name: read_latin1(&mut reader)?,
        })
    }

    /// Encodes the message.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        Writer::new(&mut out).u8(b'N').u64(self.flags.bits()).u32(self.creation);
        write_latin1(&self.name, &mut out);
        out.freeze()
    }
}

impl Challenge {
    /// Parses the message. Bytes after the name are ignored, as nodes do.
    pub fn parse(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut reader = Reader::new(message);
        expect(&mut reader, b'N', "challenge")?;
        Ok(Self {
            flags: Flags::from_bits(reader.u64("flags")?),
            challenge: reader.u32("challenge")?,
            creation: reader.u32("creation")?,
            name: read_latin1(&mut reader)?,
        })
    }

    /// Encodes the message.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        Writer::new(&mut out)
            .u8(b'N')
            .u64(self.flags.bits())
            .u32(self.challenge)
            .u32(self.creation);
        write_latin1(&self.name, &mut out);
        out.freeze()
    }
}

impl Status {
    /// Parses the message.
    pub fn parse(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut reader = Reader::new(message);
        expect(&mut reader, b's', "status")?;
        Ok(match reader.rest() {
            b"alive" => Self::Alive,
            b"true" => Self::Answer(true),
            b"false" => Self::Answer(false),
            b"nok" => Self::Nok,
            b"not_allowed" => Self::NotAllowed,
            b"ok" => Self::Ok,
            b"ok_simultaneous" => Self::OkSimultaneous,
            text if text.starts_with(b"named:") => {
                reader.take(b"named:".len(), "status")?;
                let length = reader.u16("name length")?;
                let bytes = reader.take(length.into(), "name")?;
                let name = String::from_utf8(bytes.to_vec())
                    .map_err(|_| HandshakeError::Name(String::from_utf8_lossy(bytes).chars().take(300).collect()))?;
                let creation = reader.u32("creation")?;
                Self::Named { name, creation }
            }
            other => {
                return Err(HandshakeError::Status(
                    String::from_utf8_lossy(other).chars().take(40).collect(),
                ));
            }
        })
    }

    /// Encodes the message.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        let mut writer = Writer::new(&mut out);
        writer.u8(b's');
        match self {
            Self::Alive => writer.bytes(b"alive"),
            Self::Answer(true) => writer.bytes(b"true"),
            Self::Answer(false) => writer.bytes(b"false"),
            Self::Named { name, creation } => writer
                .bytes(b"named:")
                .u16(name.len() as u16)
                .bytes(name.as_bytes())
                .u32(*creation),
            Self::Nok => writer.bytes(b"nok"),
            Self::NotAllowed => writer.bytes(b"not_allowed"),
            Self::Ok => writer.bytes(b"ok"),
            Self::OkSimultaneous => writer.bytes(b"ok_simultaneous"),
        };
        out.freeze()
    }
}

/// `'r'` from the initiator: its challenge, and its digest for the acceptor's challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The initiator's challenge.
    pub challenge: u32,
    /// The digest for the acceptor's challenge.
    pub digest: [u8; 16],
}

impl Reply {
    /// Parses the message, which a carrier passes on unchanged.
    pub fn parse(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut reader = Reader::new(message);
        expect(&mut reader, b'r', "challenge reply")?;
        let (challenge, digest) = (reader.u32("challenge")?, reader.array("digest")?);
        reader.finish("challenge reply")?;
        Ok(Self { challenge, digest })
    }

    /// Encodes the message.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        Writer::new(&mut out).u8(b'r').u32(self.challenge).bytes(&self.digest);
        out.freeze()
    }
}

/// `'a'` from the acceptor, the last message: its digest for the initiator's challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The digest for the initiator's challenge.
    pub digest: [u8; 16],
}

impl Acknowledgement {
    /// Parses the message, which a carrier passes on unchanged.
    pub fn parse(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut reader = Reader::new(message);
        expect(&mut reader, b'a', "challenge acknowledgement")?;
        let digest = reader.array("digest")?;
        reader.finish("challenge acknowledgement")?;
        Ok(Self { digest })
    }

    /// Encodes the message.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        Writer::new(&mut out).u8(b'a').bytes(&self.digest);
        out.freeze()
    }
}
