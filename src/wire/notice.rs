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

/// The version of the protocol that is spoken: 2 has runs, in 3 a strand may change its lane, 4 has 4096 strands.
pub const VERSION: u32 = 4;

/// The longest notice, in bytes. The longest in practice is a receipt for many circuits; it is split well below this.
pub const NOTICE_MAX: usize = 256 * 1024;

/// What one daemon tells another, apart from the numbering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Who the sender is; first on every control stream.
    Hello(Hello),
    /// This trunk carries the session.
    Welcome(SessionId),
    /// What arrived and what was delivered.
    Receipt(Receipt),
    /// A node of the sender's host is up.
    NodeUp {
        /// The part before the `@`.
        name: String,
        /// The host parts under which it may be meant.
        hosts: Vec<String>,
        /// Whether it registered as a hidden node.
        hidden: bool,
    },
    /// A node of the sender's host is gone.
    NodeDown {
        /// The part before the `@`.
        name: String,
    },
    /// A circuit is wanted.
    Open(Open),
    /// A message of the distribution handshake.
    Handshake {
        /// The circuit being set up.
        circuit: CircuitId,
        /// The message without its length, flags masked.
        message: Bytes,
        /// The credit granted at first, in bytes; zero unless this is the first message of the accepting side.
        credit: u64,
    },
    /// A circuit ends.
    Close(Close),
    /// The sender is about to leave.
    Leaving {
        /// For people and logs.
        reason: String,
    },
    /// The sender leaves.
    Goodbye {
        /// For people and logs.
        reason: String,
    },
}

/// Who a daemon is and what it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Lowest and highest protocol version spoken.
    pub versions: (u32, u32),
    /// The daemon's name; its certificate must carry it.
    pub name: String,
    /// Drawn at random when the daemon started.
    pub boot: [u8; 16],
    /// Lanes wanted in each direction, 1 … [`LANES_MAX`].
    pub lanes: u8,
    /// Name and version of the software.
    pub software: String,
    /// The session that the sender still has with the peer.
    pub session: Option<SessionId>,
    /// Whether the sender passes by: another life under its name may be there, whose session is not touched.
    pub passing: bool,
}

/// A session, and how far it has come: both daemons know it by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionId {
    /// Drawn by the daemon with the lower name; not zero.
    pub session: u64,
    /// How many trunks have carried it, the present one included.
    pub trunk: u64,
}

/// Up to this frame of this lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The lane.
    pub lane: LaneId,
    /// The highest frame meant.
    pub number: u64,
}

/// Cumulative totals of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The highest frame of each lane that is in memory.
    pub received: Vec<Mark>,
    /// The highest notice received.
    pub notices: u64,
    /// Circuits that made progress.
    pub circuits: Vec<Progress>,
}

/// How far one circuit has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The circuit.
    pub circuit: CircuitId,
    /// The highest frame, per strand, that has its place in the order written to the BEAM; of strands that got further.
    pub delivered: Vec<FrameId>,
    /// Bytes that may have been charged in all since the circuit was opened.
    pub credit: u64,
}

/// A circuit is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its id.
    pub circuit: CircuitId,
    /// The node wanted, `name@host`.
    pub target: String,
    /// The BEAM's first handshake message, flags masked.
    pub send_name: Bytes,
    /// The credit granted at first, in bytes.
    pub credit: u64,
}

/// A circuit ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The circuit.
    pub circuit: CircuitId,
    /// The last frame of each strand that carried one.
    pub last: Vec<FrameId>,
    /// For people and logs.
    pub reason: String,
}

impl Notice {
    /// Whether the notice counts in the numbering of the session: all do but those that restate or introduce.
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
                    return Err(WireError::Notice("a welcome to no session"));
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
            _ => Err(WireError::Notice("a lane that no session has")),
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
            _ => Err(WireError::Notice("a strand that no circuit has")),
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
            passing: hello.passing,
        }
    }
}

impl TryFrom<proto::Hello> for Hello {
    type Error = WireError;

    fn try_from(hello: proto::Hello) -> Result<Self, WireError> {
        let boot = hello
            .boot
            .try_into()
            .map_err(|_| WireError::Notice("a boot id that is not 16 bytes"))?;
        let lanes = u8::try_from(hello.lanes)
            .ok()
            .filter(|lanes| (1..=LANES_MAX).contains(lanes))
            .ok_or(WireError::Notice("a number of lanes that is not 1 to 64"))?;
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
            passing: hello.passing,
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

/// Cuts the bytes of a control stream into notices.
#[derive(Debug, Default)]
pub struct NoticeDecoder {
    buffer: BytesMut,
}

impl NoticeDecoder {
    /// Adds bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole notice with its number, if it has arrived.
    ///
    /// # Errors
    /// If the notice is longer than [`NOTICE_MAX`], is no protobuf of `proto/notice.proto`, or a field is outside its range.
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
