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

/// What the machine wants done, in this order.
#[derive(Debug)]
pub(super) enum Output {
    /// Put this into the mailbox of a local process.
    Mail {
        /// The process.
        to: Pid,
        /// The message.
        message: Message,
    },
    /// End a local process; it answers with [`Machine::ended`].
    Kill {
        /// The process.
        process: Pid,
        /// The exit reason.
        reason: Term,
    },
    /// Run a function in a process that was just made.
    Run {
        /// The process.
        process: Pid,
        /// What to run, and for whom.
        request: Box<SpawnRequest>,
    },
    /// There is a connection to a node, which may not be up yet: signals for it wait.
    Open {
        /// The connection.
        connection: u32,
        /// The node.
        node: Atom,
    },
    /// Try to connect; answered with [`Machine::established`] or [`Machine::failed`].
    Connect {
        /// The node.
        node: Atom,
        /// Names the attempt.
        attempt: u64,
    },
    /// Send this, as soon as the connection is up.
    Signal {
        /// The connection.
        connection: u32,
        /// The signal.
        signal: Signal,
    },
    /// The connection is over. Nothing more will be said of it.
    Close {
        /// The connection.
        connection: u32,
        /// Why, for logs.
        reason: String,
    },
}

/// A local process, as far as others have to do with it.
#[derive(Debug, Default)]
pub(super) struct Process {
    pub(super) traps_exits: bool,
    /// What few processes have, apart.
    pub(super) relations: Option<Box<Relations>>,
}

/// Whom a process is tied to.
#[derive(Debug, Default)]
pub(super) struct Relations {
    pub(super) name: Option<Atom>,
    pub(super) group_leader: Option<NodePid>,
    /// Linked processes; with the number of the unlinking that they have not acknowledged, or 0.
    pub(super) links: FxHashMap<NodePid, u64>,
    /// Who watches this process, by monitor.
    pub(super) watchers: FxHashMap<NodeReference, Watcher>,
    /// Its own monitors.
    pub(super) monitors: FxHashSet<Reference>,
    /// Its aliases.
    pub(super) aliases: FxHashSet<Reference>,
    /// Nodes it watches (`monitor_node`).
    pub(super) nodes: FxHashSet<Atom>,
    /// Requests to spawn that are not answered, and the node that was asked.
    pub(super) spawning: FxHashMap<Reference, Atom>,
}

/// Who watches a local process.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    pub(super) by: NodePid,
    /// The name under which it is watched, if not by its pid.
    pub(super) name: Option<Atom>,
}

/// A monitor that a local process made.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    pub(super) owner: Pid,
    pub(super) target: Watched,
    /// The local process that it found; a name may have changed hands since.
    pub(super) local: Option<Pid>,
}

/// When an alias ends by itself (`erlang:monitor/3`, option `alias`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AliasMode {
    /// When its owner says so.
    ExplicitUnalias,
    /// With the monitor it came with.
    Demonitor,
    /// With the monitor, which itself ends with the first message through the alias.
    ReplyDemonitor,
}

#[derive(Debug, Default)]
struct Slot {
    /// Of the process that is or was last here.
    serial: u32,
    process: Option<Process>,
}

/// A node without the world: its processes and what ties them to others, here and elsewhere.
///
/// Signals of other nodes enter through [`Machine::handle_signal`], what local processes want through its other methods;
/// after each one [`Machine::poll_output`] is drained. Messages pass it by, but for those whose receiver only it knows.
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
    /// Who hears of all nodes.
    pub(super) subscribers: FxHashSet<Pid>,
    references: u64,
    /// The last number given to an unlinking, a connection, an attempt.
    pub(super) numbers: u64,
    pub(super) processes_max: usize,
    pub(super) outputs: VecDeque<Output>,
}

impl Machine {
    /// A node without processes. Others may make it spawn up to `processes_max`.
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

    /// What to do next.
    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Processes there are.
    pub(super) fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// All processes there are.
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

    /// A new process.
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

    /// A process has ended.
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

    /// The process of that pid, if it lives.
    pub(super) fn process(&self, pid: Pid) -> Option<&Process> {
        let slot = self.slots.get(pid.id as usize)?;
        slot.process
            .as_ref()
            .filter(|_| slot.serial == pid.serial && self.creation == pid.creation)
    }

    /// The process of that pid, if it lives, to be changed.
    pub(super) fn process_mut(&mut self, pid: Pid) -> Option<&mut Process> {
        let slot = self.slots.get_mut(pid.id as usize)?;
        let is_it = slot.serial == pid.serial && self.creation == pid.creation;
        slot.process.as_mut().filter(|_| is_it)
    }

    /// What a living process is tied to.
    pub(super) fn relations(&mut self, pid: Pid) -> Option<&mut Relations> {
        Some(self.process_mut(pid)?.relations.get_or_insert_default())
    }

    /// What a living process is tied to, if it ever was tied to anything.
    pub(super) fn known_relations(&mut self, pid: Pid) -> Option<&mut Relations> {
        self.process_mut(pid)?.relations.as_deref_mut()
    }

    /// The pid as other nodes know it.
    pub(super) fn full(&self, pid: Pid) -> NodePid {
        NodePid {
            node: self.node.clone(),
            pid,
        }
    }

    /// Whether the pid is of this node, whatever its incarnation.
    pub(super) fn is_own(&self, pid: &NodePid) -> bool {
        pid.node == self.node
    }

    /// The reference as other nodes know it.
    pub(super) fn full_reference(&self, reference: Reference) -> NodeReference {
        NodeReference {
            node: self.node.clone(),
            reference,
        }
    }

    /// A reference that was never made before. One that is to be an alias is marked so, as OTP 25 does it, so that a
    /// gateway can tell.
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

    /// A number that was never given before.
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

    /// Registers a process. `false` if the name or the process is taken already, or the process is gone.
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

    /// Frees a name; `false` if nobody had it.
    pub(super) fn unregister(&mut self, name: &Atom) -> bool {
        let Some(pid) = self.names.remove(name) else {
            return false;
        };
        if let Some(relations) = self.known_relations(pid) {
            relations.name = None;
        }
        true
    }

    /// The process that has the name.
    pub(super) fn whereis(&self, name: &Atom) -> Option<Pid> {
        self.names.get(name).copied()
    }

    /// The name that a process has.
    pub(super) fn name_of(&self, pid: Pid) -> Option<Atom> {
        self.process(pid)?.relations.as_ref()?.name.clone()
    }

    /// All registered names.
    pub(super) fn registered(&self) -> Vec<Atom> {
        self.names.keys().cloned().collect()
    }

    /// Whether exit signals become messages from now on; the former state.
    pub(super) fn trap_exits(&mut self, pid: Pid, traps: bool) -> bool {
        self.process_mut(pid)
            .is_some_and(|process| std::mem::replace(&mut process.traps_exits, traps))
    }

    /// The process that does the process' input and output for it.
    pub(super) fn group_leader(&self, pid: Pid) -> Option<NodePid> {
        self.process(pid)?.relations.as_ref()?.group_leader.clone()
    }

    /// Gives a process, here or elsewhere, another group leader.
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
