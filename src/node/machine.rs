use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use rustc_hash::FxHashSet;

use super::Message;
use super::Watched;
use super::peer::Peer;
use crate::dist::Signal;
use crate::dist::SpawnRequest;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::NodeReference;
use crate::etf::Pid;
use crate::etf::Reference;
use crate::etf::Term;

/// An action for the caller to execute. The order matters.
#[derive(Debug)]
pub(super) enum Output {
    /// Put this into the mailbox of a local process.
    Mail { to: Pid, message: Message },
    /// End a local process; it answers with [`Machine::ended`].
    Kill {
        process: Pid,
        /// The exit reason.
        reason: Term,
    },
    /// Run a function in a new process.
    Run {
        process: Pid,
        /// What to run, and for whom.
        request: Box<SpawnRequest>,
    },
    /// A connection to a node exists, but may not be established yet. Signals for it wait.
    Open { connection: u32, node: Atom },
    /// Dial a node; answered with [`Machine::established`] or [`Machine::failed`].
    Connect {
        node: Atom,
        /// The number of the attempt.
        attempt: u64,
    },
    /// Send this once the connection is established.
    Signal { connection: u32, signal: Signal },
    /// The connection has ended. No other output names it from now on.
    Close {
        connection: u32,
        /// The reason, for logs.
        reason: String,
    },
}

/// A local process, as far as other processes are concerned with it.
#[derive(Debug, Default)]
pub(super) struct Process {
    pub(super) traps_exits: bool,
    /// Boxed, since few processes have any.
    pub(super) relations: Option<Box<Relations>>,
}

/// The links, monitors, names and requests of a process.
#[derive(Debug, Default)]
pub(super) struct Relations {
    pub(super) name: Option<Atom>,
    pub(super) group_leader: Option<NodePid>,
    /// Linked processes. The value is the number of an unlink request that is not acknowledged yet, or 0.
    pub(super) links: FxHashMap<NodePid, u64>,
    /// Monitors of this process, by others.
    pub(super) watchers: FxHashMap<NodeReference, Watcher>,
    /// Monitors that this process has created.
    pub(super) monitors: FxHashSet<Reference>,
    pub(super) aliases: FxHashSet<Reference>,
    /// Nodes that it monitors (`monitor_node`).
    pub(super) nodes: FxHashSet<Atom>,
    /// Spawn requests that are not answered yet, with the node that was asked.
    pub(super) spawning: FxHashMap<Reference, Atom>,
}

/// The owner of a monitor of a local process.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    pub(super) by: NodePid,
    /// The name that is monitored, if the monitor is not for a pid.
    pub(super) name: Option<Atom>,
}

/// A monitor that a local process has created.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    pub(super) owner: Pid,
    pub(super) target: Watched,
    /// The local process to which a monitored name belonged when the monitor was created.
    pub(super) local: Option<Pid>,
}

/// When an alias becomes inactive (`erlang:monitor/3`, option `alias`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AliasMode {
    /// Only at [`Context::unalias`](super::Context::unalias).
    ExplicitUnalias,
    /// Together with its monitor.
    Demonitor,
    /// Together with its monitor, which ends with the first message sent to the alias.
    ReplyDemonitor,
}

#[derive(Debug, Default)]
struct Slot {
    /// The serial number of the process that uses this slot, or used it last.
    serial: u32,
    process: Option<Process>,
}

/// The state machine of a node, without I/O: its processes, and their links and monitors to local and remote processes.
///
/// Signals of other nodes enter through [`Machine::handle_signal`], requests of local processes through the other methods.
/// After each call, [`Machine::poll_output`] must be drained. Messages do not pass through the machine, except when only the
/// machine knows the receiver.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) node: Atom,
    creation: u32,
    slots: Vec<Slot>,
    free: VecDeque<u32>,
    names: FxHashMap<Atom, Pid>,
    pub(super) monitors: FxHashMap<Reference, Monitor>,
    pub(super) aliases: FxHashMap<Reference, (Pid, AliasMode)>,
    pub(super) peers: FxHashMap<Atom, Peer>,
    /// Processes that called `monitor_nodes`.
    pub(super) subscribers: FxHashSet<Pid>,
    references: u64,
    /// The last number used for an unlink request, a connection or an attempt.
    pub(super) numbers: u64,
    pub(super) processes_max: usize,
    pub(super) outputs: VecDeque<Output>,
}

impl Machine {
    /// A node without processes. Other nodes may spawn processes while there are fewer than `processes_max`.
    pub(super) fn new(node: Atom, creation: u32, processes_max: usize) -> Self {
        Self {
            node,
            creation,
            slots: Vec::new(),
            free: VecDeque::new(),
            names: FxHashMap::default(),
            monitors: FxHashMap::default(),
            aliases: FxHashMap::default(),
            peers: FxHashMap::default(),
            subscribers: FxHashSet::default(),
            references: 0,
            numbers: 0,
            processes_max,
            outputs: VecDeque::new(),
        }
    }

    /// The next action to execute.
    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(super) fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn processes(&self) -> impl Iterator<Item = Pid> {
        let creation = self.creation;
        self.slots
            .iter()
            .zip(0..)
            .filter(|(slot, _)| slot.process.is_some())
            .map(move |(slot, id)| Pid {
                id,
                serial: slot.serial,
                creation,
            })
    }

    /// Creates a process.
    pub(super) fn spawn(&mut self, group_leader: Option<NodePid>) -> Pid {
        let mut process = Process::default();
        if group_leader.is_some() {
            process.relations = Some(Box::new(Relations {
                group_leader,
                ..Relations::default()
            }));
        }
        let id = self.free.pop_front().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        });
        let mut serial = 0;
        if let Some(slot) = self.slots.get_mut(id as usize) {
            slot.serial = slot.serial.wrapping_add(1);
            slot.process = Some(process);
            serial = slot.serial;
        }
        Pid {
            id,
            serial,
            creation: self.creation,
        }
    }

    /// Handles the end of a process.
    pub(super) fn ended(&mut self, process: Pid, reason: &Term) {
        let Some(slot) = self
            .slots
            .get_mut(process.id as usize)
            .filter(|slot| slot.serial == process.serial)
        else {
            return;
        };
        let Some(ended) = slot.process.take() else {
            return;
        };
        self.free.push_back(process.id);
        self.subscribers.remove(&process);
        let Some(relations) = ended.relations else {
            return;
        };
        if let Some(name) = &relations.name {
            self.names.remove(name);
        }
        for alias in &relations.aliases {
            self.aliases.remove(alias);
        }
        for node in &relations.nodes {
            if let Some(peer) = self.peers.get_mut(node) {
                peer.watchers.remove(&process);
            }
        }
        for (request, node) in &relations.spawning {
            if let Some(peer) = self.peers.get_mut(node) {
                peer.spawning.remove(request);
            }
        }
        self.drop_monitors(process, relations.monitors);
        self.drop_links(process, relations.links, reason);
        self.drop_watchers(process, relations.watchers, reason);
    }

    /// The process with this pid, if it is alive.
    pub(super) fn process(&self, pid: Pid) -> Option<&Process> {
        let slot = self.slots.get(pid.id as usize)?;
        slot.process
            .as_ref()
            .filter(|_| slot.serial == pid.serial && self.creation == pid.creation)
    }

    pub(super) fn process_mut(&mut self, pid: Pid) -> Option<&mut Process> {
        let slot = self.slots.get_mut(pid.id as usize)?;
        let is_it = slot.serial == pid.serial && self.creation == pid.creation;
        slot.process.as_mut().filter(|_| is_it)
    }

    /// The relations of a living process; created if missing.
    pub(super) fn relations(&mut self, pid: Pid) -> Option<&mut Relations> {
        Some(self.process_mut(pid)?.relations.get_or_insert_default())
    }

    /// The relations of a living process, if it has any.
    pub(super) fn known_relations(&mut self, pid: Pid) -> Option<&mut Relations> {
        self.process_mut(pid)?.relations.as_deref_mut()
    }

    /// The pid with its node.
    pub(super) fn full(&self, pid: Pid) -> NodePid {
        NodePid {
            node: self.node.clone(),
            pid,
        }
    }

    /// Whether the pid belongs to this node name, in any of its incarnations.
    pub(super) fn is_own(&self, pid: &NodePid) -> bool {
        pid.node == self.node
    }

    /// The reference with its node.
    pub(super) fn full_reference(&self, reference: Reference) -> NodeReference {
        NodeReference {
            node: self.node.clone(),
            reference,
        }
    }

    /// A unique reference. A reference for an alias carries a marker bit, as in OTP 25, so that a gateway can recognize it.
    pub(super) fn make_reference(&mut self, is_alias: bool) -> Reference {
        self.references += 1;
        let number = self.references;
        let marker = u32::from(is_alias) << 16;
        let words = [
            number as u32 & 0x3_ffff,
            (number >> 18) as u32 & 0xffff | marker,
            (number >> 34) as u32,
        ];
        Reference::new(self.creation, &words).unwrap_or_else(|| unreachable!("three words make a reference"))
    }

    /// A unique number.
    pub(super) fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn mail(&mut self, to: Pid, message: Message) {
        self.outputs.push_back(Output::Mail { to, message });
    }

    pub(super) fn signal(&mut self, connection: u32, signal: Signal) {
        self.outputs.push_back(Output::Signal { connection, signal });
    }

    // Names and flags.

    /// Registers a process. `false` if the name is taken, or the process already has a name or has ended.
    pub(super) fn register(&mut self, name: &Atom, pid: Pid) -> bool {
        if self.names.contains_key(name) || *name == *"undefined" {
            return false;
        }
        match self.relations(pid) {
            Some(relations) if relations.name.is_none() => relations.name = Some(name.clone()),
            _ => return false,
        }
        self.names.insert(name.clone(), pid);
        true
    }

    /// Frees a name; `false` if it was not registered.
    pub(super) fn unregister(&mut self, name: &Atom) -> bool {
        let Some(pid) = self.names.remove(name) else {
            return false;
        };
        if let Some(relations) = self.known_relations(pid) {
            relations.name = None;
        }
        true
    }

    pub(super) fn whereis(&self, name: &Atom) -> Option<Pid> {
        self.names.get(name).copied()
    }

    pub(super) fn name_of(&self, pid: Pid) -> Option<Atom> {
        self.process(pid)?.relations.as_ref()?.name.clone()
    }

    pub(super) fn registered(&self) -> Vec<Atom> {
        self.names.keys().cloned().collect()
    }

    /// Sets whether exit signals become messages. Returns the previous setting.
    pub(super) fn trap_exits(&mut self, pid: Pid, traps: bool) -> bool {
        self.process_mut(pid)
            .is_some_and(|process| std::mem::replace(&mut process.traps_exits, traps))
    }

    pub(super) fn group_leader(&self, pid: Pid) -> Option<NodePid> {
        self.process(pid)?.relations.as_ref()?.group_leader.clone()
    }

    /// Sets the group leader of a process on this or another node.
    pub(super) fn set_group_leader(&mut self, leader: NodePid, to: NodePid) {
        if self.is_own(&to) {
            if let Some(relations) = self.relations(to.pid) {
                relations.group_leader = Some(leader);
            }
        } else {
            let connection = self.connect(&to.node);
            self.signal(connection, Signal::GroupLeader { leader, to });
        }
    }
}
