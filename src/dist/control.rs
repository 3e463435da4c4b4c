use std::borrow::Cow;

use super::ControlError;
use super::Format;
use super::Operation;
use super::format::VERSION;
use crate::codec::Reader;
use crate::etf::AtomText;
use crate::etf::Pid;
use crate::etf::Reference;
use crate::etf::atom;
use crate::etf::is_atom;
use crate::etf::is_pid;
use crate::etf::is_reference;
use crate::etf::low_bits;
use crate::etf::pid;
use crate::etf::reference;
use crate::etf::skip;
use crate::etf::small_tuple;
use crate::etf::unsigned;

/// ALTACT_SIG_SEND: a trace token follows the destination.
const ALTACT_TOKEN: u64 = 2;
/// ALTACT_SIG_SEND: the destination is an alias (`DFLAG_ALTACT_SIG` in `erl_dist_protocol`).
const ALTACT_ALIAS: u64 = 4;
/// ALTACT_SIG_SEND: the destination is a registered name.
const ALTACT_NAME: u64 = 8;

/// The sender of a signal, as far as its control term identifies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A process.
    Process(Pid),
    /// A process that the control term does not identify: it names none (SEND, GROUP_LEADER), or only a registered name
    /// (DOWN of a monitor by name).
    Unknown,
    /// The node itself: a SPAWN_REPLY that reports an error.
    Service,
}

/// The destination of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination<'a> {
    /// A process, by its pid.
    Process(Pid),
    /// A process, by an alias.
    Alias(Reference),
    /// The process registered under a name, in UTF-8.
    Name(Cow<'a, [u8]>),
    /// The node: SPAWN_REQUEST.
    Node,
}

/// What a signal says about aliases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// `alias` is an alias of the sender.
    Learn {
        /// The process.
        owner: Pid,
        /// Its alias.
        alias: Reference,
    },
    /// The monitor with this reference is gone, and usually the alias with it.
    Forget(Reference),
}

/// The parts of a control term that a carrier needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control<'a> {
    /// The operation.
    pub operation: Operation,
    /// The sender.
    pub sender: Sender,
    /// The destination.
    pub destination: Destination<'a>,
    /// What the signal says about an alias.
    pub lesson: Option<Lesson>,
    /// The length of the control term in bytes, including a leading version byte.
    pub length: usize,
}

impl Control<'_> {
    /// Whether its lesson is about an alias of the sending node (MONITOR_P, DEMONITOR_P, SPAWN_REQUEST), as opposed to
    /// one of the receiving node (DOWN, SPAWN_REPLY).
    pub fn teaches_about_its_sender(&self) -> bool {
        !matches!(
            self.operation,
            Operation::MONITOR_P_EXIT
                | Operation::PAYLOAD_MONITOR_P_EXIT
                | Operation::SPAWN_REPLY
                | Operation::SPAWN_REPLY_TT
        )
    }

    /// Whether a node of incarnation `creation` would close its connection because of this signal: an exit or unlink
    /// signal for a process of an earlier incarnation. In `dist.c: erts_net_message` the exit signals without a payload
    /// share the check with those that have one.
    pub fn harms_if_stale(&self, creation: u32) -> bool {
        let is_touchy = matches!(
            self.operation,
            Operation::EXIT
                | Operation::EXIT_TT
                | Operation::PAYLOAD_EXIT
                | Operation::PAYLOAD_EXIT_TT
                | Operation::UNLINK_ID
                | Operation::UNLINK_ID_ACK
        );
        is_touchy && matches!(self.destination, Destination::Process(pid) if pid.creation != creation)
    }
}

/// Reads a control term as far as routing needs it. `body` begins with the control term; the payload follows.
///
/// # Errors
/// If the control term is malformed, has an unknown operation, a wrong arity or a wrong element, or lacks its payload.
/// A BEAM would close the connection because of it, so it must never be passed on.
pub fn scan(body: &[u8], format: Format) -> Result<Control<'_>, ControlError> {
    let control = scan_first(body, format)?;
    if control.operation.has_payload() && body.len() == control.length {
        return Err(ControlError::NoPayload(control.operation));
    }
    Ok(control)
}

/// Whether the body of a packet with a distribution header begins like a message.
pub fn begins_message(body: &[u8]) -> bool {
    const SMALL_TUPLE: u8 = 104;
    const SMALL_INTEGER: u8 = 97;
    match body {
        [SMALL_TUPLE, _, SMALL_INTEGER, number, ..] => {
            Operation::new((*number).into()).is_some_and(Operation::is_message)
        }
        _ => false,
    }
}

/// The length of the control term at the start of `body`, as [`Control::length`] counts it; `None` unless it is
/// complete and that of a message.
pub(super) fn length_of_message(body: &[u8], format: Format) -> Option<usize> {
    let term = match format {
        Format::Header => body,
        Format::PassThrough => body.strip_prefix(&[VERSION])?,
    };
    let mut reader = Reader::new(term);
    (begins_message(term) && skip(&mut reader).is_ok()).then(|| body.len() - reader.len())
}

/// Reads the control term in a first fragment, whose part of the payload may be empty: nodes accept that, and a control
/// term that fills a fragment leaves no room for a payload.
///
/// # Errors
/// As [`scan`], except that the payload may be missing.
pub fn scan_first(body: &[u8], format: Format) -> Result<Control<'_>, ControlError> {
    let mut reader = Reader::new(body);
    if format == Format::PassThrough {
        match reader.u8("version")? {
            VERSION => {}
            found => return Err(ControlError::Version(found)),
        }
    }
    let arity = small_tuple(&mut reader)?;
    let number = unsigned(&mut reader)?;
    let operation = Operation::new(number).ok_or(ControlError::Operation(number))?;
    let expected = operation.arity();
    let may_grow = operation == Operation::ALTACT_SIG_SEND;
    if arity != expected && !(may_grow && arity > expected) {
        return Err(ControlError::Arity {
            operation,
            expected,
            found: arity,
        });
    }
    let mut scanner = Scanner {
        reader,
        operation,
        left: arity - 1,
    };
    let (sender, destination, lesson) = scanner.elements()?;
    scanner.rest()?;
    Ok(Control {
        operation,
        sender,
        destination,
        lesson,
        length: body.len() - scanner.reader.len(),
    })
}

/// A cursor over the elements of a control term.
struct Scanner<'a> {
    reader: Reader<'a>,
    operation: Operation,
    /// The number of elements not read yet.
    left: u8,
}

type Elements<'a> = (Sender, Destination<'a>, Option<Lesson>);

impl<'a> Scanner<'a> {
    fn elements(&mut self) -> Result<Elements<'a>, ControlError> {
        use Operation as Op;
        Ok(match self.operation {
            Op::SEND | Op::SEND_TT => {
                self.skip()?;
                (Sender::Unknown, self.process()?, None)
            }
            // Element 2 is the new group leader, not the sender.
            Op::GROUP_LEADER => {
                self.pid("group leader")?;
                (Sender::Unknown, self.process()?, None)
            }
            Op::REG_SEND | Op::REG_SEND_TT => {
                let sender = self.pid("sender")?;
                self.skip()?;
                (Sender::Process(sender), self.name()?, None)
            }
            Op::MONITOR_P | Op::DEMONITOR_P => self.monitor()?,
            Op::MONITOR_P_EXIT | Op::PAYLOAD_MONITOR_P_EXIT => {
                let sender = self.pid_or_name("sender")?;
                let destination = self.process()?;
                (sender, destination, Some(Lesson::Forget(self.reference("monitor")?)))
            }
            Op::SPAWN_REQUEST | Op::SPAWN_REQUEST_TT => {
                let alias = self.reference("request id")?;
                let owner = self.pid("sender")?;
                self.pid("group leader")?;
                self.function()?;
                let lesson = alias.is_alias().then_some(Lesson::Learn { owner, alias });
                (Sender::Process(owner), Destination::Node, lesson)
            }
            Op::SPAWN_REPLY | Op::SPAWN_REPLY_TT => {
                let request = self.reference("request id")?;
                let destination = self.process()?;
                self.integer()?;
                let sender = self.spawned()?;
                // Where nothing was spawned, no DOWN ends the alias that the request has brought.
                let has_failed = sender == Sender::Service && request.is_alias();
                (sender, destination, has_failed.then_some(Lesson::Forget(request)))
            }
            Op::ALIAS_SEND | Op::ALIAS_SEND_TT => {
                let sender = self.pid("sender")?;
                (Sender::Process(sender), self.alias()?, None)
            }
            Op::UNLINK_ID | Op::UNLINK_ID_ACK => {
                let id = self.integer()?;
                self.require(id != 0 || self.operation != Op::UNLINK_ID, "id")?;
                let sender = self.pid("sender")?;
                (Sender::Process(sender), self.process()?, None)
            }
            Op::ALTACT_SIG_SEND => self.altact()?,
            _ => {
                let sender = self.pid("sender")?;
                (Sender::Process(sender), self.process()?, None)
            }
        })
    }

    fn monitor(&mut self) -> Result<Elements<'a>, ControlError> {
        let owner = self.pid("sender")?;
        let destination = if is_atom(&self.reader) {
            self.name()?
        } else {
            self.process()?
        };
        let alias = self.reference("monitor")?;
        let lesson = match self.operation {
            Operation::DEMONITOR_P => Some(Lesson::Forget(alias)),
            _ => alias.is_alias().then_some(Lesson::Learn { owner, alias }),
        };
        Ok((Sender::Process(owner), destination, lesson))
    }

    fn altact(&mut self) -> Result<Elements<'a>, ControlError> {
        self.left = self.left.saturating_sub(1);
        let flags = low_bits(&mut self.reader)?;
        let has_token = flags & ALTACT_TOKEN == 0 || self.left > 2;
        let is_one_form = flags & (ALTACT_NAME | ALTACT_ALIAS) != (ALTACT_NAME | ALTACT_ALIAS);
        self.require(has_token && is_one_form, "combination of flags")?;
        let sender = self.pid("sender")?;
        let destination = if flags & ALTACT_NAME != 0 {
            self.name()?
        } else if flags & ALTACT_ALIAS != 0 {
            self.alias()?
        } else {
            self.process()?
        };
        Ok((Sender::Process(sender), destination, None))
    }

    /// Reads the result of a spawn: the new process, or an error.
    fn spawned(&mut self) -> Result<Sender, ControlError> {
        if is_pid(&self.reader) {
            return Ok(Sender::Process(self.pid("result")?));
        }
        self.atom("result")?;
        Ok(Sender::Service)
    }

    fn pid_or_name(&mut self, what: &'static str) -> Result<Sender, ControlError> {
        if is_atom(&self.reader) {
            self.atom(what)?;
            return Ok(Sender::Unknown);
        }
        Ok(Sender::Process(self.pid(what)?))
    }

    fn pid(&mut self, what: &'static str) -> Result<Pid, ControlError> {
        self.expect(is_pid(&self.reader), what)?;
        Ok(pid(&mut self.reader)?)
    }

    fn reference(&mut self, what: &'static str) -> Result<Reference, ControlError> {
        self.expect(is_reference(&self.reader), what)?;
        Ok(reference(&mut self.reader)?)
    }

    fn process(&mut self) -> Result<Destination<'a>, ControlError> {
        Ok(Destination::Process(self.pid("destination")?))
    }

    fn alias(&mut self) -> Result<Destination<'a>, ControlError> {
        Ok(Destination::Alias(self.reference("destination")?))
    }

    fn name(&mut self) -> Result<Destination<'a>, ControlError> {
        Ok(Destination::Name(self.atom("destination")?.utf8()))
    }

    fn atom(&mut self, what: &'static str) -> Result<AtomText<'a>, ControlError> {
        self.expect(is_atom(&self.reader), what)?;
        let atom = atom(&mut self.reader)?;
        atom.check()?;
        Ok(atom)
    }

    fn integer(&mut self) -> Result<u64, ControlError> {
        self.left = self.left.saturating_sub(1);
        Ok(unsigned(&mut self.reader)?)
    }

    /// Reads `{Module, Function, Arity}` of a spawn request.
    fn function(&mut self) -> Result<(), ControlError> {
        let arity = small_tuple(&mut self.reader)?;
        self.expect(arity == 3, "function")?;
        for _ in 0..2 {
            self.require(is_atom(&self.reader), "function")?;
            atom(&mut self.reader)?.check()?;
        }
        unsigned(&mut self.reader)?;
        Ok(())
    }

    /// Requires a condition, and counts the next element as read.
    fn expect(&mut self, is_right: bool, what: &'static str) -> Result<(), ControlError> {
        self.require(is_right, what)?;
        self.left = self.left.saturating_sub(1);
        Ok(())
    }

    fn require(&mut self, is_right: bool, what: &'static str) -> Result<(), ControlError> {
        if is_right {
            return Ok(());
        }
        if self.reader.is_empty() {
            self.reader.u8(what)?;
        }
        Err(ControlError::Element {
            operation: self.operation,
            what,
        })
    }

    fn skip(&mut self) -> Result<(), ControlError> {
        self.left = self.left.saturating_sub(1);
        Ok(skip(&mut self.reader)?)
    }

    /// Skips the elements that routing does not need: reasons, tokens, options.
    fn rest(&mut self) -> Result<(), ControlError> {
        while self.left > 0 {
            self.skip()?;
        }
        Ok(())
    }
}

impl ControlError {
    /// Whether the error may be due to missing bytes only.
    pub(super) const fn is_truncated(&self) -> bool {
        use crate::codec::CodecError;
        use crate::etf::TermError;
        matches!(
            self,
            Self::Codec(CodecError::Truncated { .. }) | Self::Term(TermError::Codec(CodecError::Truncated { .. }))
        )
    }
}
