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

/// Whom a signal is for, or whom a monitor watches, in full.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A process.
    Process(NodePid),
    /// Whatever is registered under the name.
    Name(Atom),
    /// A process by its alias.
    Alias(NodeReference),
}

/// A signal that is no message, with its payload, as a node needs it that acts on it.
///
/// A carrier needs less: [`Control`]. Messages are read through it too, since their payload is left to the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// LINK.
    Link {
        /// Who links.
        from: NodePid,
        /// To whom.
        to: NodePid,
    },
    /// UNLINK_ID.
    Unlink {
        /// Names this unlinking between the two; never zero.
        id: u64,
        /// Who unlinks.
        from: NodePid,
        /// From whom.
        to: NodePid,
    },
    /// UNLINK_ID_ACK.
    Unlinked {
        /// The unlinking that is acknowledged.
        id: u64,
        /// Who acknowledges.
        from: NodePid,
        /// Who asked.
        to: NodePid,
    },
    /// PAYLOAD_EXIT: a linked process has ended.
    Exit {
        /// Who ended.
        from: NodePid,
        /// Who was linked to it.
        to: NodePid,
        /// Why.
        reason: Term,
    },
    /// PAYLOAD_EXIT2: `exit/2`.
    Exit2 {
        /// Who asks.
        from: NodePid,
        /// Who is to end.
        to: NodePid,
        /// Why.
        reason: Term,
    },
    /// GROUP_LEADER.
    GroupLeader {
        /// The new group leader.
        leader: NodePid,
        /// Whose it becomes.
        to: NodePid,
    },
    /// MONITOR_P.
    Monitor {
        /// Who watches.
        from: NodePid,
        /// A process or a name.
        to: Target,
        /// Names the monitor.
        reference: NodeReference,
    },
    /// DEMONITOR_P.
    Demonitor {
        /// Who watched.
        from: NodePid,
        /// As when the monitor was made.
        to: Target,
        /// The monitor.
        reference: NodeReference,
    },
    /// PAYLOAD_MONITOR_P_EXIT.
    Down {
        /// A process or a name, as when the monitor was made.
        from: Target,
        /// Who watched.
        to: NodePid,
        /// The monitor.
        reference: NodeReference,
        /// Why.
        reason: Term,
    },
    /// SPAWN_REQUEST.
    Spawn(Box<SpawnRequest>),
    /// SPAWN_REPLY.
    SpawnReply {
        /// The request.
        id: NodeReference,
        /// Who asked.
        to: NodePid,
        /// What was set up: [`SpawnRequest::LINK`], [`SpawnRequest::MONITOR`].
        flags: u64,
        /// The new process, or why there is none.
        result: Result<NodePid, Atom>,
    },
}

/// What SPAWN_REQUEST asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnRequest {
    /// Names the request, and the monitor if there is to be one.
    pub id: NodeReference,
    /// Who asks.
    pub from: NodePid,
    /// The new process' group leader.
    pub group_leader: NodePid,
    /// The module.
    pub module: Atom,
    /// The function.
    pub function: Atom,
    /// Its arguments.
    pub arguments: Vec<Term>,
    /// A list: `link`, `monitor`, `{monitor, Options}` and what only concerns the sender or the VM.
    pub options: Term,
}

impl SpawnRequest {
    /// SPAWN_REPLY: the processes are linked.
    pub const LINK: u64 = 1;
    /// SPAWN_REPLY: the new process is watched.
    pub const MONITOR: u64 = 2;

    /// Whether an option is given, alone or in a pair.
    pub fn has(&self, option: &str) -> bool {
        let is_it = |term: &Term| match term {
            Term::Tuple(pair) => pair.first().is_some_and(|name| name.is_atom(option)),
            other => other.is_atom(option),
        };
        self.options.as_list().is_some_and(|options| options.iter().any(is_it))
    }
}

impl Operation {
    /// Whether the signal is a message: a payload for a mailbox.
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
    /// Reads a signal that is no message; `control` is what [`scan`](super::scan) said of `body`.
    ///
    /// # Errors
    /// If a term in it is malformed or beyond `limits`, or of the wrong kind.
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
    /// If a term cannot be encoded; then nothing is appended.
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

    /// Control term and payload; reasons always are the payload (`DFLAG_EXIT_PAYLOAD`).
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

/// The elements of a control tuple, one after another.
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

    /// The signal; `payload` is there if the operation has one.
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

    /// The payload, or else the last element, after a trace token if there is one.
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
