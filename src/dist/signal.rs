use bytes::BufMut;
use bytes::Bytes;
use bytes::BytesMut;

use super::Control;
use super::ControlError;
use super::Operation;
use crate::codec::Reader;
use crate::etf::Atom;
use crate::etf::Limits;
use crate::etf::NodePid;
use crate::etf::NodeReference;
use crate::etf::Term;
use crate::etf::TermError;

/// The destination of a signal, or the object of a monitor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A process.
    Process(NodePid),
    /// The process registered under a name.
    Name(Atom),
    /// A process, by its alias.
    Alias(NodeReference),
}

/// A decoded signal other than a message, with its payload, as a native node needs it.
///
/// A carrier needs only a [`Control`]. So does a node for messages, whose payload the receiver decodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// LINK.
    Link {
        /// The process that links.
        from: NodePid,
        /// The process it links to.
        to: NodePid,
    },
    /// UNLINK_ID.
    Unlink {
        /// Identifies this unlink operation between the two processes. Never zero.
        id: u64,
        /// The process that unlinks.
        from: NodePid,
        /// The process it unlinks from.
        to: NodePid,
    },
    /// UNLINK_ID_ACK.
    Unlinked {
        /// The unlink operation that is acknowledged.
        id: u64,
        /// The process that acknowledges.
        from: NodePid,
        /// The process that asked to unlink.
        to: NodePid,
    },
    /// PAYLOAD_EXIT: a linked process has terminated.
    Exit {
        /// The process that terminated.
        from: NodePid,
        /// The process that was linked to it.
        to: NodePid,
        /// The exit reason.
        reason: Term,
    },
    /// PAYLOAD_EXIT2: `exit/2`.
    Exit2 {
        /// The process that called it.
        from: NodePid,
        /// The process that is to exit.
        to: NodePid,
        /// The exit reason.
        reason: Term,
    },
    /// GROUP_LEADER.
    GroupLeader {
        /// The new group leader.
        leader: NodePid,
        /// The process whose group leader changes.
        to: NodePid,
    },
    /// MONITOR_P.
    Monitor {
        /// The monitoring process.
        from: NodePid,
        /// The monitored process or name.
        to: Target,
        /// The reference of the monitor.
        reference: NodeReference,
    },
    /// DEMONITOR_P.
    Demonitor {
        /// The monitoring process.
        from: NodePid,
        /// The monitored process or name, as when the monitor was created.
        to: Target,
        /// The reference of the monitor.
        reference: NodeReference,
    },
    /// PAYLOAD_MONITOR_P_EXIT.
    Down {
        /// The monitored process or name, as when the monitor was created.
        from: Target,
        /// The monitoring process.
        to: NodePid,
        /// The reference of the monitor.
        reference: NodeReference,
        /// The exit reason.
        reason: Term,
    },
    /// SPAWN_REQUEST.
    Spawn(Box<SpawnRequest>),
    /// SPAWN_REPLY.
    SpawnReply {
        /// The reference of the request.
        id: NodeReference,
        /// The process that sent the request.
        to: NodePid,
        /// What was set up: [`SpawnRequest::LINK`], [`SpawnRequest::MONITOR`].
        flags: u64,
        /// The new process, or an error.
        result: Result<NodePid, Atom>,
    },
}

/// The content of a SPAWN_REQUEST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnRequest {
    /// The reference of the request, and of the monitor if one is requested.
    pub id: NodeReference,
    /// The process that sends the request.
    pub from: NodePid,
    /// The group leader of the new process.
    pub group_leader: NodePid,
    /// The module.
    pub module: Atom,
    /// The function.
    pub function: Atom,
    /// The arguments of the function.
    pub arguments: Vec<Term>,
    /// A list: `link`, `monitor`, `{monitor, Options}`, and options that concern only the sender or the VM.
    pub options: Term,
}

impl SpawnRequest {
    /// SPAWN_REPLY: the processes are linked.
    pub const LINK: u64 = 1;
    /// SPAWN_REPLY: the new process is monitored.
    pub const MONITOR: u64 = 2;

    /// Whether an option is set, alone or in a pair.
    pub fn has(&self, option: &str) -> bool {
        let is_it = |term: &Term| match term {
            Term::Tuple(pair) => pair.first().is_some_and(|name| name.is_atom(option)),
            other => other.is_atom(option),
        };
        self.options.as_list().is_some_and(|options| options.iter().any(is_it))
    }
}

impl Operation {
    /// Whether the signal is a message, which goes to a mailbox.
    pub const fn is_message(self) -> bool {
        matches!(
            self,
            Self::SEND
                | Self::SEND_TT
                | Self::SEND_SENDER
                | Self::SEND_SENDER_TT
                | Self::REG_SEND
                | Self::REG_SEND_TT
                | Self::ALIAS_SEND
                | Self::ALIAS_SEND_TT
                | Self::ALTACT_SIG_SEND
        )
    }
}

impl Signal {
    /// Decodes a signal other than a message. `control` is the result of [`scan`](super::scan) for `body`.
    ///
    /// # Errors
    /// If a term is malformed, exceeds `limits`, or has the wrong type.
    pub fn parse(control: &Control<'_>, body: &Bytes, limits: &Limits) -> Result<Self, ControlError> {
        let operation = control.operation;
        let mut reader = Reader::new(body);
        let fields = match Term::read(&mut reader, limits)? {
            Term::Tuple(fields) => fields,
            _ => Vec::new(),
        };
        let mut fields = Fields {
            operation,
            fields: fields.into_iter(),
        };
        fields.fields.next();
        let payload = if operation.has_payload() {
            Some(Term::read_shared(&mut reader, body, limits)?)
        } else {
            None
        };
        fields.signal(payload)
    }

    /// Appends control term and payload.
    ///
    /// # Errors
    /// If a term cannot be encoded. In that case nothing is appended.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), TermError> {
        let length = out.len();
        let (control, payload) = self.terms();
        let written = control.write(out).and_then(|()| match payload {
            None => Ok(()),
            Some(payload) => payload.write(out),
        });
        if written.is_err() {
            out.truncate(length);
        }
        written
    }

    /// The control term and the payload. Reasons are always the payload (`DFLAG_EXIT_PAYLOAD`).
    fn terms(&self) -> (Term, Option<Term>) {
        match self {
            Self::Link { from, to } => (term!({1, (from.clone()), (to.clone())}), None),
            Self::Unlink { id, from, to } => (term!({35, (*id), (from.clone()), (to.clone())}), None),
            Self::Unlinked { id, from, to } => (term!({36, (*id), (from.clone()), (to.clone())}), None),
            Self::Exit { from, to, reason } => (term!({24, (from.clone()), (to.clone())}), Some(reason.clone())),
            Self::Exit2 { from, to, reason } => (term!({26, (from.clone()), (to.clone())}), Some(reason.clone())),
            Self::GroupLeader { leader, to } => (term!({7, (leader.clone()), (to.clone())}), None),
            Self::Monitor { from, to, reference } => (term!({19, (from.clone()), (to), (reference.clone())}), None),
            Self::Demonitor { from, to, reference } => (term!({20, (from.clone()), (to), (reference.clone())}), None),
            Self::Down {
                from,
                to,
                reference,
                reason,
            } => (
                term!({28, (from), (to.clone()), (reference.clone())}),
                Some(reason.clone()),
            ),
            Self::Spawn(request) => {
                let SpawnRequest {
                    id,
                    from,
                    group_leader,
                    module,
                    function,
                    arguments,
                    options,
                } = &**request;
                let function = term!({(module.clone()), (function.clone()), (arguments.len())});
                let control = term!(
                    {29, (id.clone()), (from.clone()), (group_leader.clone()), (function), (options.clone())}
                );
                (control, Some(arguments.clone().into()))
            }
            Self::SpawnReply { id, to, flags, result } => {
                let result = match result {
                    Ok(pid) => Term::from(pid.clone()),
                    Err(reason) => Term::from(reason.clone()),
                };
                (term!({31, (id.clone()), (to.clone()), (*flags), (result)}), None)
            }
        }
    }
}

impl From<&Target> for Term {
    fn from(target: &Target) -> Self {
        match target {
            Target::Process(pid) => pid.clone().into(),
            Target::Name(name) => name.clone().into(),
            Target::Alias(alias) => alias.clone().into(),
        }
    }
}

/// The control term of a message: SEND_SENDER, REG_SEND or ALIAS_SEND. The payload follows.
pub fn send_term(from: &NodePid, to: &Target) -> Bytes {
    const SMALL_TUPLE: u8 = 104;
    const SMALL_INTEGER: u8 = 97;
    const EMPTY_ATOM: [u8; 2] = [119, 0];
    let mut term = BytesMut::new();
    let out = &mut term;
    match to {
        Target::Process(to) => {
            out.put_slice(&[SMALL_TUPLE, 3, SMALL_INTEGER, 22]);
            pid(from, out);
            pid(to, out);
        }
        Target::Name(name) => {
            out.put_slice(&[SMALL_TUPLE, 4, SMALL_INTEGER, 6]);
            pid(from, out);
            out.put_slice(&EMPTY_ATOM);
            atom(name, out);
        }
        Target::Alias(alias) => {
            out.put_slice(&[SMALL_TUPLE, 3, SMALL_INTEGER, 33]);
            pid(from, out);
            reference(alias, out);
        }
    }
    term.freeze()
}

fn atom(name: &Atom, out: &mut BytesMut) {
    let text = name.as_bytes();
    match u8::try_from(text.len()) {
        Ok(length) => out.put_slice(&[119, length]),
        Err(_) => {
            out.put_u8(118);
            out.put_u16(text.len() as u16);
        }
    }
    out.put_slice(text);
}

fn pid(pid: &NodePid, out: &mut BytesMut) {
    out.put_u8(88);
    atom(&pid.node, out);
    out.put_u32(pid.pid.id);
    out.put_u32(pid.pid.serial);
    out.put_u32(pid.pid.creation);
}

fn reference(reference: &NodeReference, out: &mut BytesMut) {
    let words = reference.reference.words();
    out.put_u8(90);
    out.put_u16(words.len() as u16);
    atom(&reference.node, out);
    out.put_u32(reference.reference.creation);
    for word in words {
        out.put_u32(*word);
    }
}

/// The elements of a control term.
struct Fields {
    operation: Operation,
    fields: std::vec::IntoIter<Term>,
}

impl Fields {
    fn next<T: TryFrom<Term>>(&mut self, what: &'static str) -> Result<T, ControlError> {
        let operation = self.operation;
        let field = self.fields.next().and_then(|term| T::try_from(term).ok());
        field.ok_or(ControlError::Element { operation, what })
    }

    fn pid(&mut self) -> Result<NodePid, ControlError> {
        self.next("pid")
    }

    fn reference(&mut self) -> Result<NodeReference, ControlError> {
        self.next("reference")
    }

    fn number(&mut self) -> Result<u64, ControlError> {
        let operation = self.operation;
        let field = self.fields.next().and_then(|term| u64::try_from(&term).ok());
        field.ok_or(ControlError::Element {
            operation,
            what: "number",
        })
    }

    /// Decodes the signal. `payload` is set if the operation has one.
    fn signal(mut self, payload: Option<Term>) -> Result<Signal, ControlError> {
        use Operation as Op;
        Ok(match self.operation {
            Op::LINK => Signal::Link {
                from: self.pid()?,
                to: self.pid()?,
            },
            Op::UNLINK_ID => Signal::Unlink {
                id: self.number()?,
                from: self.pid()?,
                to: self.pid()?,
            },
            Op::UNLINK_ID_ACK => Signal::Unlinked {
                id: self.number()?,
                from: self.pid()?,
                to: self.pid()?,
            },
            Op::EXIT | Op::EXIT_TT | Op::PAYLOAD_EXIT | Op::PAYLOAD_EXIT_TT => Signal::Exit {
                from: self.pid()?,
                to: self.pid()?,
                reason: self.reason(payload)?,
            },
            Op::EXIT2 | Op::EXIT2_TT | Op::PAYLOAD_EXIT2 | Op::PAYLOAD_EXIT2_TT => Signal::Exit2 {
                from: self.pid()?,
                to: self.pid()?,
                reason: self.reason(payload)?,
            },
            Op::GROUP_LEADER => Signal::GroupLeader {
                leader: self.pid()?,
                to: self.pid()?,
            },
            Op::MONITOR_P => Signal::Monitor {
                from: self.pid()?,
                to: self.target()?,
                reference: self.reference()?,
            },
            Op::DEMONITOR_P => Signal::Demonitor {
                from: self.pid()?,
                to: self.target()?,
                reference: self.reference()?,
            },
            Op::MONITOR_P_EXIT | Op::PAYLOAD_MONITOR_P_EXIT => Signal::Down {
                from: self.target()?,
                to: self.pid()?,
                reference: self.reference()?,
                reason: self.reason(payload)?,
            },
            Op::SPAWN_REQUEST | Op::SPAWN_REQUEST_TT => Signal::Spawn(Box::new(self.spawn(payload)?)),
            Op::SPAWN_REPLY | Op::SPAWN_REPLY_TT => Signal::SpawnReply {
                id: self.reference()?,
                to: self.pid()?,
                flags: self.number()?,
                result: self.spawned()?,
            },
            other => return Err(ControlError::Operation(other.number().into())),
        })
    }

    /// The payload, or else the last element, which follows an optional trace token.
    fn reason(&mut self, payload: Option<Term>) -> Result<Term, ControlError> {
        let operation = self.operation;
        payload
            .or_else(|| self.fields.next_back())
            .ok_or(ControlError::Element {
                operation,
                what: "reason",
            })
    }

    fn target(&mut self) -> Result<Target, ControlError> {
        match self.fields.next() {
            Some(Term::Pid(pid)) => Ok(Target::Process(pid)),
            Some(Term::Atom(name)) => Ok(Target::Name(name)),
            _ => Err(ControlError::Element {
                operation: self.operation,
                what: "process",
            }),
        }
    }

    fn spawn(mut self, arguments: Option<Term>) -> Result<SpawnRequest, ControlError> {
        let operation = self.operation;
        let wrong = |what| ControlError::Element { operation, what };
        let (id, from, group_leader) = (self.reference()?, self.pid()?, self.pid()?);
        let Some(Term::Tuple(function)) = self.fields.next() else {
            return Err(wrong("function"));
        };
        let [Term::Atom(module), Term::Atom(function), arity] = function.as_slice() else {
            return Err(wrong("function"));
        };
        let Some(Term::List(arguments)) = arguments else {
            return Err(wrong("list of arguments"));
        };
        if u64::try_from(arity) != Ok(arguments.len() as u64) {
            return Err(wrong("arity"));
        }
        let options = self.next("options")?;
        Ok(SpawnRequest {
            id,
            from,
            group_leader,
            module: module.clone(),
            function: function.clone(),
            arguments: arguments.into(),
            options,
        })
    }

    fn spawned(&mut self) -> Result<Result<NodePid, Atom>, ControlError> {
        match self.fields.next() {
            Some(Term::Pid(pid)) => Ok(Ok(pid)),
            Some(Term::Atom(reason)) => Ok(Err(reason)),
            _ => Err(ControlError::Element {
                operation: self.operation,
                what: "result",
            }),
        }
    }
}
