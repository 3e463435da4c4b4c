use bytes::Bytes;
use proptest::prelude::*;

use super::made;
use super::scan::TERMS;
use crate::codec::Reader;
use crate::etf::*;

/// Builds an owned term only from what a view shows.
pub(super) fn own(term: TermRef<'_>) -> Term {
    let node = |name: std::borrow::Cow<'_, str>| Atom::new(&name).unwrap();
    match term.view() {
        View::Atom(name) => Term::Atom(node(name)),
        View::Integer(value) => Term::Integer(value),
        View::Big { is_negative, magnitude } => Term::Big(Big::new(is_negative, magnitude).unwrap()),
        View::Float(value) => Term::from(value),
        View::Pid(name, pid) => Term::Pid(NodePid { node: node(name), pid }),
        View::Port(name, port) => Term::from(NodePort { node: node(name), port }),
        View::Reference(name, reference) => Term::from(NodeReference {
            node: node(name),
            reference,
        }),
        View::Tuple(items) => Term::Tuple(items.map(own).collect()),
        View::List(items) => {
            let tail = items.clone().tail().map_or(Term::NIL, own);
            Term::list(items.map(own).collect(), tail)
        }
        View::Map(pairs) => Term::Map(pairs.map(|(key, value)| (own(key), own(value))).collect()),
        View::Binary(bytes) => Term::from(bytes),
        View::Bits(bytes, last) => Term::from(Bits::new(bytes, last).unwrap()),
        View::Export {
            module,
            function,
            arity,
        } => Term::from(Export {
            module: node(module),
            function: node(function),
            arity,
        }),
        View::Fun(bytes) => Term::from(Fun::new(Bytes::copy_from_slice(bytes)).unwrap()),
    }
}

/// Terms that a real node wrote are encoded again byte for byte.
#[test]
fn terms_are_written_as_a_node_writes_them() {
    for bytes in TERMS {
        let bytes = [&[131], *bytes].concat();
        let term = Term::decode(&bytes).unwrap();
        assert_eq!(term.encode().unwrap(), bytes, "{term}");
    }
}

/// Older and longer encodings, which a node still reads, have the same meaning.
#[test]
fn other_forms_of_a_term_are_read() {
    let pid = |creation| NodePid {
        node: Atom::literal("a@b"),
        pid: Pid {
            id: 7,
            serial: 1,
            creation,
        },
    };
    let port = |creation| NodePort {
        node: Atom::literal("a@b"),
        port: Port { id: 7, creation },
    };
    let reference = |creation, words: &[u32]| NodeReference {
        node: Atom::literal("a@b"),
        reference: Reference::new(creation, words).unwrap(),
    };
    let cases: &[(&[u8], Term)] = &[
        (b"\x64\x00\x02ok", term!(ok)),
        (b"\x73\x01\xe9", Term::Atom(Atom::literal("é"))),
        (b"\x76\x00\x02ok", term!(ok)),
        (b"\x62\x00\x00\x00\x07", term!(7)),
        (b"\x6e\x01\x00\x07", term!(7)),
        (b"\x6e\x00\x01", term!(0)),
        (b"\x6e\x09\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00", term!(-1)),
        (b"\x6f\x00\x00\x00\x01\x00\x07", term!(7)),
        (b"\x69\x00\x00\x00\x01\x6a", term!({ [] })),
        (b"\x6c\x00\x00\x00\x01\x61\x07\x6a", term!([7])),
        (b"\x6c\x00\x00\x00\x01\x61\x07\x6b\x00\x01a", term!([7, 97])),
        (
            b"\x6c\x00\x00\x00\x01\x61\x07\x6c\x00\x00\x00\x01\x61\x08\x77\x01a",
            term!([7, 8 | a]),
        ),
        (b"\x6c\x00\x00\x00\x00\x61\x07", term!(7)),
        (b"\x4d\x00\x00\x00\x01\x08a", term!("a")),
        (b"\x4d\x00\x00\x00\x00\x00", term!("")),
        (b"\x631.50000000000000000000e+00\0\0\0\0\0", term!(1.5)),
        (b"\x67\x64\x00\x03a@b\0\0\0\x07\0\0\0\x01\x03", pid(3).into()),
        (b"\x66\x64\x00\x03a@b\0\0\0\x07\x03", port(3).into()),
        (b"\x78\x77\x03a@b\0\0\0\0\0\0\0\x07\0\0\0\x03", port(3).into()),
        (b"\x65\x64\x00\x03a@b\0\0\0\x07\x03", reference(3, &[7]).into()),
        (
            b"\x72\x00\x02\x64\x00\x03a@b\x03\0\0\0\x07\0\0\0\x08",
            reference(3, &[7, 8]).into(),
        ),
    ];
    for (bytes, expected) in cases {
        let bytes = [&[131], *bytes].concat();
        assert_eq!(Term::decode(&bytes).as_ref(), Ok(expected), "{bytes:x?}");
        assert_eq!(own(TermRef::new(&bytes).unwrap()), *expected, "{bytes:x?}");
    }
}

#[test]
fn a_list_in_its_short_form_is_at_most_65535_bytes() {
    for (count, tag) in [(65_535, 107), (65_536, 108)] {
        let list = Term::from(vec![Term::Integer(7); count]);
        let bytes = list.encode().unwrap();
        assert_eq!(bytes[1], tag);
        assert_eq!(Term::decode(&bytes), Ok(list));
    }
}

#[test]
fn binaries_are_shared_on_demand() {
    let bytes = term!({"one", "two"}).encode().unwrap();
    let Term::Tuple(items) = Term::decode_shared(&bytes, &Limits::default()).unwrap() else {
        panic!("a tuple");
    };
    let Term::Binary(two) = &items[1] else {
        panic!("a binary");
    };
    assert!(bytes.as_ptr_range().contains(&two.as_ptr()));
}

#[test]
fn compressed_terms_are_inflated() {
    let term = Term::from(vec![term!("the same again"); 100]);
    let plain = term.encode().unwrap();
    let packed = compressed(&plain[1..], plain.len() as u32 - 1);
    assert!(packed.len() < plain.len() / 4);
    assert_eq!(Term::decode(&packed), Ok(term.clone()));
    assert_eq!(
        Term::decode_shared(&packed.clone().into(), &Limits::default()),
        Ok(term)
    );
    assert_eq!(inflate(&packed, &Limits::default()), Ok(plain.clone()));
    assert_eq!(TermRef::new(&packed).err(), Some(TermError::Compressed));
    // The stated size must be exact.
    for wrong in [plain.len() as u32 - 2, plain.len() as u32] {
        assert_eq!(Term::decode(&compressed(&plain[1..], wrong)), Err(TermError::Deflate));
    }
    let bomb = compressed(&plain[1..], u32::MAX);
    assert!(matches!(Term::decode(&bomb), Err(TermError::Limit { .. })));
    // The stated size exceeds what so few bytes can decompress to, so no memory is allocated.
    assert_eq!(
        Term::decode(b"\x83\x50\x03\xff\xff\xff\x78\x9c"),
        Err(TermError::Deflate)
    );
    let zeros = Term::Binary(vec![0; 1 << 20].into());
    let plain = zeros.encode().unwrap();
    assert_eq!(
        Term::decode(&compressed(&plain[1..], plain.len() as u32 - 1)),
        Ok(zeros)
    );
}

pub(super) fn compressed(plain: &[u8], size: u32) -> Vec<u8> {
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(plain, 6);
    [&[131, 80], &size.to_be_bytes()[..], &packed].concat()
}

#[test]
fn what_follows_a_term_is_left() {
    let mut bytes = bytes::BytesMut::new();
    term!({a, "b"}).write(&mut bytes).unwrap();
    term!(next).write(&mut bytes).unwrap();
    let bytes = bytes.freeze();
    let limits = Limits::default();
    let mut readers = [Reader::new(&bytes); 3];
    let [one, two, three] = &mut readers;
    assert_eq!(Term::read(one, &limits), Ok(term!({a, "b"})));
    assert_eq!(Term::read_shared(two, &bytes, &limits), Ok(term!({a, "b"})));
    assert_eq!(TermRef::read(three, &limits).map(own), Ok(term!({a, "b"})));
    for reader in &mut readers {
        assert_eq!(Term::read(reader, &limits), Ok(term!(next)));
        assert!(reader.is_empty());
    }
}

proptest! {
    #[test]
    fn terms_survive_the_way_through_bytes(term in made::term()) {
        let bytes = term.encode().unwrap();
        prop_assert_eq!(&Term::decode(&bytes).unwrap(), &term);
        prop_assert_eq!(&Term::decode_shared(&bytes, &Limits::default()).unwrap(), &term);
        prop_assert!(skip(&mut Reader::new(&bytes[1..])).is_ok());
    }

    #[test]
    fn a_view_shows_what_is_there(term in made::term()) {
        let bytes = term.encode().unwrap();
        let view = TermRef::new(&bytes).unwrap();
        prop_assert_eq!(&own(view), &term);
        prop_assert_eq!(&view.to_term(&Limits::default()).unwrap(), &term);
        prop_assert_eq!(view.bytes(), &bytes[1..]);
        if let Some(map) = term.as_map() {
            for (key, value) in map {
                if let Some(name) = key.as_atom() {
                    prop_assert_eq!(&own(view.get(name).unwrap()), value);
                    prop_assert_eq!(map.get_atom(name), Some(value));
                }
                prop_assert_eq!(map.get(key), Some(value));
            }
        }
    }
}
