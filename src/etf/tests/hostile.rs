use std::time::Duration;
use std::time::Instant;

use proptest::prelude::*;

use super::codec::compressed;
use super::codec::own;
use super::made;
use crate::etf::*;

/// Runs on a stack of 1.5 MiB, three quarters of what Rust gives a thread.
fn on_a_small_stack(test: fn()) {
    let thread = std::thread::Builder::new().stack_size(3 << 19).spawn(test);
    thread.unwrap().join().unwrap();
}

/// `{{{…{[]}…}}}`
fn nested_tuples(levels: usize) -> Vec<u8> {
    [&[131][..], &b"\x68\x01".repeat(levels), &[106]].concat()
}

/// Fails if `test` takes more time than any reasonable implementation needs, even on a slow machine.
fn soon<T>(test: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = test();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    result
}

#[test]
fn nesting_is_refused_beyond_the_limit_and_bearable_within() {
    on_a_small_stack(|| {
        let limits = Limits {
            depth: usize::MAX,
            ..Limits::default()
        };
        let bytes = nested_tuples(DEPTH_MAX);
        let term = Term::decode_within(&bytes, &limits).unwrap();
        let copy = term.clone();
        assert_eq!(copy, term);
        assert_eq!(copy.cmp(&term), std::cmp::Ordering::Equal);
        assert_eq!(term.encode().unwrap(), bytes);
        assert!(std::collections::HashSet::from([term.clone()]).contains(&term));
        let text = term.to_string();
        assert_eq!(Term::parse_within(&text, &limits), Ok(term));
        assert_eq!(own(TermRef::within(&bytes, &limits).unwrap()), copy);
        // Empty containers do not count as a level.
        let full = [&[131][..], &b"\x68\x01".repeat(DEPTH_MAX), b"\x74\0\0\0\0"].concat();
        assert_eq!(Term::decode_within(&full, &limits).unwrap().encode().unwrap(), full);
        for bytes in [nested_tuples(DEPTH_MAX + 1), nested_tuples(1_000_000)] {
            let is_limit = |error| matches!(error, Some(TermError::Limit { .. }));
            assert!(is_limit(Term::decode_within(&bytes, &limits).err()));
            assert!(is_limit(TermRef::within(&bytes, &limits).err()));
        }
        assert!(Term::parse(&"{".repeat(1_000_000)).is_err());
        assert!(Term::parse(&"[".repeat(1_000_000)).is_err());
        assert!(Term::parse(&"#{".repeat(1_000_000)).is_err());
        assert!(Term::Tuple(vec![copy]).encode().is_err());
    });
}

#[test]
fn maps_nest_as_deep_as_tuples() {
    on_a_small_stack(|| {
        let limits = Limits {
            depth: DEPTH_MAX,
            ..Limits::default()
        };
        // Nesting through keys, which are compared more often.
        let bytes = [
            &[131][..],
            &b"\x74\0\0\0\x01".repeat(DEPTH_MAX),
            &[106],
            &[106; DEPTH_MAX],
        ]
        .concat();
        let term = Term::decode_within(&bytes, &limits).unwrap();
        assert_eq!(term.encode().unwrap(), bytes);
        assert_eq!(Term::parse_within(&term.to_string(), &limits), Ok(term));
    });
}

/// Two keys that differ only in the innermost of many levels.
#[test]
fn nested_maps_are_compared_in_one_walk() {
    let nested = |last| (0..250).fold(term!((last)), |inner, _| term!(#{a => (inner)}));
    let map = term!(#{(nested(1)) => 1, (nested(2)) => 2});
    let bytes = map.encode().unwrap();
    assert_eq!(soon(|| Term::decode(&bytes)), Ok(map));
}

/// A chain of lists, each the tail of the one before, is joined without copying the long last one again and again.
#[test]
fn tails_are_joined_in_one_walk() {
    let heads = b"\x6c\0\0\0\x01\x61\x07".repeat(500_000);
    let bytes = [&[131][..], &heads, &[106]].concat();
    let Ok(Term::List(items)) = soon(|| Term::decode(&bytes)) else {
        panic!("a list");
    };
    assert_eq!(items.len(), 500_000);
    assert_eq!(soon(|| TermRef::new(&bytes)).unwrap().items().len(), 1);
}

#[test]
fn sizes_beyond_the_bytes_are_refused_at_once() {
    for head in [
        &b"\x69\xff\xff\xff\xff"[..],
        b"\x6c\xff\xff\xff\xff",
        b"\x74\xff\xff\xff\xff",
        b"\x6d\xff\xff\xff\xff",
        b"\x4d\xff\xff\xff\xff\x03",
        b"\x6f\xff\xff\xff\xff\x00",
    ] {
        let bytes = [&[131], head, &[106; 100]].concat();
        assert!(Term::decode(&bytes).is_err(), "{head:x?}");
        assert!(TermRef::new(&bytes).is_err(), "{head:x?}");
    }
}

#[test]
fn every_limit_has_two_sides() {
    let held = |bytes: &[u8], limits: &Limits| {
        let owned = Term::decode_within(bytes, limits).is_ok();
        assert_eq!(TermRef::within(bytes, limits).is_ok(), owned);
        owned
    };
    let bytes = term!([{a, {}}, "string", #{}]).encode().unwrap();
    let elements = |elements| Limits {
        elements,
        ..Limits::default()
    };
    assert!(held(&bytes, &elements(5)));
    assert!(!held(&bytes, &elements(4)));
    let depth = |depth| Limits {
        depth,
        ..Limits::default()
    };
    assert!(held(&bytes, &depth(2)));
    assert!(!held(&bytes, &depth(1)));
    let size = |size| Limits {
        size,
        ..Limits::default()
    };
    assert!(held(&bytes, &size(bytes.len() - 1)));
    assert!(!held(&bytes, &size(bytes.len() - 2)));
    let big = Term::integer(true, &[1; 300]).encode().unwrap();
    let integer = |integer| Limits {
        integer,
        ..Limits::default()
    };
    assert!(held(&big, &integer(300)));
    assert!(!held(&big, &integer(299)));
    let plain = bytes.len() as u32 - 1;
    let packed = compressed(&bytes[1..], plain);
    assert!(Term::decode_within(&packed, &size(plain as usize)).is_ok());
    assert!(Term::decode_within(&packed, &size(plain as usize - 1)).is_err());
}

#[test]
fn text_is_held_to_the_limits() {
    let limits = Limits {
        elements: 3,
        size: 40,
        depth: 2,
        integer: 9,
    };
    for (text, is_fine) in [
        ("{1,2,3}", true),
        ("{1,2,3,4}", false),
        ("\"abc\"", true),
        ("\"abcd\"", false),
        ("#{a => 1}", true),
        ("#{a => 1, b => 2}", false),
        ("{{}, [#{}]}", true),
        ("{{1}}", true),
        ("{{[1]}}", false),
        ("1267650600228229401496703205375", false),
        ("4722366482869645213695", true),
        ("<<0:320>>", true),
        ("<<0:328>>", false),
        ("<<0:99999999999999999999>>", false),
        ("a                                      ", true),
        ("a                                        ", false),
    ] {
        let found = Term::parse_within(text, &limits);
        assert_eq!(found.is_ok(), is_fine, "{text}: {found:?}");
    }
}

#[test]
fn what_no_node_may_hold_is_refused() {
    let nan = [&[131, 70][..], &f64::NAN.to_be_bytes()].concat();
    assert_eq!(Term::decode(&nan), Err(TermError::NotFinite));
    assert_eq!(TermRef::new(&nan).err(), Some(TermError::NotFinite));
    let twice = b"\x83\x74\0\0\0\x02\x61\x01\x6a\x61\x01\x6a";
    assert_eq!(Term::decode(twice), Err(TermError::DuplicateKey));
    let arity = b"\x83\x71\x77\x01m\x77\x01f\x62\0\0\x01\0";
    assert!(Term::decode(arity).is_err());
    assert!(TermRef::new(arity).is_err());
    let trailing = b"\x83\x6a\x6a";
    assert!(Term::decode(trailing).is_err());
    assert!(TermRef::new(trailing).is_err());
}

/// Changes, removes or inserts bytes in up to three places.
fn damaged(mut bytes: Vec<u8>, hits: &[(u16, u8, u8)]) -> Vec<u8> {
    for (at, with, kind) in hits {
        let at = usize::from(*at) % bytes.len().max(1);
        match kind {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = *with),
            1 => bytes.truncate(at),
            _ => bytes.insert(at, *with),
        }
    }
    bytes
}

fn hits() -> impl Strategy<Value = Vec<(u16, u8, u8)>> {
    proptest::collection::vec((any::<u16>(), any::<u8>(), 0u8..3), 1..4)
}

/// A view and an owned term accept the same bytes, and an accepted term can be encoded again.
fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    match (Term::decode(bytes), TermRef::new(bytes)) {
        (Ok(term), Ok(view)) => {
            prop_assert_eq!(&own(view), &term);
            prop_assert_eq!(&Term::decode(&term.encode().unwrap()).unwrap(), &term);
            let _ = format!("{term} {:?} {}", view, term.print(Style::Plain));
        }
        (Err(TermError::DuplicateKey) | Ok(_), _) => {
            prop_assert!(matches!(TermRef::new(bytes), Ok(_) | Err(TermError::Compressed)));
        }
        (Err(_), view) => prop_assert!(view.is_err(), "{:x?}", bytes),
    }
    Ok(())
}

proptest! {
    #[test]
    fn damaged_bytes_never_panic(term in made::term(), hits in hits()) {
        agree(&damaged(term.encode().unwrap().to_vec(), &hits))?;
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        agree(&[&[131], &bytes[..]].concat())?;
    }

    #[test]
    fn damaged_compressed_terms_never_panic(term in made::term(), hits in hits()) {
        let plain = term.encode().unwrap();
        let packed = compressed(&plain[1..], plain.len() as u32 - 1);
        let _ = Term::decode(&damaged(packed, &hits));
    }

    #[test]
    fn damaged_text_never_panics(term in made::term(), hits in hits()) {
        let text = damaged(term.to_string().into_bytes(), &hits);
        if let Ok(term) = Term::parse(&String::from_utf8_lossy(&text)) {
            prop_assert_eq!(Term::parse(&term.to_string()), Ok(term));
        }
    }
}
