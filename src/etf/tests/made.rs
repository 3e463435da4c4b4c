use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::scan::TERMS;
use crate::etf::*;

/// Usual and unusual names.
fn atom_made() -> impl Strategy<Value = Atom> {
    let name = prop_oneof![
        4 => "[a-z][a-zA-Z0-9_@]{0,30}",
        1 => prop_oneof![Just("fun"), Just("maybe"), Just("Elixir.Enum"), Just(""), Just("ß@é"), Just("日本")]
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    name.prop_map(|name| Atom::new(&name.chars().take(255).collect::<String>()).unwrap())
}

fn integer_made() -> impl Strategy<Value = Term> {
    let bytes = vec(any::<u8>(), 0..300);
    prop_oneof![
        (-300i64..300).prop_map(Term::from),
        any::<i64>().prop_map(Term::from),
        any::<i128>().prop_map(Term::from),
        (any::<bool>(), bytes).prop_map(|(is_negative, magnitude)| Term::integer(is_negative, &magnitude)),
    ]
}

fn float_made() -> impl Strategy<Value = Term> {
    let floats = prop_oneof![
        any::<f64>().prop_filter("Erlang has no other", |value| value.is_finite()),
        (-1000i32..1000, -20i32..20).prop_map(|(digits, power)| f64::from(digits) * 10f64.powi(power)),
    ];
    floats.prop_map(Term::from)
}

/// Creations are not printed, so an identity that is read back from text must have creation 0.
fn identity_made(creation: u32) -> impl Strategy<Value = Term> {
    let node = prop_oneof![
        Just("nonode@nohost".to_owned()),
        Just("a@host.example.org".to_owned()),
        Just("a@127.0.0.1".to_owned()),
        Just("a'b>@x".to_owned()),
    ];
    let words = vec(any::<u32>(), 1..=5);
    (node, any::<u64>(), any::<u32>(), words, 0..3).prop_map(move |(node, id, serial, words, kind)| {
        let node = Atom::new(&node).unwrap();
        match kind {
            0 => Term::Pid(NodePid {
                node,
                pid: Pid {
                    id: id as u32,
                    serial,
                    creation,
                },
            }),
            1 => Term::from(NodePort {
                node,
                port: Port { id, creation },
            }),
            _ => Term::from(NodeReference {
                node,
                reference: Reference::new(creation, &words).unwrap(),
            }),
        }
    })
}

fn bytes_made() -> impl Strategy<Value = Term> {
    prop_oneof![
        vec(any::<u8>(), 0..20).prop_map(|bytes| Term::Binary(bytes.into())),
        any::<String>().prop_map(Term::from),
        any::<String>().prop_map(|text| Term::charlist(&text)),
        (vec(any::<u8>(), 1..5), 1u8..8).prop_map(|(bytes, last)| Term::from(Bits::new(&bytes, last).unwrap())),
    ]
}

/// A term that is unchanged after it is printed and parsed.
pub(super) fn printable() -> impl Strategy<Value = Term> {
    made(0)
}

/// A term of any kind.
pub(super) fn term() -> impl Strategy<Value = Term> {
    let fun = *TERMS.iter().find(|term| term[0] == 0x70).unwrap();
    let fun = Fun::new(Bytes::from_static(fun)).unwrap();
    prop_oneof![12 => made(7), 1 => made(7).prop_map(move |term| Term::Tuple(vec![fun.clone().into(), term]))]
}

fn made(creation: u32) -> impl Strategy<Value = Term> {
    let export = (atom_made(), atom_made(), any::<u8>()).prop_map(|(module, function, arity)| {
        Term::from(Export {
            module,
            function,
            arity,
        })
    });
    let leaf = prop_oneof![
        3 => atom_made().prop_map(Term::Atom),
        3 => integer_made(),
        1 => float_made(),
        1 => identity_made(creation),
        2 => bytes_made(),
        1 => export,
        1 => Just(Term::NIL),
    ];
    leaf.prop_recursive(5, 100, 10, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..10).prop_map(Term::Tuple),
            vec(inner.clone(), 0..10).prop_map(Term::from),
            (vec(inner.clone(), 1..4), inner.clone()).prop_map(|(items, tail)| Term::list(items, tail)),
            vec((inner.clone(), inner), 0..10).prop_map(|pairs| Term::Map(pairs.into_iter().collect())),
        ]
    })
}
