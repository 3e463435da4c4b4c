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

/// What a message led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Relayed {
    /// Pass the message on.
    Pass(Bytes),
    /// Pass the message on; the handshake is complete.
    Complete(Bytes),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Status,
    Answer,
    Challenge,
    Reply,
    Acknowledgement,
    /// Refused by the acceptor: the initiator ends the connection when it likes.
    Refused,
    Complete,
}

/// Follows a handshake between the two real nodes and masks their flags on the way (docs/ARCHITECTURE.md, "Handshake").
///
/// Both gateways run one each, so that neither trusts the other to have masked. All decisions are the nodes': `alive`,
/// `nok`, simultaneous connects, the cookie.
#[derive(Debug)]
pub struct Relay {
    state: State,
    initiator: SendName,
    acceptor: Option<Challenge>,
}

impl Relay {
    /// Begins with the initiator's first message, whose flags are masked from here on.
    ///
    /// # Errors
    /// If it is no `send_name` of OTP 23 or later.
    pub fn new(send_name: &[u8]) -> Result<Self, HandshakeError> {
        let mut initiator = SendName::parse(send_name)?;
        initiator.flags = initiator.flags.offered();
        Ok(Self {
            state: State::Status,
            initiator,
            acceptor: None,
        })
    }

    /// The initiator's first message, masked.
    pub fn send_name(&self) -> Bytes {
        self.initiator.encode()
    }

    /// The initiator's name; `None` while it is to be given one.
    pub fn initiator_name(&self) -> Option<&str> {
        (!self.initiator.flags.contains(Flags::NAME_ME) || self.initiator.name.contains('@'))
            .then_some(&self.initiator.name)
    }

    /// The acceptor's name, once it has said it.
    pub fn acceptor_name(&self) -> Option<&str> {
        self.acceptor.as_ref().map(|acceptor| acceptor.name.as_str())
    }

    /// How packets will look, and the incarnations of initiator and acceptor; once the acceptor's challenge has passed.
    pub fn agreed(&self) -> Option<(Format, u32, u32)> {
        let acceptor = self.acceptor.as_ref()?;
        let in_force = self.initiator.flags.in_force(acceptor.flags);
        Some((Format::of(in_force), self.initiator.creation, acceptor.creation))
    }

    /// Takes the next message.
    ///
    /// # Errors
    /// If it is malformed, or not due from that side.
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
            // Policy has judged a name that was there from the start.
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
            Self::Status => "the acceptor's status was due",
            Self::Answer => "the initiator's answer to alive was due",
            Self::Challenge => "the acceptor's challenge was due",
            Self::Reply => "the initiator's challenge reply was due",
            Self::Acknowledgement => "the acceptor's acknowledgement was due",
            Self::Refused => "nothing was due: the acceptor has refused",
            Self::Complete => "nothing was due: the handshake is complete",
        }
    }
}
