use super::calls::percentiles;
use super::payload::Payloads;
use super::payload::checksum;
use super::service::Role;
use crate::etf::Atom;
use crate::etf::Term;
use crate::etf::from_term;
use crate::lab::testbed::protocol::Command;
use crate::lab::testbed::protocol::Verdict;
use crate::lab::testbed::protocol::command_line;

#[test]
fn payloads_are_the_same_for_the_same_arguments_and_rotations_of_one_block() {
    let payloads = Payloads::new();
    let whole = payloads.make(0, 0, 1_000_003);
    assert_eq!(whole, Payloads::new().make(0, 0, 1_000_003));
    let twice = [&whole[..], &whole[..], &whole[..]].concat();
    for (seed, which, size) in [
        (1, 0, 0),
        (1, 1, 1),
        (3, 7, 1000),
        (126, 9, 1_500_000),
        (4, 0, 2_000_000),
    ] {
        let offset = (seed * 7919 + which * 104_729) % 1_000_003;
        let made = payloads.make(seed as u64, which as u64, size as u64);
        assert!(made[..] == twice[offset..offset + size], "{seed} {which} {size}");
    }
    assert_ne!(payloads.two(1, 100)[0], payloads.two(1, 100)[1]);
    assert_ne!(payloads.two(1, 100)[0], payloads.two(2, 100)[0]);
}

#[tokio::test]
async fn a_checksum_is_written_as_erlang_writes_it() {
    let sum = checksum("beamway".into()).await.unwrap();
    // binary:encode_hex(erlang:md5(<<"beamway">>)).
    assert_eq!(sum, "57E43BC77C06442260E1DA50CE534F23");
}

#[test]
fn percentiles_are_those_of_the_sorted_times() {
    let of = |times: Vec<u64>| {
        let found = percentiles(times, Verdict::default());
        [found.samples, found.p50, found.p90, found.p99, found.max]
    };
    assert_eq!(of((1..=1000).rev().collect()), [1000, 500, 900, 990, 1000]);
    assert_eq!(of(vec![3, 1, 2]), [3, 2, 3, 3, 3]);
    assert_eq!(of(vec![7]), [1, 7, 7, 7, 7]);
    assert_eq!(of(Vec::new()), [0; 5]);
}

#[test]
fn commands_are_erlang_terms_on_a_line() {
    let node = || Atom::literal("b@127.0.0.1");
    for (command, line) in [
        (Command::Nodes, "nodes."),
        (Command::Ping(node()), "{ping,'b@127.0.0.1'}."),
        (Command::Calls(node(), 64, 2000), "{calls,'b@127.0.0.1',64,2000}."),
        (
            Command::RoundTrips(node(), 5, None),
            "{round_trips,'b@127.0.0.1',5,undefined}.",
        ),
        (
            Command::RoundTrips(node(), 5, Some((4, 4_000_000))),
            "{round_trips,'b@127.0.0.1',5,{4,4000000}}.",
        ),
    ] {
        assert_eq!(command_line(&command).unwrap(), line);
        assert_eq!(Command::parse(line).unwrap(), command);
    }
    for line in ["", "halt.", "{ping}.", "{calls,'b@127.0.0.1',-1,1}.", "nodes. nodes."] {
        assert!(Command::parse(line).is_err(), "{line}");
    }
}

#[test]
fn roles_are_read_as_the_module_writes_them() {
    for (text, role) in [
        ("echo", Some(Role::Echo)),
        ("sink", Some(Role::Sink)),
        ("{receiver,3,4000000,1}", Some(Role::Receiver(3, 4_000_000, 1))),
        ("{receiver,3}", None),
        ("halt", None),
    ] {
        let term = Term::parse(text).unwrap();
        assert_eq!(from_term::<Role>(&term).ok(), role, "{text}");
    }
}
