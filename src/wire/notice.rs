use std::net::SocketAddr;

use bytes::Bytes;
use bytes::BytesMut;
use prost::Message;

use super::CircuitId;
use super::FrameId;
use super::LANES_MAX;
use super::LaneId;
use super::STRANDS;
use super::StrandId;
use super::WireError;
use super::generated as proto;
use crate::codec::Reader;
use crate::codec::Writer;

/// The protocol version. Version 2 added runs, in version 3 a strand may change its lane, version 4 has 4096 strands, and
/// in version 5 peers are told of nodes that fall silent ([`Notice::Silence`]).
pub const VERSION: u32 = 5;

/// The earliest version that is spoken with a peer that has none later.
pub const VERSION_MIN: u32 = 4;

/// The first version with [`Notice::Silence`].
pub const VERSION_OF_SILENCE: u32 = 5;

/// The maximum length of a notice in bytes. The longest notices are receipts for many circuits, which are split well
/// below this limit.
pub const NOTICE_MAX: usize = 256 * 1024;

/// A notice from one daemon to another, without its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Introduces the sender. The first notice on every control stream.
    Hello(Hello),
    /// This trunk carries the session from now on.
    Welcome(SessionId),
    /// What has arrived and what has been delivered.
    Receipt(Receipt),
    /// A node of the sender's host is up.
    NodeUp {
        /// The part before the `@`.
        name: String,
        /// The host parts under which the node can be addressed.
        hosts: Vec<String>,
        /// Whether the node is registered as hidden.
        hidden: bool,
    },
    /// A node of the sender's host is gone.
    NodeDown {
        /// The part before the `@`.
        name: String,
    },
    /// Requests a circuit.
    Open(Open),
    /// A message of the distribution handshake.
    Handshake {
        /// The circuit that is being set up.
        circuit: CircuitId,
        /// The message without its length, with masked flags.
        message: Bytes,
        /// The initial credit in bytes; zero unless this is the first message of the accepting side.
        credit: u64,
    },
    /// Closes a circuit.
    Close(Close),
    /// The node of the sender has fallen silent, or speaks again. From [`VERSION_OF_SILENCE`] on.
    Silence {
        /// The circuit.
        circuit: CircuitId,
        /// Whether it is silent.
        is_silent: bool,
    },
    /// Peers with which the sender has a session, or has none any more. Only to a peer that [exchanges](Hello::exchanges).
    Peers(Vec<KnownPeer>),
    /// The sender is about to leave.
    Leaving {
        /// For people and logs.
        reason: String,
    },
    /// The sender leaves now.
    Goodbye {
        /// For people and logs.
        reason: String,
    },
}

/// Identifies a daemon and its protocol parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The lowest and highest supported protocol version.
    pub versions: (u32, u32),
    /// The name of the daemon. Its certificate must contain it.
    pub name: String,
    /// Random bytes, chosen when the daemon started.
    pub boot: [u8; 16],
    /// The number of lanes requested in each direction, 1 … [`LANES_MAX`].
    pub lanes: u8,
    /// Name and version of the software.
    pub software: String,
    /// The session that the sender still has with the peer.
    pub session: Option<SessionId>,
    /// Whether the sender is a temporary daemon: another daemon with the same name may have a session, which is not
    /// affected.
    pub temporary: bool,
    /// The UDP port at which the sender listens; 0 if it does not, or does not say.
    pub port: u16,
    /// Whether the sender understands [`Notice::Peers`].
    pub exchanges: bool,
}

/// A peer with which the sender has a session, or has none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPeer {
    /// The name of the daemon.
    pub name: String,
    /// Where it listens, as the sender sees it. Empty: the sender has no session with it any more.
    pub addresses: Vec<SocketAddr>,
}

/// Identifies a session on both sides, and how many trunks have carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionId {
    /// Chosen by the daemon with the lower name. Not zero.
    pub session: u64,
    /// The number of trunks that have carried the session, including the current one.
    pub trunk: u64,
}

/// All frames of a lane up to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The lane.
    pub lane: LaneId,
    /// The highest frame number.
    pub number: u64,
}

/// Cumulative totals of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The highest frame of each lane that has arrived in memory.
    pub received: Vec<Mark>,
    /// The highest notice that has arrived.
    pub notices: u64,
    /// The circuits that made progress.
    pub circuits: Vec<Progress>,
}

/// The progress of one circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The circuit.
    pub circuit: CircuitId,
    /// Per strand, the highest frame whose position in the order written to the BEAM is fixed. Only strands that
    /// advanced.
    pub delivered: Vec<FrameId>,
    /// The total number of bytes that may be charged since the circuit was opened.
    pub credit: u64,
}

/// Requests a circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The id of the circuit.
    pub circuit: CircuitId,
    /// The target node, `name@host`.
    pub target: String,
    /// The first handshake message of the BEAM, with masked flags.
    pub send_name: Bytes,
    /// The initial credit in bytes.
    pub credit: u64,
}

/// Closes a circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The circuit.
    pub circuit: CircuitId,
    /// The last frame of each strand that was used.
    pub last: Vec<FrameId>,
    /// For people and logs.
    pub reason: String,
}

impl Notice {
    /// Whether the notice is numbered. All notices are, except those that introduce a daemon or restate totals.
    pub const fn is_numbered(&self) -> bool {
        !matches!(self, Self::Hello(_) | Self::Welcome(_) | Self::Receipt(_))
    }

    /// Appends the notice with its length.
    pub fn encode(self, number: u64, out: &mut BytesMut) {
        let message = proto::Notice {
            number,
            body: Some(self.into_body()),
        };
        Writer::new(out).varint(message.encoded_len() as u64);
        message.encode_raw(out);
    }

    fn into_body(self) -> proto::notice::Body {
        use proto::notice::Body;
        match self {
            Self::Hello(hello) => Body::Hello(hello.into()),
            Self::Welcome(id) => Body::Welcome(proto::Welcome {
                session: id.session,
                trunk: id.trunk,
            }),
            Self::Receipt(receipt) => Body::Receipt(receipt.into()),
            Self::NodeUp { name, hosts, hidden } => Body::NodeUp(proto::NodeUp { name, hosts, hidden }),
            Self::NodeDown { name } => Body::NodeDown(proto::NodeDown { name }),
            Self::Open(open) => Body::Open(proto::Open {
                circuit: open.circuit.0,
                target: open.target,
                send_name: open.send_name.into(),
                credit: open.credit,
            }),
            Self::Handshake {
                circuit,
                message,
                credit,
            } => Body::Handshake(proto::Handshake {
                circuit: circuit.0,
                message: message.into(),
                credit,
            }),
            Self::Close(close) => Body::Close(proto::Close {
                circuit: close.circuit.0,
                last: frames_out(close.last),
                reason: close.reason,
            }),
            Self::Silence { circuit, is_silent } => Body::Silence(proto::Silence {
                circuit: circuit.0,
                silent: is_silent,
            }),
            Self::Peers(peers) => Body::Peers(proto::Peers {
                peers: peers.into_iter().map(Into::into).collect(),
            }),
            Self::Leaving { reason } => Body::Leaving(proto::Leaving { reason }),
            Self::Goodbye { reason } => Body::Goodbye(proto::Goodbye { reason }),
        }
    }

    fn from_body(body: proto::notice::Body) -> Result<Self, WireError> {
        use proto::notice::Body;
        Ok(match body {
            Body::Hello(hello) => Self::Hello(hello.try_into()?),
            Body::Welcome(welcome) => {
                let (session, trunk) = (welcome.session, welcome.trunk);
                if session == 0 || trunk == 0 {
                    return Err(WireError::Notice("welcome without a session id"));
                }
                Self::Welcome(SessionId { session, trunk })
            }
            Body::Receipt(receipt) => Self::Receipt(receipt.try_into()?),
            Body::NodeUp(up) => Self::NodeUp {
                name: up.name,
                hosts: up.hosts,
                hidden: up.hidden,
            },
            Body::NodeDown(down) => Self::NodeDown { name: down.name },
            Body::Open(open) => Self::Open(Open {
                circuit: CircuitId(open.circuit),
                target: open.target,
                send_name: open.send_name.into(),
                credit: open.credit,
            }),
            Body::Handshake(step) => Self::Handshake {
                circuit: CircuitId(step.circuit),
                message: step.message.into(),
                credit: step.credit,
            },
            Body::Close(close) => Self::Close(Close {
                circuit: CircuitId(close.circuit),
                last: frames_in(close.last)?,
                reason: close.reason,
            }),
            Body::Silence(silence) => Self::Silence {
                circuit: CircuitId(silence.circuit),
                is_silent: silence.silent,
            },
            Body::Peers(peers) => {
                let peers = peers.peers.into_iter().map(TryInto::try_into);
                Self::Peers(peers.collect::<Result<_, _>>()?)
            }
            Body::Leaving(leaving) => Self::Leaving { reason: leaving.reason },
            Body::Goodbye(goodbye) => Self::Goodbye { reason: goodbye.reason },
        })
    }
}

fn marks_out(marks: Vec<Mark>) -> Vec<proto::Mark> {
    marks
        .into_iter()
        .map(|mark| proto::Mark {
            lane: mark.lane.into(),
            number: mark.number,
        })
        .collect()
}

fn marks_in(marks: Vec<proto::Mark>) -> Result<Vec<Mark>, WireError> {
    marks
        .into_iter()
        .map(|mark| match LaneId::try_from(mark.lane) {
            Ok(lane) if lane < LANES_MAX => Ok(Mark {
                lane,
                number: mark.number,
            }),
            _ => Err(WireError::Notice("lane number out of range")),
        })
        .collect()
}

fn frames_out(frames: Vec<FrameId>) -> Vec<proto::FrameId> {
    frames
        .into_iter()
        .map(|frame| proto::FrameId {
            strand: frame.strand.into(),
            number: frame.number,
        })
        .collect()
}

fn frames_in(frames: Vec<proto::FrameId>) -> Result<Vec<FrameId>, WireError> {
    frames
        .into_iter()
        .map(|frame| match StrandId::try_from(frame.strand) {
            Ok(strand) if strand < STRANDS => Ok(FrameId {
                strand,
                number: frame.number,
            }),
            _ => Err(WireError::Notice("strand number out of range")),
        })
        .collect()
}

impl From<Hello> for proto::Hello {
    fn from(hello: Hello) -> Self {
        Self {
            version_min: hello.versions.0,
            version_max: hello.versions.1,
            name: hello.name,
            boot: hello.boot.to_vec(),
            lanes: hello.lanes.into(),
            software: hello.software,
            session: hello.session.map_or(0, |id| id.session),
            trunk: hello.session.map_or(0, |id| id.trunk),
            temporary: hello.temporary,
            port: hello.port.into(),
            exchange: hello.exchanges,
        }
    }
}

impl TryFrom<proto::Hello> for Hello {
    type Error = WireError;

    fn try_from(hello: proto::Hello) -> Result<Self, WireError> {
        let boot = hello
            .boot
            .try_into()
            .map_err(|_| WireError::Notice("boot id must have 16 bytes"))?;
        let lanes = u8::try_from(hello.lanes)
            .ok()
            .filter(|lanes| (1..=LANES_MAX).contains(lanes))
            .ok_or(WireError::Notice("number of lanes must be 1 to 64"))?;
        Ok(Self {
            versions: (hello.version_min, hello.version_max),
            name: hello.name,
            boot,
            lanes,
            software: hello.software,
            session: (hello.session != 0).then_some(SessionId {
                session: hello.session,
                trunk: hello.trunk,
            }),
            temporary: hello.temporary,
            port: u16::try_from(hello.port).map_err(|_| WireError::Notice("port out of range"))?,
            exchanges: hello.exchange,
        })
    }
}

impl From<KnownPeer> for proto::KnownPeer {
    fn from(peer: KnownPeer) -> Self {
        Self {
            name: peer.name,
            addresses: peer.addresses.iter().map(ToString::to_string).collect(),
        }
    }
}

impl TryFrom<proto::KnownPeer> for KnownPeer {
    type Error = WireError;

    fn try_from(peer: proto::KnownPeer) -> Result<Self, WireError> {
        let addresses = peer.addresses.iter().map(|address| address.parse());
        Ok(Self {
            name: peer.name,
            addresses: addresses
                .collect::<Result<_, _>>()
                .map_err(|_| WireError::Notice("not an address of a peer"))?,
        })
    }
}

impl From<Receipt> for proto::Receipt {
    fn from(receipt: Receipt) -> Self {
        Self {
            received: marks_out(receipt.received),
            notices: receipt.notices,
            circuits: receipt
                .circuits
                .into_iter()
                .map(|progress| proto::Progress {
                    circuit: progress.circuit.0,
                    delivered: frames_out(progress.delivered),
                    credit: progress.credit,
                })
                .collect(),
        }
    }
}

impl TryFrom<proto::Receipt> for Receipt {
    type Error = WireError;

    fn try_from(receipt: proto::Receipt) -> Result<Self, WireError> {
        let circuits = receipt.circuits.into_iter().map(|progress| {
            Ok(Progress {
                circuit: CircuitId(progress.circuit),
                delivered: frames_in(progress.delivered)?,
                credit: progress.credit,
            })
        });
        Ok(Self {
            received: marks_in(receipt.received)?,
            notices: receipt.notices,
            circuits: circuits.collect::<Result<_, WireError>>()?,
        })
    }
}

/// Decodes the bytes of a control stream into notices.
#[derive(Debug, Default)]
pub struct NoticeDecoder {
    buffer: BytesMut,
}

impl NoticeDecoder {
    /// Adds received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete notice and its number, if it has arrived.
    ///
    /// # Errors
    /// If the notice is longer than [`NOTICE_MAX`], is not a valid message of `proto/notice.proto`, or has a field out
    /// of range.
    pub fn poll_notice(&mut self) -> Result<Option<(u64, Notice)>, WireError> {
        let mut reader = Reader::new(&self.buffer);
        let Ok(length) = reader.varint("notice length") else {
            return Ok(None);
        };
        if length > NOTICE_MAX as u64 {
            return Err(WireError::Oversized {
                what: "notice",
                length,
                limit: NOTICE_MAX as u64,
            });
        }
        let Ok(bytes) = reader.take(length as usize, "notice") else {
            return Ok(None);
        };
        let message = proto::Notice::decode(bytes).map_err(|error| WireError::Protobuf(error.to_string()))?;
        let used = self.buffer.len() - reader.len();
        let _ = self.buffer.split_to(used);
        let body = message.body.ok_or(WireError::Notice("no body"))?;
        Ok(Some((message.number, Notice::from_body(body)?)))
    }
}
