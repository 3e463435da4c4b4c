use rustc_hash::FxHashMap;

use super::Message;
use super::machine::Machine;
use super::machine::Output;
use crate::dist::Signal;
use crate::etf::NodePid;
use crate::etf::Pid;
use crate::etf::Term;

/// The origin of an exit signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A linked process has ended.
    Link,
    /// `exit/2`.
    Request,
}

/// Links, unlinks and exit signals (`erl_dist_protocol.md`, "Link Protocol").
impl Machine {
    /// `link/1`.
    pub(super) fn link(&mut self, process: Pid, other: &NodePid) {
        let own = self.full(process);
        if own == *other {
            return;
        }
        if self.is_own(other) {
            let Some(relations) = self.relations(other.pid) else {
                return self.exit_signal(process, other.clone(), Term::atom("noproc"), Cause::Link);
            };
            relations.links.insert(own, 0);
            if let Some(relations) = self.relations(process) {
                relations.links.insert(other.clone(), 0);
            }
            return;
        }
        let connection = self.connect(&other.node);
        let Some(relations) = self.relations(process) else {
            return;
        };
        if relations.links.insert(other.clone(), 0) != Some(0) {
            self.cross(process, other);
            self.signal(
                connection,
                Signal::Link {
                    from: own,
                    to: other.clone(),
                },
            );
        }
    }

    /// `unlink/1`.
    pub(super) fn unlink(&mut self, process: Pid, other: &NodePid) {
        let own = self.full(process);
        if self.is_own(other) {
            if let Some(relations) = self.known_relations(process) {
                relations.links.remove(other);
            }
            if let Some(relations) = self.known_relations(other.pid) {
                relations.links.remove(&own);
            }
            return;
        }
        let id = self.next_number();
        let link = self
            .known_relations(process)
            .and_then(|relations| relations.links.get_mut(other));
        if let Some(state) = link.filter(|state| **state == 0) {
            // Kept until it is acknowledged: an exit signal in flight must not be attributed to a later link.
            *state = id;
            let connection = self.connect(&other.node);
            self.signal(
                connection,
                Signal::Unlink {
                    id,
                    from: own,
                    to: other.clone(),
                },
            );
        }
    }

    /// `exit/2`.
    pub(super) fn exit(&mut self, from: Pid, to: &NodePid, reason: Term) {
        let from = self.full(from);
        if self.is_own(to) {
            return self.exit_signal(to.pid, from, reason, Cause::Request);
        }
        let connection = self.connect(&to.node);
        self.signal(
            connection,
            Signal::Exit2 {
                from,
                to: to.clone(),
                reason,
            },
        );
    }

    /// Delivers an exit signal to a local process.
    pub(super) fn exit_signal(&mut self, to: Pid, from: NodePid, reason: Term, cause: Cause) {
        let is_own = from == self.full(to);
        let Some(process) = self.process(to) else {
            return;
        };
        let is_request = cause == Cause::Request;
        if is_request && reason.is_atom("kill") {
            self.outputs.push_back(Output::Kill {
                process: to,
                reason: Term::atom("killed"),
            });
        } else if process.traps_exits {
            self.mail(to, Message::Exit { from, reason });
        } else if !reason.is_atom("normal") || (is_request && is_own) {
            self.outputs.push_back(Output::Kill { process: to, reason });
        }
    }

    /// The node is stopping: sends each process the exit signal `shutdown`, with the process itself as the sender, since it
    /// has no supervisor.
    pub(super) fn shut_down(&mut self) {
        let processes: Vec<Pid> = self.processes().collect();
        for process in processes {
            let from = self.full(process);
            self.exit_signal(process, from, Term::atom("shutdown"), Cause::Link);
        }
    }

    /// Kills all processes.
    pub(super) fn kill_all(&mut self) {
        let processes: Vec<Pid> = self.processes().collect();
        for process in processes {
            let reason = Term::atom("killed");
            self.outputs.push_back(Output::Kill { process, reason });
        }
    }

    /// Records a link to a process on another node.
    pub(super) fn cross(&mut self, process: Pid, other: &NodePid) {
        if let Some(peer) = self.peers.get_mut(&other.node) {
            peer.links.insert((process, other.pid));
        }
    }

    /// Removes a link to a process on another node.
    fn uncross(&mut self, process: Pid, other: &NodePid) {
        if let Some(peer) = self.peers.get_mut(&other.node) {
            peer.links.remove(&(process, other.pid));
        }
    }

    /// Notifies the linked processes of a process that has ended.
    pub(super) fn drop_links(&mut self, process: Pid, links: FxHashMap<NodePid, u64>, reason: &Term) {
        let own = self.full(process);
        for (other, unlinking) in links {
            if self.is_own(&other) {
                let was_linked = self
                    .known_relations(other.pid)
                    .is_some_and(|relations| relations.links.remove(&own).is_some());
                if was_linked {
                    self.exit_signal(other.pid, own.clone(), reason.clone(), Cause::Link);
                }
                continue;
            }
            self.uncross(process, &other);
            if unlinking == 0
                && let Some(peer) = self.peers.get(&other.node)
            {
                let connection = peer.connection;
                let exit = Signal::Exit {
                    from: own.clone(),
                    to: other,
                    reason: reason.clone(),
                };
                self.signal(connection, exit);
            }
        }
    }

    /// Handles LINK from another node.
    pub(super) fn linked(&mut self, connection: u32, from: NodePid, to: NodePid) {
        if let Some(relations) = self.relations(to.pid) {
            relations.links.insert(from.clone(), 0);
            self.cross(to.pid, &from);
        } else {
            self.signal(
                connection,
                Signal::Exit {
                    from: to,
                    to: from,
                    reason: Term::atom("noproc"),
                },
            );
        }
    }

    /// Handles UNLINK_ID from another node. It is acknowledged before any other signal from the process to the sender.
    pub(super) fn unlinked(&mut self, connection: u32, id: u64, from: NodePid, to: NodePid) {
        let relations = self.known_relations(to.pid);
        if let Some(relations) = relations
            && relations.links.get(&from) == Some(&0)
        {
            relations.links.remove(&from);
            self.uncross(to.pid, &from);
        }
        self.signal(connection, Signal::Unlinked { id, from: to, to: from });
    }

    /// Handles UNLINK_ID_ACK from another node. A link that was created again meanwhile stays.
    pub(super) fn unlink_acknowledged(&mut self, id: u64, from: &NodePid, to: Pid) {
        if let Some(relations) = self.known_relations(to)
            && relations.links.get(from) == Some(&id)
        {
            relations.links.remove(from);
            self.uncross(to, from);
        }
    }

    /// Handles EXIT from another node. Ignored if the link is gone or being removed.
    pub(super) fn link_broken(&mut self, from: NodePid, to: Pid, reason: Term) {
        if let Some(relations) = self.known_relations(to)
            && relations.links.get(&from) == Some(&0)
        {
            relations.links.remove(&from);
            self.uncross(to, &from);
            self.exit_signal(to, from, reason, Cause::Link);
        }
    }
}
