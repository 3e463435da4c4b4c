use rustc_hash::FxHashMap;
use rustc_hash::FxHashSet;

use super::Message;
use super::Watched;
use super::machine::AliasMode;
use super::machine::Machine;
use super::machine::Monitor;
use super::machine::Watcher;
use crate::dist::Signal;
use crate::dist::Target;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::NodeReference;
use crate::etf::Pid;
use crate::etf::Reference;
use crate::etf::Term;

/// Monitors of processes and names, and aliases.
impl Machine {
    /// `monitor/2,3`. If the target does not exist, this is reported at once with `noproc`.
    pub(super) fn monitor(&mut self, owner: Pid, target: Watched, alias: Option<AliasMode>) -> Reference {
        let reference = self.make_reference(alias.is_some());
        if let Some(mode) = alias {
            self.add_alias(owner, reference, mode);
        }
        let node = match &target {
            Watched::Process(pid) => &pid.node,
            Watched::Name { node, .. } => node,
        };
        let local = (*node == self.node).then(|| match &target {
            Watched::Process(pid) => Some(pid.pid),
            Watched::Name { name, .. } => self.whereis(name),
        });
        let node = node.clone();
        let monitor = Monitor {
            owner,
            target,
            local: local.flatten(),
        };
        match local {
            None => self.watch_far(reference, &node, monitor),
            Some(None) => self.report(reference, &monitor, Term::atom("noproc")),
            Some(Some(watched)) => self.watch_near(reference, watched, monitor),
        }
        reference
    }

    pub(super) fn watch_near(&mut self, reference: Reference, watched: Pid, monitor: Monitor) {
        let name = match &monitor.target {
            Watched::Process(_) => None,
            Watched::Name { name, .. } => Some(name.clone()),
        };
        let (full, by) = (self.full_reference(reference), self.full(monitor.owner));
        match self.relations(watched) {
            None => self.report(reference, &monitor, Term::atom("noproc")),
            Some(relations) => {
                relations.watchers.insert(full, Watcher { by, name });
                self.add_monitor(reference, monitor);
            }
        }
    }

    fn watch_far(&mut self, reference: Reference, node: &Atom, monitor: Monitor) {
        let connection = self.connect(node);
        if let Some(peer) = self.peers.get_mut(node) {
            peer.monitors.insert(reference);
        }
        let signal = Signal::Monitor {
            from: self.full(monitor.owner),
            to: target(&monitor.target),
            reference: self.full_reference(reference),
        };
        self.signal(connection, signal);
        self.add_monitor(reference, monitor);
    }

    pub(super) fn add_monitor(&mut self, reference: Reference, monitor: Monitor) {
        if let Some(relations) = self.relations(monitor.owner) {
            relations.monitors.insert(reference);
            self.monitors.insert(reference, monitor);
        }
    }

    /// `demonitor/1`, also for a process that is still being spawned. `false` if the process has no such monitor, or no
    /// longer.
    pub(super) fn demonitor(&mut self, owner: Pid, reference: Reference) -> bool {
        if self.abandon_request(owner, reference) {
            return true;
        }
        if self
            .monitors
            .get(&reference)
            .is_none_or(|monitor| monitor.owner != owner)
        {
            return false;
        }
        if let Some(relations) = self.known_relations(owner) {
            relations.monitors.remove(&reference);
        }
        self.unwatch(reference);
        true
    }

    /// Removes a monitor, and the alias that belongs to it.
    fn unwatch(&mut self, reference: Reference) {
        let Some(monitor) = self.monitors.remove(&reference) else {
            return;
        };
        self.end_alias_of_monitor(reference);
        if let Some(watched) = monitor.local {
            let full = self.full_reference(reference);
            if let Some(relations) = self.known_relations(watched) {
                relations.watchers.remove(&full);
            }
            return;
        }
        let node = match &monitor.target {
            Watched::Process(pid) => &pid.node,
            Watched::Name { node, .. } => node,
        };
        if let Some(peer) = self.peers.get_mut(node) {
            peer.monitors.remove(&reference);
            let connection = peer.connection;
            let signal = Signal::Demonitor {
                from: self.full(monitor.owner),
                to: target(&monitor.target),
                reference: self.full_reference(reference),
            };
            self.signal(connection, signal);
        }
    }

    /// A monitor fires: at DOWN from another node, at the end of a local process, or at the loss of a node.
    pub(super) fn fire(&mut self, reference: Reference, owner: Pid, reason: Term) {
        if self
            .monitors
            .get(&reference)
            .is_none_or(|monitor| monitor.owner != owner)
        {
            return;
        }
        let Some(monitor) = self.monitors.remove(&reference) else {
            return;
        };
        if let Some(relations) = self.known_relations(owner) {
            relations.monitors.remove(&reference);
        }
        self.report(reference, &monitor, reason);
    }

    fn report(&mut self, reference: Reference, monitor: &Monitor, reason: Term) {
        self.end_alias_of_monitor(reference);
        let reference = self.full_reference(reference).into();
        self.mail(
            monitor.owner,
            Message::Down {
                reference,
                from: monitor.target.clone(),
                reason,
            },
        );
    }

    /// Removes the monitors of a process that has ended.
    pub(super) fn drop_monitors(&mut self, process: Pid, monitors: FxHashSet<Reference>) {
        for reference in monitors {
            if self
                .monitors
                .get(&reference)
                .is_some_and(|monitor| monitor.owner == process)
            {
                self.unwatch(reference);
            }
        }
    }

    /// Notifies the processes that monitor a process that has ended.
    pub(super) fn drop_watchers(&mut self, process: Pid, watchers: FxHashMap<NodeReference, Watcher>, reason: &Term) {
        for (reference, watcher) in watchers {
            if self.is_own(&watcher.by) {
                self.fire(reference.reference, watcher.by.pid, reason.clone());
                continue;
            }
            if let Some(peer) = self.peers.get_mut(&watcher.by.node) {
                peer.watching.remove(&reference.reference);
                let connection = peer.connection;
                let from = match watcher.name {
                    Some(name) => Target::Name(name),
                    None => Target::Process(self.full(process)),
                };
                self.signal(
                    connection,
                    Signal::Down {
                        from,
                        to: watcher.by,
                        reference,
                        reason: reason.clone(),
                    },
                );
            }
        }
    }

    /// Handles MONITOR_P from another node.
    pub(super) fn monitored(&mut self, connection: u32, from: NodePid, to: Target, reference: NodeReference) {
        let (watched, name) = match &to {
            Target::Process(pid) => (Some(pid.pid), None),
            Target::Name(name) => (self.whereis(name), Some(name.clone())),
            Target::Alias(_) => (None, None),
        };
        let relations = watched.and_then(|pid| Some((pid, self.relations(pid)?)));
        match relations {
            Some((pid, relations)) => {
                relations
                    .watchers
                    .insert(reference.clone(), Watcher { by: from.clone(), name });
                if let Some(peer) = self.peers.get_mut(&from.node) {
                    peer.watching.insert(reference.reference, pid);
                }
            }
            None => {
                let reason = Term::atom("noproc");
                self.signal(
                    connection,
                    Signal::Down {
                        from: to,
                        to: from,
                        reference,
                        reason,
                    },
                );
            }
        }
    }

    /// Handles DEMONITOR_P from another node.
    pub(super) fn demonitored(&mut self, from: &NodePid, reference: &NodeReference) {
        let peer = self.peers.get_mut(&from.node);
        if let Some(watched) = peer.and_then(|peer| peer.watching.remove(&reference.reference))
            && let Some(relations) = self.known_relations(watched)
        {
            relations.watchers.remove(reference);
        }
    }

    /// Handles PAYLOAD_MONITOR_P_EXIT from another node.
    pub(super) fn down(&mut self, connection_node: &Atom, to: Pid, reference: Reference, reason: Term) {
        let peer = self.peers.get_mut(connection_node);
        if peer.is_some_and(|peer| peer.monitors.remove(&reference)) {
            self.fire(reference, to, reason);
        }
    }

    // Aliases.

    /// `alias/0`.
    pub(super) fn alias(&mut self, owner: Pid) -> Reference {
        let reference = self.make_reference(true);
        self.add_alias(owner, reference, AliasMode::ExplicitUnalias);
        reference
    }

    fn add_alias(&mut self, owner: Pid, reference: Reference, mode: AliasMode) {
        if let Some(relations) = self.relations(owner) {
            relations.aliases.insert(reference);
            self.aliases.insert(reference, (owner, mode));
        }
    }

    /// `unalias/1`. `false` if it is not, or no longer, an alias of the process.
    pub(super) fn unalias(&mut self, owner: Pid, reference: Reference) -> bool {
        if self.aliases.get(&reference).is_none_or(|(of, _)| *of != owner) {
            return false;
        }
        self.aliases.remove(&reference);
        if let Some(relations) = self.known_relations(owner) {
            relations.aliases.remove(&reference);
        }
        true
    }

    fn end_alias_of_monitor(&mut self, reference: Reference) {
        if let Some((owner, mode)) = self.aliases.get(&reference).copied()
            && mode != AliasMode::ExplicitUnalias
        {
            self.unalias(owner, reference);
        }
    }

    /// The process behind an alias, to which a message is about to be delivered.
    pub(super) fn resolve_alias(&mut self, reference: Reference) -> Option<Pid> {
        let (owner, mode) = self.aliases.get(&reference).copied()?;
        if mode == AliasMode::ReplyDemonitor {
            self.unalias(owner, reference);
            self.demonitor(owner, reference);
        }
        Some(owner)
    }
}

fn target(watched: &Watched) -> Target {
    match watched {
        Watched::Process(pid) => Target::Process(pid.clone()),
        Watched::Name { name, .. } => Target::Name(name.clone()),
    }
}
