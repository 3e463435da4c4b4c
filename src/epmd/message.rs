use bytes::Bytes;
use bytes::BytesMut;

use super::EpmdError;
use crate::codec::CodecError;
use crate::codec::Reader;
use crate::codec::Writer;

/// The maximum length of a request in bytes: a name and an extra field of a thousand each (`epmd_srv.c` allows about 3 kB).
pub(super) const REQUEST_MAX: usize = 3 * 1024;

/// A name has at most this many bytes (255 characters in UTF-8).
const NAME_MAX: usize = 1020;

/// The maximum length of a response that a client reads, in bytes.
pub(super) const RESPONSE_MAX: usize = REQUEST_MAX;

/// The host part by which a request for names means the nodes of this host.
pub const LOCALHOST: &str = "localhost";

const ALIVE2_REQ: u8 = 120;
const ALIVE2_RESP: u8 = 121;
const ALIVE2_X_RESP: u8 = 118;
const PORT2_REQ: u8 = 122;
const PORT2_RESP: u8 = 119;
const NAMES_REQ: u8 = 110;
const DUMP_REQ: u8 = 100;
const KILL_REQ: u8 = 107;
const STOP_REQ: u8 = 115;
const DIST_HIGH: u16 = 6;
const DIST_LOW: u16 = 5;

/// The data with which a node registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The part of the node's name before the `@`.
    pub name: String,
    /// The TCP port on which the node listens.
    pub port: u16,
    /// 77: a normal node; 72: a hidden node.
    pub node_type: u8,
    /// 0: TCP over IPv4 (stock nodes always send it).
    pub protocol: u8,
    /// The highest and the lowest supported distribution version.
    pub versions: (u16, u16),
    /// The extra field.
    pub extra: Bytes,
}

impl Registration {
    /// The type of a hidden node.
    pub const HIDDEN: u8 = 72;

    /// Whether the node is hidden.
    pub const fn is_hidden(&self) -> bool {
        self.node_type == Self::HIDDEN
    }

    /// The registration of a normal node that listens on `port`, as stock nodes send it.
    pub fn normal(name: &str, port: u16) -> Self {
        Self {
            name: name.to_owned(),
            port,
            node_type: 77,
            protocol: 0,
            versions: (DIST_HIGH, DIST_LOW),
            extra: Bytes::new(),
        }
    }
}

/// A request to the port mapper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// ALIVE2: a node registers.
    Register(Registration),
    /// PORT2: asks for the port of a node. The name is bare. Only beamway also accepts a full name with its `@`.
    Port(String),
    /// Asks for the names of the nodes of a host. A stock node names none: it asks the port mapper of that host. Only beamway accepts
    /// a host part; a stock port mapper ignores it.
    Names(Option<String>),
    /// Like `Names`, with more detail.
    Dump,
    /// Ends the port mapper.
    Kill,
    /// Removes a name.
    Stop,
}

/// A response of the port mapper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// The response to ALIVE2.
    Registered {
        /// Whether the node understands creations of 32 bits.
        is_wide: bool,
        /// The creation of the node, or `None` if its name is taken.
        creation: Option<u32>,
    },
    /// The response to PORT2: the registration, or `None` if there is no such node.
    Port(Option<Registration>),
}

fn name(bytes: &[u8]) -> Result<String, EpmdError> {
    // One trailing NUL is tolerated, as epmd does.
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    if bytes.is_empty()
        || bytes.len() > NAME_MAX
        || std::str::from_utf8(bytes).is_err()
        || text.chars().any(char::is_control)
    {
        return Err(EpmdError::Name(text.chars().take(80).collect()));
    }
    Ok(text.into_owned())
}

impl Request {
    /// Parses a request, without its length.
    pub fn parse(bytes: &[u8]) -> Result<Self, EpmdError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8("request")?;
        Ok(match kind {
            ALIVE2_REQ => {
                let registration = Self::registration(&mut reader)?;
                reader.finish("ALIVE2")?;
                Self::Register(registration)
            }
            PORT2_REQ => Self::Port(name(reader.rest())?),
            NAMES_REQ => match reader.rest() {
                [] | [0] => Self::Names(None),
                host => Self::Names(Some(name(host)?)),
            },
            DUMP_REQ => Self::Dump,
            KILL_REQ => Self::Kill,
            STOP_REQ => Self::Stop,
            kind => return Err(EpmdError::Unknown(kind)),
        })
    }

    fn registration(reader: &mut Reader<'_>) -> Result<Registration, EpmdError> {
        let port = reader.u16("port")?;
        let node_type = reader.u8("node type")?;
        let protocol = reader.u8("protocol")?;
        let versions = (reader.u16("highest version")?, reader.u16("lowest version")?);
        let length = reader.u16("name length")?;
        let name = name(reader.take(length.into(), "name")?)?;
        if name.contains('@') {
            return Err(EpmdError::Name(name));
        }
        let length = reader.u16("extra length")?;
        let extra = Bytes::copy_from_slice(reader.take(length.into(), "extra")?);
        if port == 0 {
            return Err(CodecError::Value { what: "port", value: 0 }.into());
        }
        Ok(Registration {
            name,
            port,
            node_type,
            protocol,
            versions,
            extra,
        })
    }

    /// Encodes the request with its length, as a node sends it.
    pub fn encode(&self) -> Bytes {
        let mut body = BytesMut::new();
        let mut writer = Writer::new(&mut body);
        match self {
            Self::Register(registration) => {
                writer.u8(ALIVE2_REQ);
                write_registration(registration, &mut writer);
            }
            Self::Port(name) => {
                writer.u8(PORT2_REQ).bytes(name.as_bytes());
            }
            Self::Names(host) => {
                writer
                    .u8(NAMES_REQ)
                    .bytes(host.as_deref().unwrap_or_default().as_bytes());
            }
            Self::Dump => drop(writer.u8(DUMP_REQ)),
            Self::Kill => drop(writer.u8(KILL_REQ)),
            Self::Stop => drop(writer.u8(STOP_REQ)),
        }
        let mut out = BytesMut::new();
        Writer::new(&mut out).u16(body.len() as u16).bytes(&body);
        out.freeze()
    }
}

fn write_registration(registration: &Registration, writer: &mut Writer<'_>) {
    writer
        .u16(registration.port)
        .u8(registration.node_type)
        .u8(registration.protocol);
    writer.u16(registration.versions.0).u16(registration.versions.1);
    writer
        .u16(registration.name.len() as u16)
        .bytes(registration.name.as_bytes());
    writer.u16(registration.extra.len() as u16).bytes(&registration.extra);
}

impl Response {
    /// Parses a response, which has no length. Returns `None` if it is incomplete.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, EpmdError> {
        match Self::read(&mut Reader::new(bytes)) {
            Err(EpmdError::Codec(CodecError::Truncated { .. })) => Ok(None),
            other => other.map(Some),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, EpmdError> {
        let kind = reader.u8("response")?;
        let is_wide = match kind {
            ALIVE2_X_RESP => true,
            ALIVE2_RESP => false,
            PORT2_RESP => {
                let found = match reader.u8("result")? {
                    0 => Some(Request::registration(reader)?),
                    _ => None,
                };
                return Ok(Self::Port(found));
            }
            other => return Err(EpmdError::Unknown(other)),
        };
        let result = reader.u8("result")?;
        let creation = if is_wide {
            reader.u32("creation")?
        } else {
            reader.u16("creation")?.into()
        };
        Ok(Self::Registered {
            is_wide,
            creation: (result == 0).then_some(creation),
        })
    }

    /// Encodes the response. It has no length field; the connection ends after a PORT2 response.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        let mut writer = Writer::new(&mut out);
        match self {
            Self::Registered { is_wide, creation } => {
                // A refusal has creation 99, as with epmd.
                let (result, creation) = creation.map_or((1, 99), |creation| (0, creation));
                if *is_wide {
                    writer.u8(ALIVE2_X_RESP).u8(result).u32(creation);
                } else {
                    writer.u8(ALIVE2_RESP).u8(result).u16(creation as u16);
                }
            }
            Self::Port(None) => drop(writer.u8(PORT2_RESP).u8(1)),
            Self::Port(Some(registration)) => {
                writer.u8(PORT2_RESP).u8(0);
                write_registration(registration, &mut writer);
            }
        }
        out.freeze()
    }
}

/// The names in the answer to [`Request::Names`]: the port mapper's own port, then a line `name NAME at port PORT` for each.
#[cfg(feature = "daemon")]
pub(super) fn names_in(answer: &[u8]) -> Vec<String> {
    let lines = answer.get(4..).unwrap_or_default();
    String::from_utf8_lossy(lines)
        .lines()
        .filter_map(|line| Some(line.strip_prefix("name ")?.split_once(" at port ")?.0.to_owned()))
        .collect()
}
