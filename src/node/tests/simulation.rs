//! Nodes without I/O: random operations, and connections that come and go. At the end all nodes must agree.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use bytes::BytesMut;

use crate::dist::Format;
use crate::dist::Signal;
use crate::dist::handshake::Status;
use crate::dist::scan;
use crate::etf::Atom;
use crate::etf::Limits;
use crate::etf::NodePid;
use crate::etf::NodeReference;
use crate::etf::Pid;
use crate::etf::Reference;
use crate::etf::Term;
use crate::node::FarIdentity;
use crate::node::Message;
use crate::node::Watched;
use crate::node::handshake::OFFERED;
use crate::node::machine::AliasMode;
use crate::node::machine::Machine;
use crate::node::machine::Output;
use crate::node::spawning::Ties;

const NODES: usize = 3;

/// Linear congruential generator: good enough for choices, and reproducible everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// A signal in flight, or the end of the connection behind it.
#[derive(Debug)]
enum Flight {
    Signal(BytesMut),
    End,
}

#[derive(Default)]
struct Wire {
    /// By direction.
    flights: VecDeque<Flight>,
}

struct World {
    random: Random,
    machines: Vec<Machine>,
    /// Maps the connection of one node to that of the other node, once it is established.
    paired: BTreeMap<(usize, u32), (usize, u32)>,
    /// What is in flight to the connection of a node.
    wires: BTreeMap<(usize, u32), Wire>,
    /// Signals for connections that are not established yet.
    early: BTreeMap<(usize, u32), Vec<BytesMut>>,
    dials: VecDeque<(usize, Atom, u64)>,
    /// Processes that must end.
    killed: Vec<(usize, Pid, Term)>,
    /// What each process received.
    received: BTreeMap<(usize, Pid), Vec<Message>>,
    /// Monitors that were created and not removed, by owner.
    watched: BTreeMap<(usize, Pid), Vec<Reference>>,
}

fn name(node: usize) -> Atom {
    Atom::new(&format!("n{node}@h")).unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let machines = (0..NODES)
            .map(|node| Machine::new(name(node), node as u32 + 10, 1000))
            .collect();
        Self {
            random: Random(seed),
            machines,
            paired: BTreeMap::new(),
            wires: BTreeMap::new(),
            early: BTreeMap::new(),
            dials: VecDeque::new(),
            killed: Vec::new(),
            received: BTreeMap::new(),
            watched: BTreeMap::new(),
        }
    }

    fn drain(&mut self, node: usize) {
        while let Some(output) = self.machines[node].poll_output() {
            match output {
                Output::Mail { to, message } => self.received.entry((node, to)).or_default().push(message),
                Output::Kill { process, reason } => self.killed.push((node, process, reason)),
                Output::Run { .. } => {}
                Output::Open { connection, .. } => drop(self.early.insert((node, connection), Vec::new())),
                Output::Connect { node: far, attempt } => self.dials.push_back((node, far, attempt)),
                Output::Signal { connection, signal } => {
                    let mut bytes = BytesMut::new();
                    signal.encode(&mut bytes).unwrap();
                    match self.paired.get(&(node, connection)) {
                        Some(far) => self
                            .wires
                            .entry(*far)
                            .or_default()
                            .flights
                            .push_back(Flight::Signal(bytes)),
                        None => self.early.entry((node, connection)).or_default().push(bytes),
                    }
                }
                Output::Close { connection, .. } => {
                    self.early.remove(&(node, connection));
                    self.wires.remove(&(node, connection));
                    if let Some(far) = self.paired.remove(&(node, connection)) {
                        self.wires.entry(far).or_default().flights.push_back(Flight::End);
                    }
                }
            }
        }
    }

    fn pids(&self, node: usize) -> Vec<Pid> {
        self.machines[node].processes().collect()
    }

    fn any(&mut self) -> Option<(usize, Pid)> {
        let node = self.random.below(NODES);
        let pids = self.pids(node);
        (!pids.is_empty()).then(|| (node, pids[self.random.below(pids.len())]))
    }

    /// A connection attempt from one node to another, as the I/O code makes it.
    fn dial(&mut self) {
        let Some((node, far, attempt)) = self.dials.pop_front() else {
            return;
        };
        if !self.machines[node].is_current(&far, attempt) {
            return;
        }
        let target = (0..NODES).find(|index| name(*index) == far).unwrap();
        if self.random.below(5) == 0 {
            self.machines[node].failed(&far, attempt, "unreachable");
            return self.drain(node);
        }
        let (status, answered) = self.machines[target].called(&name(node));
        self.drain(target);
        if status == Status::Nok {
            // The attempt waits for that of the other node, and is repeated if that fails.
            return self.dials.push_back((node, far, attempt));
        }
        let far_identity = |index: usize| FarIdentity {
            name: name(index).as_str().to_owned(),
            creation: index as u32 + 10,
            flags: OFFERED,
        };
        let near = self.machines[node].established(attempt, far_identity(target));
        self.drain(node);
        let there = self.machines[target].established(answered, far_identity(node));
        self.drain(target);
        let (Some(near), Some(there)) = (near, there) else {
            panic!("one side is up, the other is not: {near:?} {there:?}");
        };
        for (from, to) in [((node, near), (target, there)), ((target, there), (node, near))] {
            self.paired.insert(from, to);
            let early = self.early.remove(&from).unwrap_or_default();
            self.wires
                .entry(to)
                .or_default()
                .flights
                .extend(early.into_iter().map(Flight::Signal));
        }
    }

    /// Delivers one item in flight, anywhere.
    fn fly(&mut self) -> bool {
        let busy: Vec<(usize, u32)> = self
            .wires
            .iter()
            .filter(|(_, wire)| !wire.flights.is_empty())
            .map(|(to, _)| *to)
            .collect();
        if busy.is_empty() {
            return false;
        }
        let to = busy[self.random.below(busy.len())];
        let (node, connection) = to;
        let flight = self
            .wires
            .get_mut(&to)
            .and_then(|wire| wire.flights.pop_front())
            .unwrap();
        let far = (0..NODES).map(name).find(|far| {
            self.machines[node]
                .peers
                .get(far)
                .is_some_and(|peer| peer.connection == connection)
        });
        let Some(far) = far else {
            return true;
        };
        match flight {
            Flight::End => {
                self.paired.remove(&to);
                self.machines[node].disconnected(&far, connection, "closed by the other side");
            }
            Flight::Signal(bytes) => {
                let bytes = bytes.freeze();
                let control = scan(&bytes, Format::Header).unwrap();
                let signal = Signal::parse(&control, &bytes, &Limits::default()).unwrap();
                self.machines[node].handle_signal(&far, connection, signal).unwrap();
            }
        }
        self.drain(node);
        true
    }

    fn bury(&mut self) -> bool {
        if self.killed.is_empty() {
            return false;
        }
        let (node, pid, reason) = self.killed.swap_remove(self.random.below(self.killed.len()));
        self.machines[node].ended(pid, &reason);
        self.drain(node);
        true
    }

    fn operate(&mut self) {
        let Some((node, pid)) = self.any() else {
            return;
        };
        let Some((other_node, other)) = self.any() else {
            return;
        };
        let full = NodePid {
            node: name(other_node),
            pid: other,
        };
        let choice = self.random.below(13);
        let machine = &mut self.machines[node];
        match choice {
            0 | 1 => machine.link(pid, &full),
            2 => machine.unlink(pid, &full),
            3 | 4 => {
                let alias = (choice == 3).then_some(AliasMode::ReplyDemonitor);
                let reference = machine.monitor(pid, Watched::Process(full), alias);
                self.watched.entry((node, pid)).or_default().push(reference);
            }
            5 => {
                let named = Watched::Name {
                    name: Atom::literal("name"),
                    node: full.node,
                };
                let reference = machine.monitor(pid, named, None);
                self.watched.entry((node, pid)).or_default().push(reference);
            }
            6 => {
                let watched = self.watched.entry((node, pid)).or_default();
                if !watched.is_empty() {
                    let index = self.random.below(watched.len());
                    if self.machines[node].demonitor(pid, watched[index]) {
                        watched.remove(index);
                    }
                }
            }
            7 => drop(machine.register(&Atom::literal("name"), pid)),
            8 => machine.exit(pid, &full, term!(reason)),
            9 => drop(machine.trap_exits(pid, true)),
            10 => {
                let ties = Ties {
                    link: true,
                    monitor: true,
                    errors_only: false,
                };
                machine.spawn_request(pid, &full.node, ("m".into(), "f".into()), vec![], ties);
            }
            11 => machine.lose(&full.node, "cut"),
            _ => self.killed.push((node, pid, term!(done))),
        }
        self.drain(node);
    }

    fn settle(&mut self) {
        for _ in 0..1_000_000 {
            self.dial();
            if !self.fly() && !self.bury() && self.dials.is_empty() {
                return;
            }
        }
        panic!("the nodes never come to rest");
    }

    /// At rest, both sides must agree on each link and monitor.
    fn check(&mut self) {
        for node in 0..NODES {
            for pid in self.pids(node) {
                self.check_process(node, pid);
            }
        }
        for ((node, owner), references) in &self.watched {
            if self.machines[*node].process(*owner).is_none() {
                continue;
            }
            for reference in references {
                let downs = self.received.get(&(*node, *owner)).into_iter().flatten().filter(
                    |message| matches!(message, Message::Down { reference: of, .. } if of.reference == *reference),
                );
                let fired = downs.count();
                let stands = usize::from(self.machines[*node].monitors.contains_key(reference));
                assert_eq!(
                    fired + stands,
                    1,
                    "a monitor of {owner:?} on {node}: {fired} DOWN, {stands} standing"
                );
            }
        }
    }

    fn check_process(&mut self, node: usize, pid: Pid) {
        let own = NodePid { node: name(node), pid };
        let Some(relations) = self.machines[node].known_relations(pid) else {
            return;
        };
        let links: Vec<(NodePid, u64)> = relations.links.iter().map(|(other, id)| (other.clone(), *id)).collect();
        let watchers: Vec<NodeReference> = relations.watchers.keys().cloned().collect();
        let monitors: Vec<Reference> = relations.monitors.iter().copied().collect();
        for (other, unlinking) in links {
            assert_eq!(unlinking, 0, "{own:?} waits for an acknowledgement from {other:?}");
            let there = (0..NODES).find(|index| name(*index) == other.node).unwrap();
            let back = self.machines[there]
                .known_relations(other.pid)
                .and_then(|relations| relations.links.get(&own));
            assert_eq!(back, Some(&0), "{own:?} is linked to {other:?}, but not the other way");
            if there != node {
                let peer = &self.machines[node].peers[&other.node];
                assert!(
                    peer.links.contains(&(pid, other.pid)),
                    "a link that the connection does not know"
                );
            }
        }
        for reference in watchers {
            let there = (0..NODES).find(|index| name(*index) == reference.node).unwrap();
            let monitor = self.machines[there].monitors.get(&reference.reference);
            assert!(monitor.is_some(), "{own:?} is watched by a monitor that does not exist");
        }
        for reference in monitors {
            let target = self.machines[node].monitors[&reference].clone();
            let full = NodeReference {
                node: name(node),
                reference,
            };
            let there = match &target.target {
                Watched::Process(pid) => pid.node.clone(),
                Watched::Name { node, .. } => node.clone(),
            };
            let there = (0..NODES).find(|index| name(*index) == there).unwrap();
            let pids = self.pids(there);
            let is_known = pids.into_iter().any(|pid| {
                let relations = self.machines[there].known_relations(pid);
                relations.is_some_and(|relations| relations.watchers.contains_key(&full))
            });
            assert!(is_known, "{own:?} watches {:?}, which does not know", target.target);
        }
    }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for round in 0..400 {
        let node = world.random.below(NODES);
        if round < 10 || world.random.below(4) == 0 {
            let pid = world.machines[node].spawn(None);
            world.received.remove(&(node, pid));
        }
        world.operate();
        match world.random.below(4) {
            0 => world.dial(),
            1 => drop(world.bury()),
            _ => drop(world.fly()),
        }
        if round % 100 == 99 {
            world.settle();
            world.check();
        }
    }
}

#[test]
fn all_sides_agree_on_all_ties_when_nothing_is_underway() {
    for seed in 0..1500 {
        run(seed);
    }
}

/// The checker notices a link that only one side knows.
#[test]
#[should_panic(expected = "but not the other way")]
fn the_checker_notices_a_link_of_one_side() {
    let mut world = World::new(1);
    let pids = [world.machines[0].spawn(None), world.machines[1].spawn(None)];
    let far = NodePid {
        node: name(1),
        pid: pids[1],
    };
    world.machines[0].connect(&name(1));
    world.drain(0);
    world.settle();
    world.machines[0].relations(pids[0]).unwrap().links.insert(far, 0);
    world.check();
}

/// The checker notices a monitor that never fires.
#[test]
#[should_panic(expected = "0 DOWN, 0 standing")]
fn the_checker_notices_a_monitor_that_is_lost() {
    let mut world = World::new(1);
    let pids = [world.machines[0].spawn(None), world.machines[0].spawn(None)];
    let watched = Watched::Process(NodePid {
        node: name(0),
        pid: pids[1],
    });
    let reference = world.machines[0].monitor(pids[0], watched, None);
    world.watched.insert((0, pids[0]), vec![reference]);
    world.machines[0].demonitor(pids[0], reference);
    world.check();
}
