//! The messages of the distribution handshake (`dist_util.erl`, protocol reference §3), without their 2-byte length.
//!
//! The cookie's digest covers only cookie and challenge, so a gateway relays these messages between the two nodes with
//! the flags masked and never knows the cookie.

use bytes::Buf;
use bytes::Bytes;
use bytes::BytesMut;

use super::Flags;
use super::HandshakeError;
use crate::codec::Reader;
use crate::codec::Writer;

/// The longest handshake message in bytes: a name of 255 characters and a tail that is ignored.
pub const MESSAGE_MAX: usize = 2048;

/// Takes the next message off `input`, if it is whole.
///
/// # Errors
/// If it announces more than [`MESSAGE_MAX`] bytes.
pub fn decode(input: &mut BytesMut) -> Result<Option<Bytes>, HandshakeError> {
    let Ok(length) = Reader::new(input).u16("length") else {
        return Ok(None);
    };
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

/// Appends a message with its length.
pub fn encode(message: &[u8], out: &mut BytesMut) {
    Writer::new(out).u16(message.len() as u16).bytes(message);
}

/// `'N'` from the initiator: who it is. With [`Flags::NAME_ME`] the name is only its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendName {
    /// What the node can do.
    pub flags: Flags,
    /// Its incarnation.
    pub creation: u32,
    /// Its name.
    pub name: String,
}

/// `'N'` from the acceptor: who it is, and a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// What the node can do.
    pub flags: Flags,
    /// The challenge that the cookie's digest answers.
    pub challenge: u32,
    /// Its incarnation.
    pub creation: u32,
    /// Its name.
    pub name: String,
}

/// `'s'` from the acceptor, and the initiator's answer to `alive`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// A connection is up already: do you still want one?
    Alive,
    /// Yes or no, from the initiator.
    Answer(bool),
    /// This is your name.
    Named {
        /// The full name given.
        name: String,
        /// The incarnation given.
        creation: u32,
    },
    /// Another attempt of yours goes on.
    Nok,
    /// You may not connect.
    NotAllowed,
    /// Go on.
    Ok,
    /// Go on; I drop my own attempt.
    OkSimultaneous,
}

/// Latin-1 on the wire (`atom_to_binary(_, latin1)`); characters beyond it cannot stand in a name.
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
    /// Reads the message; bytes after the name are ignored, as nodes do.
    pub fn parse(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut reader = Reader::new(message);
        expect(&mut reader, b'N', "send_name")?;
        Ok(Self {
            flags: Flags::from_bits(reader.u64("flags")?),
            creation: reader.u32("creation")?,
            name: read_latin1(&mut reader)?,
        })
    }

    /// The message.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        Writer::new(&mut out).u8(b'N').u64(self.flags.bits()).u32(self.creation);
        write_latin1(&self.name, &mut out);
        out.freeze()
    }
}

impl Challenge {
    /// Reads the message; bytes after the name are ignored, as nodes do.
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

    /// The message.
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
    /// Reads the message.
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

    /// The message.
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

/// `'r'` from the initiator: its own challenge, and what answers the acceptor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The initiator's challenge.
    pub challenge: u32,
    /// What answers the acceptor's challenge.
    pub digest: [u8; 16],
}

impl Reply {
    /// Reads the message, which a carrier passes on as it is.
    pub fn parse(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut reader = Reader::new(message);
        expect(&mut reader, b'r', "challenge reply")?;
        let (challenge, digest) = (reader.u32("challenge")?, reader.array("digest")?);
        reader.finish("challenge reply")?;
        Ok(Self { challenge, digest })
    }

    /// The message.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        Writer::new(&mut out).u8(b'r').u32(self.challenge).bytes(&self.digest);
        out.freeze()
    }
}

/// `'a'` from the acceptor, its last word: what answers the initiator's challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// What answers the initiator's challenge.
    pub digest: [u8; 16],
}

impl Acknowledgement {
    /// Reads the message, which a carrier passes on as it is.
    pub fn parse(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut reader = Reader::new(message);
        expect(&mut reader, b'a', "challenge acknowledgement")?;
        let digest = reader.array("digest")?;
        reader.finish("challenge acknowledgement")?;
        Ok(Self { digest })
    }

    /// The message.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        Writer::new(&mut out).u8(b'a').bytes(&self.digest);
        out.freeze()
    }
}
