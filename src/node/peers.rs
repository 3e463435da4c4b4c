use rustc_hash::FxHashMap;
use rustc_hash::FxHashSet;

use super::FarIdentity;
use super::Message;
use super::links::Cause;
use super::machine::Machine;
use super::machine::Output;
use super::peer::Peer;
use super::peer::State;
use crate::dist::handshake::Status;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::NodeReference;
use crate::etf::Pid;
use crate::etf::Term;

/// A connected node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its name.
    pub name: Atom,
    /// Its creation: a number that distinguishes incarnations of a node name.
    pub creation: u32,
    /// Whether both nodes are visible. If not, neither lists the other in `nodes()`.
    pub is_visible: bool,
}

/// Connections: how they are established, and what happens when they end.
impl Machine {
    /// The connection to a node. If there is none, one is set up.
    ///
    /// `node` must not be this node.
    pub(super) fn connect(&mut self, node: &Atom) -> u32 {
        if let Some(peer) = self.peers.get(node) {
            return peer.connection;
        }
        let attempt = self.next_number();
        let connection = self.open(node, State::Pending { attempt, is_ours: true });
        self.outputs.push_back(Output::Connect {
            node: node.clone(),
            attempt,
        });
        connection
    }

    fn open(&mut self, node: &Atom, state: State) -> u32 {
        let connection = self.next_number() as u32;
        let peer = Peer {
            connection,
            state,
            links: FxHashSet::default(),
            monitors: FxHashSet::default(),
            watching: FxHashMap::default(),
            watchers: FxHashMap::default(),
            spawning: FxHashMap::default(),
        };
        self.peers.insert(node.clone(), peer);
        self.outputs.push_back(Output::Open {
            connection,
            node: node.clone(),
        });
        connection
    }

    /// A node wants to connect (`net_kernel: accept_pending`). Returns the handshake status for it, and the number of the
    /// attempt.
    pub(super) fn called(&mut self, node: &Atom) -> (Status, u64) {
        let attempt = self.next_number();
        let own_is_greater = self.node > *node;
        let Some(peer) = self.peers.get_mut(node) else {
            self.open(
                node,
                State::Pending {
                    attempt,
                    is_ours: false,
                },
            );
            return (Status::Ok, attempt);
        };
        let status = match &mut peer.state {
            State::Up(_) => Status::Alive,
            State::Pending { is_ours: true, .. } if own_is_greater => Status::Nok,
            State::Pending { is_ours: false, .. } => Status::Nok,
            pending => {
                *pending = State::Pending {
                    attempt,
                    is_ours: false,
                };
                Status::OkSimultaneous
            }
        };
        (status, attempt)
    }

    /// The handshake of an attempt is complete. Returns the connection, or `None` if another attempt was faster.
    pub(super) fn established(&mut self, attempt: u64, far: FarIdentity) -> Option<u32> {
        let node = Atom::new(&far.name).ok()?;
        match self.peers.get(&node).map(|peer| &peer.state) {
            Some(State::Pending { attempt: current, .. }) if *current != attempt => return None,
            Some(State::Pending { .. }) => {}
            // The node wants a new connection, so the old one is dead.
            Some(State::Up(_)) => {
                self.lose(&node, "replaced by a new connection from the node");
                self.open(
                    &node,
                    State::Pending {
                        attempt,
                        is_ours: false,
                    },
                );
            }
            None => {
                self.open(
                    &node,
                    State::Pending {
                        attempt,
                        is_ours: false,
                    },
                );
            }
        }
        let peer = self.peers.get_mut(&node)?;
        peer.state = State::Up(far);
        let connection = peer.connection;
        let subscribers: Vec<Pid> = self.subscribers.iter().copied().collect();
        for process in subscribers {
            self.mail(process, Message::NodeUp { node: node.clone() });
        }
        Some(connection)
    }

    pub(super) fn failed(&mut self, node: &Atom, attempt: u64, reason: &str) {
        let state = self.peers.get(node).map(|peer| &peer.state);
        if matches!(state, Some(State::Pending { attempt: current, .. }) if *current == attempt) {
            self.lose(node, reason);
        }
    }

    /// An incoming attempt has failed before the connection was established.
    pub(super) fn abandon(&mut self, attempt: u64, reason: &str) {
        let is_it = |peer: &Peer| matches!(peer.state, State::Pending { attempt: current, .. } if current == attempt);
        let node = self
            .peers
            .iter()
            .find(|(_, peer)| is_it(peer))
            .map(|(node, _)| node.clone());
        if let Some(node) = node {
            self.lose(&node, reason);
        }
    }

    /// Whether an attempt may still lead to a connection.
    pub(super) fn is_current(&self, node: &Atom, attempt: u64) -> bool {
        let state = self.peers.get(node).map(|peer| &peer.state);
        matches!(state, Some(State::Pending { attempt: current, .. }) if *current == attempt)
    }

    /// A connection has ended.
    pub(super) fn disconnected(&mut self, node: &Atom, connection: u32, reason: &str) {
        if self.peers.get(node).is_some_and(|peer| peer.connection == connection) {
            self.lose(node, reason);
        }
    }

    /// Removes the connection of a node, and notifies everyone concerned: first links and monitors, then processes that
    /// monitor the node.
    pub(super) fn lose(&mut self, node: &Atom, reason: &str) {
        let Some(peer) = self.peers.remove(node) else {
            return;
        };
        // This comes first: a process that is notified may send at once, and must not send to the old connection.
        self.outputs.push_back(Output::Close {
            connection: peer.connection,
            reason: reason.to_owned(),
        });
        let noconnection = || Term::atom("noconnection");
        for (process, other) in peer.links {
            let from = NodePid {
                node: node.clone(),
                pid: other,
            };
            let link = self
                .known_relations(process)
                .and_then(|relations| relations.links.remove(&from));
            if link == Some(0) {
                self.exit_signal(process, from, noconnection(), Cause::Link);
            }
        }
        for (reference, process) in peer.watching {
            let full = NodeReference {
                node: node.clone(),
                reference,
            };
            if let Some(relations) = self.known_relations(process) {
                relations.watchers.remove(&full);
            }
        }
        for reference in peer.monitors {
            if let Some(owner) = self.monitors.get(&reference).map(|monitor| monitor.owner) {
                self.fire(reference, owner, noconnection());
            }
        }
        for (reference, (process, _)) in peer.spawning {
            if let Some(relations) = self.known_relations(process) {
                relations.spawning.remove(&reference);
            }
            let request = self.full_reference(reference).into();
            self.mail(
                process,
                Message::SpawnReply {
                    request,
                    result: Err(Atom::literal("noconnection")),
                },
            );
        }
        let was_up = matches!(peer.state, State::Up(_));
        let subscribers: Vec<Pid> = self.subscribers.iter().copied().filter(|_| was_up).collect();
        for (process, count) in peer.watchers {
            if let Some(relations) = self.known_relations(process) {
                relations.nodes.remove(node);
            }
            for _ in 0..count {
                self.mail(process, Message::NodeDown { node: node.clone() });
            }
        }
        for process in subscribers {
            self.mail(process, Message::NodeDown { node: node.clone() });
        }
    }

    /// The nodes that are connected.
    pub(super) fn nodes(&self) -> Vec<NodeInfo> {
        let up = |(name, peer): (&Atom, &Peer)| match &peer.state {
            State::Pending { .. } => None,
            State::Up(far) => Some(NodeInfo {
                name: name.clone(),
                creation: far.creation,
                is_visible: far.is_visible(),
            }),
        };
        self.peers.iter().filter_map(up).collect()
    }

    /// Whether a node is connected; `None` while it is being connected.
    pub(super) fn is_up(&self, node: &Atom) -> Option<bool> {
        match self.peers.get(node).map(|peer| &peer.state) {
            None => Some(*node == self.node),
            Some(State::Up(_)) => Some(true),
            Some(State::Pending { .. }) => None,
        }
    }

    /// `monitor_node/2`: one `NodeDown` more, or less, when the node disconnects. A node that is not connected is dialled.
    pub(super) fn monitor_node(&mut self, process: Pid, node: &Atom, on: bool) {
        if *node == self.node {
            return;
        }
        if on {
            self.connect(node);
        }
        let Some(peer) = self.peers.get_mut(node) else {
            return;
        };
        let count = peer.watchers.entry(process).or_insert(0);
        *count = if on { *count + 1 } else { count.saturating_sub(1) };
        let watches = *count > 0;
        if !watches {
            peer.watchers.remove(&process);
        }
        if let Some(relations) = self.relations(process) {
            if watches {
                relations.nodes.insert(node.clone());
            } else {
                relations.nodes.remove(node);
            }
        }
    }

    /// `net_kernel:monitor_nodes/1`, for visible and hidden nodes.
    pub(super) fn monitor_nodes(&mut self, process: Pid, on: bool) {
        if on && self.process(process).is_some() {
            self.subscribers.insert(process);
        } else {
            self.subscribers.remove(&process);
        }
    }
}
