use std::cmp::Ordering;

use bytes::Bytes;
use proptest::prelude::*;

use super::made;
use crate::etf::*;

#[test]
fn the_macro_writes_every_kind() {
    let (id, tail) = (7u64, vec![term!(x)]);
    for (term, text) in [
        (term!(ok), "ok"),
        (term!(@"a b"), "'a b'"),
        (term!(-7), "-7"),
        (term!(true), "true"),
        (term!((id + 1)), "8"),
        (term!({}), "{}"),
        (term!({ a }), "{a}"),
        (term!({a,}), "{a}"),
        (term!({-1, @"B", #{}, [], "t", (id)}), "{-1,'B',#{},[],<<\"t\">>,7}"),
        (term!([1, [2], { 3 }, 4,]), "[1,[2],{3},4]"),
        (term!([a | b]), "[a|b]"),
        (term!([-1, a | @"B"]), "[-1,a|'B']"),
        (term!([a | (tail)]), "[a,x]"),
        (
            term!(#{a => -1, -1 => @"B", @"B" => #{}, #{} => a, (id) => [],}),
            "#{-1 => 'B',7 => [],'B' => #{},a => -1,#{} => a}",
        ),
    ] {
        assert_eq!(term.to_string(), text);
    }
}

#[test]
fn values_become_terms_and_come_back() {
    assert_eq!(u64::try_from(&Term::from(u64::MAX)), Ok(u64::MAX));
    assert_eq!(i128::try_from(&Term::from(i128::MIN)), Ok(i128::MIN));
    assert_eq!(u128::try_from(&Term::from(u128::MAX)), Ok(u128::MAX));
    assert_eq!(Term::from(u128::from(7u8)), Term::Integer(7));
    assert!(u8::try_from(&Term::Integer(256)).is_err());
    assert!(u64::try_from(&Term::Integer(-1)).is_err());
    assert!(i64::try_from(&term!(a)).is_err());
    assert_eq!(bool::try_from(&Term::from(true)), Ok(true));
    assert_eq!(f64::try_from(&Term::from(1.5f32)), Ok(1.5));
    assert_eq!(Term::from(f64::NEG_INFINITY), term!(neg_infinity));
    assert_eq!(String::try_from(&Term::from("é")), Ok("é".to_owned()));
    assert_eq!(String::try_from(&Term::charlist("é")), Ok("é".to_owned()));
    assert_eq!(Bytes::try_from(term!(b"\xff")), Ok(Bytes::from_static(b"\xff")));
    assert_eq!(Vec::try_from(term!([1])), Ok(vec![term!(1)]));
    assert_eq!(Term::from(("a", 1, None::<u8>)), term!({"a", 1, undefined}));
    assert_eq!(Term::from(Ok::<_, u8>(vec![1u8])), term!({ok, [1]}));
    let wrong = NodePid::try_from(term!(a)).unwrap_err();
    assert_eq!(wrong.to_string(), "expected a pid");
}

/// A term is looked into without an error type and without a copy, and nothing is converted on the way.
#[test]
fn terms_are_read_by_their_kind() {
    assert_eq!(term!(-7).as_i64(), Some(-7));
    assert_eq!(Term::from(i64::MIN).as_i64(), Some(i64::MIN));
    assert_eq!(Term::from(u64::MAX).as_i64(), None);
    assert_eq!(Term::from(u64::MAX).as_u64(), Some(u64::MAX));
    assert_eq!(Term::from(u128::MAX).as_u64(), None);
    assert_eq!((term!(-1).as_u64(), term!(7).as_u64()), (None, Some(7)));
    assert_eq!((term!(1.5).as_f64(), term!(1).as_f64()), (Some(1.5), None));
    assert_eq!((term!(1.0).as_i64(), term!(1.0).as_u64()), (None, None));
    assert_eq!(
        (term!(true).as_bool(), term!(false).as_bool()),
        (Some(true), Some(false))
    );
    assert_eq!((term!(ok).as_bool(), term!("true").as_bool()), (None, None));
    assert_eq!(term!("größer").as_str(), Some("größer"));
    assert_eq!((term!(ok).as_str(), Term::charlist("ok").as_str()), (None, None));
    let latin = term!(b"\xff");
    assert_eq!(
        (latin.as_str(), latin.as_binary()),
        (None, Some(&Bytes::from_static(b"\xff")))
    );
    assert_eq!((term!(ok).as_atom(), term!("ok").as_atom()), (Some("ok"), None));
    let (list, tuple, map) = (term!([1, 2]), term!({1, 2}), term!(#{1 => 2}));
    assert_eq!(list.as_list().map(List::len), Some(2));
    assert_eq!(tuple.as_tuple().map(<[Term]>::len), Some(2));
    assert_eq!(map.as_map().map(Map::len), Some(1));
    for term in [&list, &tuple, &map] {
        let kinds = [
            term.as_list().is_some(),
            term.as_tuple().is_some(),
            term.as_map().is_some(),
        ];
        assert_eq!(kinds.iter().filter(|is| **is).count(), 1, "{term}");
        assert!(term.as_i64().is_none() && term.as_pid().is_none() && term.as_reference().is_none());
    }
    for bytes in super::scan::TERMS {
        let Ok(term) = Term::decode(&[&[131], *bytes].concat()) else {
            continue;
        };
        assert_eq!(term.as_pid().is_some(), NodePid::try_from(term.clone()).is_ok());
        assert_eq!(
            term.as_reference().is_some(),
            NodeReference::try_from(term.clone()).is_ok()
        );
    }
}

#[test]
fn a_fun_says_whose_it_is() {
    let bytes = super::scan::TERMS.iter().find(|term| term[0] == 0x70).unwrap();
    let fun = Fun::new(Bytes::copy_from_slice(bytes)).unwrap();
    assert_eq!(fun.to_string(), "#Fun<ff.0.87317625>");
    assert_eq!(fun.owner().map(|pid| pid.id), Some(9));
    assert!(Fun::new(Bytes::from_static(b"\x61\x07")).is_err());
    assert!(Fun::new(Bytes::from([bytes, &b"\x6a"[..]].concat())).is_err());
}

/// The order of Erlang's own book: number < atom < reference < fun < port < pid < tuple < map < nil < list < bit string.
#[test]
fn terms_are_ordered_as_the_keys_of_a_map() {
    let of = |text: &str| Term::parse(text).unwrap();
    let ordered = [
        "-18446744073709551616",
        "-9223372036854775808",
        "-1",
        "0",
        "2",
        "18446744073709551615",
        "18446744073709551616",
        "-1.0e300",
        "-0.0",
        "0.0",
        "1.0",
        "''",
        "a",
        "aa",
        "b",
        "#Ref<0.1.2.3>",
        "fun a:b/1",
        "fun a:b/2",
        "#Port<0.5>",
        "<0.1.0>",
        "<0.2.0>",
        "<0.1.1>",
        "{}",
        "{a}",
        "{b}",
        "{a,a}",
        "#{}",
        "#{a => 2}",
        "#{b => 1}",
        "#{b => 2}",
        "#{a => 1,b => 1}",
        "[]",
        "[a|b]",
        "[a]",
        "[a,a|b]",
        "[a,a]",
        "[b]",
        "<<>>",
        "<<0:7>>",
        "<<0>>",
        "<<0,0:1>>",
        "<<0,1:1>>",
        "<<1:7>>",
        "<<3>>",
    ];
    for (index, one) in ordered.iter().enumerate() {
        for (other_index, two) in ordered.iter().enumerate() {
            assert_eq!(of(one).cmp(&of(two)), index.cmp(&other_index), "{one} {two}");
        }
    }
}

#[test]
fn maps_keep_one_value_for_a_key() {
    let mut map = Map::new();
    assert!(map.is_empty());
    for (key, value, former) in [
        (term!(b), 1, None),
        (term!(a), 2, None),
        (term!(b), 3, Some(1)),
        (term!(1), 4, None),
    ] {
        assert_eq!(map.insert(key, term!((value))), former.map(Term::Integer));
    }
    assert_eq!(map.to_string(), "#{1 => 4,a => 2,b => 3}");
    assert_eq!(
        (map.len(), map.get_atom("b"), map.get(&term!(c))),
        (3, Some(&term!(3)), None)
    );
    assert_eq!(map.remove(&term!(a)), Some(term!(2)));
    assert_eq!(Term::Map(map), term!(#{b => 0, 1 => 4, b => 3}));
    assert!(Map::from_pairs(vec![(term!(a), term!(1)), (term!(a), term!(1))]).is_none());
}

proptest! {
    #[test]
    fn the_order_is_one(one in made::term(), two in made::term(), three in made::term()) {
        prop_assert_eq!(one.cmp(&two), two.cmp(&one).reverse());
        prop_assert_eq!(one.cmp(&two) == Ordering::Equal, one == two);
        let mut all = [&one, &two, &three];
        all.sort();
        prop_assert!(all[0] <= all[1] && all[1] <= all[2] && all[0] <= all[2]);
    }

    #[test]
    fn the_order_of_writing_does_not_count(pairs in proptest::collection::vec((made::term(), made::term()), 0..8)) {
        let forward: Map = pairs.iter().cloned().collect();
        let mut turned: Vec<_> = forward.clone().into_iter().collect();
        turned.reverse();
        prop_assert_eq!(Map::from_pairs(turned), Some(forward));
    }

    #[test]
    fn numbers_keep_their_value(small in any::<i64>(), large in any::<i128>(), huge in any::<u128>()) {
        prop_assert_eq!(i64::try_from(&Term::from(small)), Ok(small));
        prop_assert_eq!(i128::try_from(&Term::from(large)), Ok(large));
        prop_assert_eq!(u128::try_from(&Term::from(huge)), Ok(huge));
        prop_assert_eq!(Term::from(large).to_string(), large.to_string());
        prop_assert_eq!(Term::from(large).cmp(&Term::from(small)), large.cmp(&small.into()));
    }
}
