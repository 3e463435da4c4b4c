use crate::dist::Signal;
use crate::dist::Target;
use crate::dist::handshake::Status;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::NodeReference;
use crate::etf::Pid;
use crate::etf::Reference;
use crate::etf::Term;
use crate::node::ConnectionError;
use crate::node::FarIdentity;
use crate::node::Message;
use crate::node::handshake::OFFERED;
use crate::node::machine::AliasMode;
use crate::node::machine::Machine;
use crate::node::machine::Output;

const FAR: Atom = Atom::literal("far@h");

fn far_identity() -> FarIdentity {
    FarIdentity {
        name: "far@h".to_owned(),
        creation: 9,
        flags: OFFERED,
    }
}

fn far(id: u32) -> NodePid {
    NodePid {
        node: FAR,
        pid: Pid {
            id,
            serial: 0,
            creation: 9,
        },
    }
}

fn reference() -> NodeReference {
    NodeReference {
        node: FAR,
        reference: Reference::new(9, &[1, 2, 3]).unwrap(),
    }
}

/// A node that is connected to another one. Its outputs so far are dropped.
fn connected() -> (Machine, u32) {
    let mut machine = Machine::new(Atom::literal("own@h"), 7, 3);
    let (_, attempt) = machine.called(&FAR);
    let connection = machine.established(attempt, far_identity()).unwrap();
    outputs(&mut machine);
    (machine, connection)
}

fn outputs(machine: &mut Machine) -> Vec<Output> {
    std::iter::from_fn(|| machine.poll_output()).collect()
}

fn signals(machine: &mut Machine) -> Vec<Signal> {
    let signals = outputs(machine).into_iter().filter_map(|output| match output {
        Output::Signal { signal, .. } => Some(signal),
        _ => None,
    });
    signals.collect()
}

#[test]
fn signals_of_a_third_node_end_the_connection() {
    let (mut machine, connection) = connected();
    let process = machine.spawn(None);
    let to = machine.full(process);
    let third = NodePid {
        node: Atom::literal("third@h"),
        ..far(1)
    };
    let link = Signal::Link { from: third, to };
    let error = machine.handle_signal(&FAR, connection, link).unwrap_err();
    assert!(matches!(error, ConnectionError::Impostor { operation: "LINK", .. }));
    assert!(machine.known_relations(process).is_none());
}

#[test]
fn what_a_former_connection_brings_is_ignored() {
    let (mut machine, connection) = connected();
    let process = machine.spawn(None);
    let (status, attempt) = machine.called(&FAR);
    assert_eq!(status, Status::Alive);
    let next = machine.established(attempt, far_identity()).unwrap();
    assert_ne!(next, connection);
    let to = machine.full(process);
    machine
        .handle_signal(
            &FAR,
            connection,
            Signal::Link {
                from: far(1),
                to: to.clone(),
            },
        )
        .unwrap();
    assert!(machine.known_relations(process).is_none());
    machine
        .handle_signal(&FAR, next, Signal::Link { from: far(1), to })
        .unwrap();
    assert_eq!(machine.known_relations(process).unwrap().links.len(), 1);
}

#[test]
fn processes_of_a_former_life_are_not_there() {
    let (mut machine, connection) = connected();
    let process = machine.spawn(None);
    let stale = NodePid {
        node: machine.node.clone(),
        pid: Pid { creation: 6, ..process },
    };
    machine
        .handle_signal(
            &FAR,
            connection,
            Signal::Link {
                from: far(1),
                to: stale.clone(),
            },
        )
        .unwrap();
    let to = Target::Process(stale.clone());
    machine
        .handle_signal(
            &FAR,
            connection,
            Signal::Monitor {
                from: far(1),
                to,
                reference: reference(),
            },
        )
        .unwrap();
    let told = signals(&mut machine);
    assert!(matches!(&told[0], Signal::Exit { reason, from, .. } if reason.is_atom("noproc") && *from == stale));
    assert!(matches!(&told[1], Signal::Down { reason, .. } if reason.is_atom("noproc")));
}

#[test]
fn an_exit_signal_that_crosses_an_unlink_is_ignored() {
    let (mut machine, connection) = connected();
    let process = machine.spawn(None);
    machine.link(process, &far(1));
    machine.unlink(process, &far(1));
    let told = signals(&mut machine);
    let [_, Signal::Unlink { id, .. }] = *told.as_slice() else {
        panic!("{told:?}")
    };
    let to = machine.full(process);
    let exit = Signal::Exit {
        from: far(1),
        to: to.clone(),
        reason: Term::atom("crash"),
    };
    machine.handle_signal(&FAR, connection, exit.clone()).unwrap();
    assert!(outputs(&mut machine).is_empty());
    // Linked again before the acknowledgement, which belongs to the previous link.
    machine.link(process, &far(1));
    let unlinked = Signal::Unlinked { id, from: far(1), to };
    machine.handle_signal(&FAR, connection, unlinked).unwrap();
    machine.handle_signal(&FAR, connection, exit).unwrap();
    assert!(
        outputs(&mut machine)
            .iter()
            .any(|output| matches!(output, Output::Kill { .. }))
    );
}

#[test]
fn others_spawn_up_to_a_limit() {
    let (mut machine, connection) = connected();
    for round in 0..4 {
        let request = Box::new(crate::dist::SpawnRequest {
            id: reference(),
            from: far(1),
            group_leader: far(2),
            module: "m".into(),
            function: "f".into(),
            arguments: vec![],
            options: Term::NIL,
        });
        machine.handle_signal(&FAR, connection, Signal::Spawn(request)).unwrap();
        let told = signals(&mut machine);
        let [Signal::SpawnReply { result, .. }] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert_eq!(result.is_ok(), round < 3, "{result:?}");
    }
}

#[test]
fn simultaneous_calls_are_settled_by_name() {
    let mut machine = Machine::new(Atom::literal("m@h"), 7, 3);
    for (name, status) in [("a@h", Status::Nok), ("z@h", Status::OkSimultaneous)] {
        let node = Atom::literal(name);
        machine.connect(&node);
        assert_eq!(machine.called(&node).0, status, "{name}");
        assert_eq!(
            machine.called(&node).0,
            Status::Nok,
            "a second connection while the first is being accepted"
        );
    }
}

#[test]
fn an_alias_of_a_call_ends_with_its_first_reply() {
    let (mut machine, _) = connected();
    let process = machine.spawn(None);
    let watched = crate::node::Watched::Process(far(1));
    let alias = machine.monitor(process, watched.clone(), Some(AliasMode::ReplyDemonitor));
    assert!(alias.is_alias());
    assert_eq!(machine.resolve_alias(alias), Some(process));
    assert_eq!(machine.resolve_alias(alias), None);
    assert!(matches!(
        signals(&mut machine).as_slice(),
        [Signal::Monitor { .. }, Signal::Demonitor { .. }]
    ));
    // Together with a monitor that fires.
    let alias = machine.monitor(process, watched, Some(AliasMode::Demonitor));
    machine.lose(&FAR, "cut");
    assert_eq!(machine.resolve_alias(alias), None);
    let down = outputs(&mut machine).into_iter().any(|output| {
        matches!(output, Output::Mail { message: Message::Down { reason, .. }, .. } if reason.is_atom("noconnection"))
    });
    assert!(down);
}
