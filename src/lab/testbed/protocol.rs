use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::etf::Atom;
use crate::etf::Term;
use crate::etf::ValueError;
use crate::etf::from_term;
use crate::etf::to_term;

/// What a line of a node begins with that is an answer, in JSON; every other line is the runtime's own.
pub(in crate::lab) const ANSWER_PREFIX: &str = "beamway_testbed ";

/// What a node is told, one Erlang term per line. Times are in milliseconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Is that node there? Answered with a [`Pong`].
    Ping(Atom),
    /// Which nodes are connected? Answered with [`Visible`].
    Nodes,
    /// Ends the connection to that node.
    Disconnect(Atom),
    /// To that node, by so many callers, for so long.
    Calls(Atom, u32, u32),
    /// To that node, of so many bytes, at most so often, no further one after so long.
    Transfer(Atom, u64, u32, u32),
    /// To that node, for so long, beside so many senders of messages of so many bytes.
    RoundTrips(Atom, u32, Option<(u32, u64)>),
    /// To that node, by so many senders, of so many bytes, for so long.
    Stream(Atom, u32, u64, u32),
}

impl Command {
    /// Reads a line.
    pub(in crate::lab) fn parse(line: &str) -> anyhow::Result<Self> {
        Ok(from_term(&Term::parse(line)?)?)
    }
}

/// The line that a command is, without its end.
pub(in crate::lab) fn command_line(command: &impl Serialize) -> Result<String, ValueError> {
    Ok(format!("{}.", to_term(command)?))
}

/// To [`Command::Ping`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pong {
    /// Whether the other node answered.
    pub pong: bool,
}

/// To [`Command::Nodes`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Visible {
    /// `nodes()`, sorted.
    pub nodes: Vec<String>,
}

/// To [`Command::Disconnect`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Disconnected {
    /// Whether there was a connection.
    pub disconnected: bool,
}

/// What the far node found when it compared what it saw with what must come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// It saw exactly what was sent.
    pub verified: bool,
    /// What differed, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wrong: String,
}

impl Verdict {
    /// Good, or `wrong`.
    pub(in crate::lab) fn of(verified: bool, wrong: impl fmt::Display) -> Self {
        Self {
            verified,
            wrong: if verified { String::new() } else { wrong.to_string() },
        }
    }
}

/// To [`Command::Calls`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallsAnswer {
    /// Calls that were answered.
    pub calls: u64,
    /// Within this time, microseconds.
    pub us: u64,
    /// Of the servers.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// To [`Command::Transfer`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TransferAnswer {
    /// Size of a message.
    #[serde(default)]
    pub bytes: u64,
    /// Until each was in the receiver's mailbox, microseconds.
    #[serde(default)]
    pub us: Vec<u64>,
    /// Of the receiver.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// To [`Command::RoundTrips`]; times in microseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RoundTripsAnswer {
    /// Calls made.
    pub samples: u64,
    /// Half of them took no longer.
    pub p50: u64,
    /// Nine in ten took no longer.
    pub p90: u64,
    /// 99 in a hundred took no longer.
    pub p99: u64,
    /// The slowest.
    pub max: u64,
    /// What was sent beside them.
    #[serde(default)]
    pub bytes: u64,
    /// Within this time.
    #[serde(default)]
    pub us: u64,
    /// Of the servers, and of the receivers beside them.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// To [`Command::Stream`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StreamAnswer {
    /// Messages sent.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Within this time, microseconds.
    pub us: u64,
    /// Of the receivers.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// The far node saw something else than was sent.
#[derive(Debug, thiserror::Error)]
#[error("over {carrier} the receiver did not get what was sent: {wrong}")]
pub struct NotWhatWasSent {
    /// What was to carry it.
    pub carrier: String,
    /// What differed.
    pub wrong: String,
}

/// A figure that the far node vouches for.
pub(in crate::lab) trait Verified {
    fn verdict(&self) -> &Verdict;
}

macro_rules! verified {
    ($($answer:ty),*) => {$(
        impl $crate::lab::testbed::protocol::Verified for $answer {
            fn verdict(&self) -> &$crate::lab::testbed::protocol::Verdict {
                &self.verdict
            }
        }
    )*};
}

pub(in crate::lab) use verified;

verified!(CallsAnswer, TransferAnswer, RoundTripsAnswer, StreamAnswer);

/// The line that an answer is, without its end.
pub(in crate::lab) fn answer_line(answer: &Value) -> String {
    format!("{ANSWER_PREFIX}{answer}")
}
