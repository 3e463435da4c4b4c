use super::Message;
use super::Watched;
use super::machine::Machine;
use super::machine::Monitor;
use super::machine::Output;
use super::machine::Watcher;
use crate::dist::Signal;
use crate::dist::SpawnRequest;
use crate::dist::Target;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::NodeReference;
use crate::etf::Pid;
use crate::etf::Reference;
use crate::etf::Term;

/// How a spawned process is tied to the process that spawns it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    /// The two are linked.
    pub link: bool,
    /// The new process is monitored. The reference of the spawn request is also the monitor.
    pub monitor: bool,
    /// A request to another node is answered only if it fails.
    pub errors_only: bool,
}

impl Ties {
    fn options(self) -> Term {
        let options = [(self.link, "link"), (self.monitor, "monitor")];
        Term::List(
            options
                .iter()
                .filter(|(is_on, _)| *is_on)
                .map(|(_, name)| Term::atom(name))
                .collect(),
        )
    }
}

/// Spawning of processes by module and function name.
impl Machine {
    /// `spawn_request/5`. The answer is a [`Message::SpawnReply`].
    pub(super) fn spawn_request(
        &mut self,
        process: Pid,
        node: &Atom,
        function: (Atom, Atom),
        arguments: Vec<Term>,
        ties: Ties,
    ) -> Reference {
        let reference = self.make_reference(false);
        let from = self.full(process);
        let request = Box::new(SpawnRequest {
            id: self.full_reference(reference),
            group_leader: self.group_leader(process).unwrap_or_else(|| from.clone()),
            from,
            module: function.0,
            function: function.1,
            arguments,
            options: ties.options(),
        });
        if *node == self.node {
            self.spawn_here(process, reference, request, ties);
            return reference;
        }
        let connection = self.connect(node);
        if let Some(peer) = self.peers.get_mut(node) {
            peer.spawning.insert(reference, (process, ties.errors_only));
        }
        if let Some(relations) = self.relations(process) {
            relations.spawning.insert(reference, node.clone());
        }
        self.signal(connection, Signal::Spawn(request));
        reference
    }

    fn spawn_here(&mut self, owner: Pid, reference: Reference, request: Box<SpawnRequest>, ties: Ties) {
        let process = self.spawn(Some(request.group_leader.clone()));
        let full = self.full(process);
        if ties.link {
            self.link(owner, &full);
        }
        if ties.monitor {
            let target = Watched::Process(full.clone());
            self.watch_near(
                reference,
                process,
                Monitor {
                    owner,
                    target,
                    local: Some(process),
                },
            );
        }
        if !ties.errors_only {
            self.mail(
                owner,
                Message::SpawnReply {
                    request: request.id.clone().into(),
                    result: Ok(full),
                },
            );
        }
        self.outputs.push_back(Output::Run { process, request });
    }

    /// Handles SPAWN_REQUEST from another node.
    pub(super) fn spawn_requested(&mut self, connection: u32, request: Box<SpawnRequest>) {
        let (id, from) = (request.id.clone(), request.from.clone());
        if self.count() >= self.processes_max {
            let result = Err(Atom::literal("system_limit"));
            return self.signal(
                connection,
                Signal::SpawnReply {
                    id,
                    to: from,
                    flags: 0,
                    result,
                },
            );
        }
        let process = self.spawn(Some(request.group_leader.clone()));
        let mut flags = 0;
        if let Some(relations) = self.relations(process) {
            if request.has("link") {
                flags |= SpawnRequest::LINK;
                relations.links.insert(from.clone(), 0);
            }
            if request.has("monitor") {
                flags |= SpawnRequest::MONITOR;
                relations.watchers.insert(
                    id.clone(),
                    Watcher {
                        by: from.clone(),
                        name: None,
                    },
                );
            }
        }
        if let Some(peer) = self.peers.get_mut(&from.node) {
            if flags & SpawnRequest::LINK != 0 {
                peer.links.insert((process, from.pid));
            }
            if flags & SpawnRequest::MONITOR != 0 {
                peer.watching.insert(id.reference, process);
            }
        }
        let result = Ok(self.full(process));
        self.signal(
            connection,
            Signal::SpawnReply {
                id,
                to: from,
                flags,
                result,
            },
        );
        self.outputs.push_back(Output::Run { process, request });
    }

    /// Handles SPAWN_REPLY from another node.
    pub(super) fn spawn_answered(
        &mut self,
        node: &Atom,
        id: NodeReference,
        to: NodePid,
        flags: u64,
        result: Result<NodePid, Atom>,
    ) {
        let reference = id.reference;
        let asked = self
            .peers
            .get_mut(node)
            .and_then(|peer| peer.spawning.remove(&reference));
        let Some((_, errors_only)) = asked.filter(|(asked, _)| *asked == to.pid) else {
            let Some(connection) = self.peers.get(node).map(|peer| peer.connection) else {
                return;
            };
            return self.spawned_for_nobody(id, to, flags, result, connection);
        };
        if let Some(relations) = self.known_relations(to.pid) {
            relations.spawning.remove(&reference);
        }
        if let Ok(pid) = &result {
            if flags & SpawnRequest::LINK != 0
                && let Some(relations) = self.relations(to.pid)
            {
                relations.links.insert(pid.clone(), 0);
                self.cross(to.pid, pid);
            }
            if flags & SpawnRequest::MONITOR != 0 {
                if let Some(peer) = self.peers.get_mut(node) {
                    peer.monitors.insert(reference);
                }
                let target = Watched::Process(pid.clone());
                self.add_monitor(
                    reference,
                    Monitor {
                        owner: to.pid,
                        target,
                        local: None,
                    },
                );
            }
        }
        if result.is_err() || !errors_only {
            let request = id.into();
            self.mail(to.pid, Message::SpawnReply { request, result });
        }
    }

    /// The requester has ended or given up meanwhile: removes the link and the monitor of the new process.
    fn spawned_for_nobody(
        &mut self,
        id: NodeReference,
        to: NodePid,
        flags: u64,
        result: Result<NodePid, Atom>,
        connection: u32,
    ) {
        let Ok(pid) = result else {
            return;
        };
        if flags & SpawnRequest::MONITOR != 0 {
            let (from, target) = (to.clone(), Target::Process(pid.clone()));
            let undo = Signal::Demonitor {
                from,
                to: target,
                reference: id,
            };
            self.signal(connection, undo);
        }
        if flags & SpawnRequest::LINK != 0 {
            let reason = Term::atom("noproc");
            self.signal(
                connection,
                Signal::Exit {
                    from: to,
                    to: pid,
                    reason,
                },
            );
        }
    }

    /// Drops a request that was not answered yet; `false` if there is none.
    pub(super) fn abandon_request(&mut self, process: Pid, reference: Reference) -> bool {
        let node = self
            .known_relations(process)
            .and_then(|relations| relations.spawning.remove(&reference));
        let peer = node.and_then(|node| self.peers.get_mut(&node));
        peer.is_some_and(|peer| peer.spawning.remove(&reference).is_some())
    }
}
