use bytes::Bytes;

use super::Flags;
use super::Format;
use super::HandshakeError;
use super::handshake::Acknowledgement;
use super::handshake::Challenge;
use super::handshake::Reply;
use super::handshake::SendName;
use super::handshake::Status;

/// The two nodes of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// The node that accepts.
    Acceptor,
    /// The node that connects.
    Initiator,
}

impl Party {
    const fn name(self) -> &'static str {
        match self {
            Self::Acceptor => "acceptor",
            Self::Initiator => "initiator",
        }
    }
}

/// The result of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Relayed {
    /// Pass the message on.
    Pass(Bytes),
    /// Pass the message on. The handshake is complete.
    Complete(Bytes),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Status,
    Answer,
    Challenge,
    Reply,
    Acknowledgement,
    /// Rejected by the acceptor: the initiator closes the connection.
    Refused,
    Complete,
}

/// Relays a handshake between two nodes and masks their flags (docs/ARCHITECTURE.md, "Handshake").
///
/// Both gateways use one, so that neither relies on the other to mask the flags. The nodes make all decisions: `alive`,
/// `nok`, simultaneous connects, the cookie.
#[derive(Debug)]
pub struct Relay {
    state: State,
    initiator: SendName,
    acceptor: Option<Challenge>,
}

impl Relay {
    /// Starts with the initiator's first message and masks its flags.
    ///
    /// # Errors
    /// If the message is not a `send_name` of OTP 23 or later.
    pub fn new(send_name: &[u8]) -> Result<Self, HandshakeError> {
        let mut initiator = SendName::parse(send_name)?;
        initiator.flags = initiator.flags.offered();
        Ok(Self {
            state: State::Status,
            initiator,
            acceptor: None,
        })
    }

    /// The initiator's first message with masked flags.
    pub fn send_name(&self) -> Bytes {
        self.initiator.encode()
    }

    /// The initiator's name; `None` as long as the acceptor has to assign one.
    pub fn initiator_name(&self) -> Option<&str> {
        (!self.initiator.flags.contains(Flags::NAME_ME) || self.initiator.name.contains('@'))
            .then_some(&self.initiator.name)
    }

    /// Whether the initiator is a visible node, which others can connect to.
    pub fn initiator_is_visible(&self) -> bool {
        self.initiator.flags.contains(Flags::PUBLISHED)
    }

    /// The acceptor's name, once it is known.
    pub fn acceptor_name(&self) -> Option<&str> {
        self.acceptor.as_ref().map(|acceptor| acceptor.name.as_str())
    }

    /// Whether the initiator still waits for the acceptor's status, its first message.
    pub fn awaits_status(&self) -> bool {
        matches!(self.state, State::Status)
    }

    /// Whether the initiator knows the acceptor's name, and has not answered its challenge.
    pub fn awaits_reply(&self) -> bool {
        matches!(self.state, State::Reply)
    }

    /// The packet format and the incarnations of initiator and acceptor, once the acceptor's challenge has passed.
    pub fn agreed(&self) -> Option<(Format, u32, u32)> {
        let acceptor = self.acceptor.as_ref()?;
        let in_force = self.initiator.flags.in_force(acceptor.flags);
        Some((Format::of(in_force), self.initiator.creation, acceptor.creation))
    }

    /// Handles the next message.
    ///
    /// # Errors
    /// If the message is malformed, or not expected from that side.
    pub fn handle(&mut self, from: Party, message: &Bytes) -> Result<Relayed, HandshakeError> {
        match (self.state, from) {
            (State::Status, Party::Acceptor) => self.status(message),
            (State::Answer, Party::Initiator) => {
                let status = Status::parse(message)?;
                self.state = if status == Status::Answer(true) {
                    State::Challenge
                } else {
                    State::Refused
                };
                Ok(Relayed::Pass(status.encode()))
            }
            (State::Challenge, Party::Acceptor) => {
                let mut challenge = Challenge::parse(message)?;
                challenge.flags = challenge.flags.offered();
                let passed = challenge.encode();
                self.acceptor = Some(challenge);
                self.state = State::Reply;
                Ok(Relayed::Pass(passed))
            }
            (State::Reply, Party::Initiator) => {
                Reply::parse(message)?;
                self.state = State::Acknowledgement;
                Ok(Relayed::Pass(message.clone()))
            }
            (State::Acknowledgement, Party::Acceptor) => {
                Acknowledgement::parse(message)?;
                self.state = State::Complete;
                Ok(Relayed::Complete(message.clone()))
            }
            (state, from) => Err(HandshakeError::OutOfState {
                from: from.name(),
                message: message.first().map_or('?', |byte| char::from(*byte)),
                state: state.due(),
            }),
        }
    }

    fn status(&mut self, message: &[u8]) -> Result<Relayed, HandshakeError> {
        let status = Status::parse(message)?;
        self.state = match &status {
            Status::Ok | Status::OkSimultaneous => State::Challenge,
            Status::Alive => State::Answer,
            // The policy has approved the initial name.
            Status::Named { name, .. } if !self.initiator.flags.contains(Flags::NAME_ME) => {
                return Err(HandshakeError::Named(name.clone()));
            }
            Status::Named { name, creation } => {
                self.initiator.name.clone_from(name);
                self.initiator.creation = *creation;
                State::Challenge
            }
            Status::Nok | Status::NotAllowed | Status::Answer(_) => State::Refused,
        };
        Ok(Relayed::Pass(status.encode()))
    }
}

impl State {
    const fn due(self) -> &'static str {
        match self {
            Self::Status => "expected the acceptor's status",
            Self::Answer => "expected the initiator's reply to alive",
            Self::Challenge => "expected the acceptor's challenge",
            Self::Reply => "expected the initiator's challenge reply",
            Self::Acknowledgement => "expected the acceptor's challenge acknowledgement",
            Self::Refused => "the acceptor has rejected the connection",
            Self::Complete => "the handshake is complete",
        }
    }
}
