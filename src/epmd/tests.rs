use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// ALIVE2 as OTP 25 sends it for a node `a` on port 40001 (high 6, low 5).
const ALIVE2: &[u8] = b"\x78\x9c\x41\x4d\x00\x00\x06\x00\x05\x00\x01a\x00\x00";

#[test]
fn requests_of_real_nodes_are_read() {
    assert_eq!(
        Request::parse(ALIVE2).unwrap(),
        Request::Register(Registration::normal("a", 40001))
    );
    assert_eq!(Request::parse(b"zb").unwrap(), Request::Port("b".into()));
    assert_eq!(Request::parse(b"zb\0").unwrap(), Request::Port("b".into()));
    assert_eq!(Request::parse(b"zb@h").unwrap(), Request::Port("b@h".into()));
    assert_eq!(Request::parse(b"n").unwrap(), Request::Names(None));
    assert_eq!(Request::parse(b"nh2").unwrap(), Request::Names(Some("h2".into())));
}

#[test]
fn malformed_requests_are_refused() {
    for bytes in [
        &b""[..],
        b"?",
        b"z",
        b"z\xff",
        &ALIVE2[..12],
        &[ALIVE2, b"x"].concat(),
        b"x\0\0\x4d\0\0\x06\0\x05\0\x01a\0\0",
    ] {
        assert!(Request::parse(bytes).is_err(), "{bytes:x?}");
    }
}

#[test]
fn responses_are_laid_out_as_nodes_expect() {
    let wide = Response::Registered {
        is_wide: true,
        creation: Some(7),
    };
    assert_eq!(&wide.encode()[..], b"\x76\x00\x00\x00\x00\x07");
    let refused = Response::Registered {
        is_wide: false,
        creation: None,
    };
    assert_eq!(&refused.encode()[..], b"\x79\x01\x00\x63");
    assert_eq!(&Response::Port(None).encode()[..], b"\x77\x01");
    let found = Response::Port(Some(Registration::normal("b", 258)));
    assert_eq!(
        &found.encode()[..],
        b"\x77\x00\x01\x02\x4d\x00\x00\x06\x00\x05\x00\x01b\x00\x00"
    );
}

#[test]
fn incarnations_differ_while_a_name_is_remembered() {
    let mut registry = Registry::default();
    let node = || Registration::normal("a", 1);
    assert_eq!(registry.register(node(), 100), Some(101));
    assert_eq!(registry.register(node(), 100), None, "the name is taken");
    registry.unregister("a");
    assert_eq!(registry.register(node(), 100), Some(102));
    assert_eq!(registry.get("a"), Some(&node()));
}

#[test]
fn the_oldest_newcomer_makes_room() {
    let mut newcomers = Newcomers::new(2);
    let (first, evicted) = newcomers.enter("first");
    assert_eq!(evicted, None);
    assert_eq!(newcomers.enter("second"), (1, None));
    assert_eq!(newcomers.enter("third"), (2, Some("first")));
    newcomers.leave(first);
    newcomers.leave(2);
    assert_eq!(newcomers.enter("fourth"), (3, None), "the third has left");
    assert_eq!(newcomers.evict(), Some("second"));
    assert_eq!(newcomers.evict(), Some("fourth"));
    assert_eq!(newcomers.evict(), None);
}

#[test]
fn a_flood_of_newcomers_is_no_flood_of_lines() {
    let mut newcomers = Newcomers::new(1);
    let lines = (0..1000).filter(|_| newcomers.enter(()).1.is_some() && newcomers.worth_a_line().is_some());
    assert_eq!(lines.count(), 10);
}

#[test]
fn only_a_missing_address_is_left_out() {
    use std::io::Error;
    use std::io::ErrorKind;
    let address = "[::1]:4369".parse().unwrap();
    let is_left_out = |source| EpmdError::Bind { address, source }.is_no_such_address();
    assert!(is_left_out(ErrorKind::AddrNotAvailable.into()));
    assert!(is_left_out(Error::from_raw_os_error(nix::libc::EAFNOSUPPORT)));
    assert!(!is_left_out(ErrorKind::AddrInUse.into()));
}

proptest! {
    #[test]
    fn requests_round_trip(name in "[a-z]{1,20}", port in 1u16.., extra in proptest::collection::vec(any::<u8>(), 0..50)) {
        let registration = Registration { extra: Bytes::from(extra), ..Registration::normal(&name, port) };
        let names = [Request::Names(None), Request::Names(Some(name.clone()))];
        for request in [Request::Register(registration), Request::Port(name)].into_iter().chain(names) {
            prop_assert_eq!(Request::parse(&request.encode()[2..]).unwrap(), request);
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(
        kind in prop_oneof![Just(120u8), Just(122), any::<u8>()],
        rest in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let _ = Request::parse(&[vec![kind], rest].concat());
    }
}
