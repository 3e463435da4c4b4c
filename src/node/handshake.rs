use std::collections::VecDeque;

use bytes::Bytes;
use md5::Digest;
use md5::Md5;

use super::ConnectionError;
use super::Cookie;
use crate::dist::Flags;
use crate::dist::HandshakeError;
use crate::dist::handshake::Acknowledgement;
use crate::dist::handshake::Challenge;
use crate::dist::handshake::Reply;
use crate::dist::handshake::SendName;
use crate::dist::handshake::Status;

/// The distribution flags that a native node offers, and supports.
pub(super) const OFFERED: Flags = Flags::MANDATORY_25
    .with(NEEDED)
    .with(Flags::UNICODE_IO)
    .with(Flags::SMALL_ATOM_TAGS)
    .with(Flags::BIG_SEQTRACE_LABELS)
    .with(Flags::SPAWN)
    .with(Flags::MANDATORY_25_DIGEST);

/// The flags that it requires of other nodes. Every release from OTP 25 on offers them.
pub(super) const NEEDED: Flags = Flags::DIST_MONITOR
    .with(Flags::DIST_MONITOR_NAME)
    .with(Flags::SEND_SENDER)
    .with(Flags::EXIT_PAYLOAD)
    .with(Flags::FRAGMENTS)
    .with(Flags::UNLINK_ID)
    .with(Flags::V4_NC)
    .with(Flags::ALIAS);

/// This node in a handshake.
#[derive(Clone, Debug)]
pub(crate) struct OwnIdentity {
    /// `name@host`.
    pub(crate) name: String,
    /// Our creation.
    pub(crate) creation: u32,
    /// Whether other nodes list this one in `nodes()`.
    pub(crate) is_visible: bool,
    /// The cookie that all nodes share.
    pub(crate) cookie: Cookie,
}

impl OwnIdentity {
    fn flags(&self) -> Flags {
        if self.is_visible {
            OFFERED | Flags::PUBLISHED
        } else {
            OFFERED
        }
    }

    fn digest(&self, challenge: u32) -> [u8; 16] {
        Md5::new()
            .chain_update(self.cookie.expose())
            .chain_update(challenge.to_string())
            .finalize()
            .into()
    }
}

/// The other node, as known from the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FarIdentity {
    /// `name@host`.
    pub(crate) name: String,
    /// Its creation.
    pub(crate) creation: u32,
    /// The flags that both nodes support.
    pub(crate) flags: Flags,
}

impl FarIdentity {
    /// Whether both nodes are visible, and so list each other in `nodes()`.
    pub(crate) const fn is_visible(&self) -> bool {
        self.flags.contains(Flags::PUBLISHED)
    }
}

/// The result of handling one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeStep {
    /// Send the messages that [`Handshake::poll_message`] returns, and wait for the next one.
    Continue,
    /// A node wants to connect: decide with [`Handshake::decide`].
    Asked(String),
    /// The connection is established, once the remaining messages have been sent.
    Complete(FarIdentity),
}

/// The message that is expected next from the other node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Status,
    Challenge,
    Acknowledgement,
    Name,
    Decision,
    Answer,
    Reply,
    Nothing,
}

/// One side of the distribution handshake, independent of the transport.
///
/// The initiator starts with a message to send; the acceptor waits for one.
#[derive(Debug)]
pub(crate) struct Handshake {
    own: OwnIdentity,
    /// Our challenge, which the other node must answer.
    challenge: u32,
    /// The node that was dialled, or that has dialled.
    far: FarIdentity,
    due: Due,
    messages: VecDeque<Bytes>,
}

impl Handshake {
    /// Explains why the other node, or its gateway, has ended the connection. A node with another cookie closes it without a
    /// message, when its acknowledgement is due.
    pub(crate) fn ended(&self, by: ConnectionError) -> ConnectionError {
        match self.due {
            Due::Acknowledgement => ConnectionError::Unacknowledged {
                node: self.far.name.clone(),
                by: by.to_string(),
            },
            _ => by,
        }
    }

    /// Starts a handshake with `target`. `challenge` must be random.
    pub(crate) fn initiate(own: OwnIdentity, target: &str, challenge: u32) -> Self {
        let mut handshake = Self::new(own, target, challenge, Due::Status);
        handshake.messages.push_back(
            SendName {
                flags: handshake.own.flags(),
                creation: handshake.own.creation,
                name: handshake.own.name.clone(),
            }
            .encode(),
        );
        handshake
    }

    /// Waits for a node that connects. `challenge` must be random.
    pub(crate) fn accept(own: OwnIdentity, challenge: u32) -> Self {
        Self::new(own, "", challenge, Due::Name)
    }

    fn new(own: OwnIdentity, far: &str, challenge: u32, due: Due) -> Self {
        let far = FarIdentity {
            name: far.to_owned(),
            creation: 0,
            flags: Flags::default(),
        };
        Self {
            own,
            challenge,
            far,
            due,
            messages: VecDeque::new(),
        }
    }

    /// The next message to send to the other node.
    pub(crate) fn poll_message(&mut self) -> Option<Bytes> {
        self.messages.pop_front()
    }

    /// Handles the next message of the other node.
    ///
    /// # Errors
    /// If the message is malformed or not the expected one, or either node refuses the connection. The messages that
    /// [`poll_message`](Self::poll_message) returns must still be sent.
    pub(crate) fn handle_message(&mut self, message: &[u8]) -> Result<HandshakeStep, ConnectionError> {
        match self.due {
            Due::Status => self.status(message),
            Due::Challenge => self.challenged(message),
            Due::Acknowledgement => {
                let far = Acknowledgement::parse(message)?;
                self.check(far.digest)?;
                Ok(self.complete())
            }
            Due::Name => self.named(message),
            Due::Answer => match Status::parse(message)? {
                Status::Answer(true) => {
                    self.challenge();
                    Ok(HandshakeStep::Continue)
                }
                _ => Err(self.refused("it keeps its existing connection")),
            },
            Due::Reply => {
                let reply = Reply::parse(message)?;
                self.check(reply.digest)?;
                let digest = self.own.digest(reply.challenge);
                self.messages.push_back(Acknowledgement { digest }.encode());
                Ok(self.complete())
            }
            Due::Decision | Due::Nothing => Err(HandshakeError::Unexpected {
                expected: "nothing",
                found: message.first().copied().unwrap_or_default(),
            }
            .into()),
        }
    }

    /// Answers a node that wants to connect.
    ///
    /// # Errors
    /// If the answer ends the handshake. It must still be sent.
    pub(crate) fn decide(&mut self, status: Status) -> Result<(), ConnectionError> {
        self.messages.push_back(status.encode());
        match status {
            Status::Ok | Status::OkSimultaneous => self.challenge(),
            Status::Alive => self.due = Due::Answer,
            _ => return Err(self.refusing("another connection to it is being set up")),
        }
        Ok(())
    }

    fn status(&mut self, message: &[u8]) -> Result<HandshakeStep, ConnectionError> {
        match Status::parse(message)? {
            Status::Ok | Status::OkSimultaneous => {}
            // It has not noticed yet that the previous connection is gone.
            Status::Alive => self.messages.push_back(Status::Answer(true).encode()),
            Status::Nok => return Err(self.refused("nok")),
            Status::NotAllowed => return Err(self.refused("not_allowed")),
            Status::Named { .. } | Status::Answer(_) => return Err(self.refused("an unexpected status")),
        }
        self.due = Due::Challenge;
        Ok(HandshakeStep::Continue)
    }

    fn challenged(&mut self, message: &[u8]) -> Result<HandshakeStep, ConnectionError> {
        let challenge = Challenge::parse(message)?;
        if challenge.name != self.far.name {
            return Err(ConnectionError::WrongNode {
                wanted: self.far.name.clone(),
                found: challenge.name,
            });
        }
        self.learn(challenge.creation, challenge.flags)?;
        let digest = self.own.digest(challenge.challenge);
        let reply = Reply {
            challenge: self.challenge,
            digest,
        };
        self.messages.push_back(reply.encode());
        self.due = Due::Acknowledgement;
        Ok(HandshakeStep::Continue)
    }

    fn named(&mut self, message: &[u8]) -> Result<HandshakeStep, ConnectionError> {
        let name = SendName::parse(message)?;
        self.far.name = name.name;
        let why = if name.flags.contains(Flags::NAME_ME) {
            "it asks for a node name, and a native node does not assign any"
        } else if self.far.name == self.own.name {
            "it has the same name as this node"
        } else if crate::dist::NodeName::new(&self.far.name).is_err() {
            "its name is not a valid node name"
        } else {
            if let Err(error) = self.learn(name.creation, name.flags) {
                self.messages.push_back(Status::NotAllowed.encode());
                return Err(error);
            }
            self.due = Due::Decision;
            return Ok(HandshakeStep::Asked(self.far.name.clone()));
        };
        self.messages.push_back(Status::NotAllowed.encode());
        Err(self.refusing(why))
    }

    fn challenge(&mut self) {
        let challenge = Challenge {
            flags: self.own.flags(),
            challenge: self.challenge,
            creation: self.own.creation,
            name: self.own.name.clone(),
        };
        self.messages.push_back(challenge.encode());
        self.due = Due::Reply;
    }

    fn learn(&mut self, creation: u32, flags: Flags) -> Result<(), ConnectionError> {
        let missing = Flags::MANDATORY_25.with(NEEDED).without(flags.expanded());
        if missing != Flags::default() {
            return Err(ConnectionError::Flags {
                node: self.far.name.clone(),
                missing: format!("{missing:?}"),
            });
        }
        self.far.creation = creation;
        self.far.flags = flags.in_force(self.own.flags());
        Ok(())
    }

    fn check(&mut self, digest: [u8; 16]) -> Result<(), ConnectionError> {
        self.due = Due::Nothing;
        if digest == self.own.digest(self.challenge) {
            Ok(())
        } else {
            Err(ConnectionError::Cookie(self.far.name.clone()))
        }
    }

    fn complete(&mut self) -> HandshakeStep {
        self.due = Due::Nothing;
        HandshakeStep::Complete(self.far.clone())
    }

    fn refused(&mut self, status: &'static str) -> ConnectionError {
        self.due = Due::Nothing;
        ConnectionError::Refused {
            node: self.far.name.clone(),
            status,
        }
    }

    fn refusing(&mut self, why: &'static str) -> ConnectionError {
        self.due = Due::Nothing;
        ConnectionError::Refusing {
            node: self.far.name.clone(),
            why,
        }
    }
}
