use proptest::prelude::*;

use crate::codec::CodecError;
use crate::codec::Reader;
use crate::etf::*;

/// Terms written by a real node (OTP 25, `term_to_binary/1` without its version byte), one of each kind.
pub(super) const TERMS: &[&[u8]] = &[
    b"\x77\x02ok",
    b"\x61\x07",
    b"\x62\xff\xff\xff\xff",
    b"\x46\x3f\xf8\x00\x00\x00\x00\x00\x00",
    b"\x6e\x08\x01\x01\x02\x03\x04\x05\x06\x07\x08",
    b"\x6a",
    b"\x6b\x00\x03abc",
    b"\x6d\x00\x00\x00\x03abc",
    b"\x4d\x00\x00\x00\x01\x03\xa0",
    b"\x6c\x00\x00\x00\x02\x77\x01a\x68\x02\x61\x01\x61\x02\x6a",
    b"\x74\x00\x00\x00\x01\x77\x01k\x6a",
    // `f(X) -> fun() -> X end.`, applied to 7; on a node that is not alive.
    b"\x70\x00\x00\x00\x48\x00\xa6\x8b\x8f\x3b\xb0\xeb\x31\x1e\xc9\x5d\x87\xbe\x7d\x29\x21\x60\x00\x00\x00\
      \x00\x00\x00\x00\x01\x64\x00\x02\x66\x66\x61\x00\x62\x05\x34\x5c\x79\x58\x64\x00\x0d\x6e\x6f\x6e\x6f\
      \x64\x65\x40\x6e\x6f\x68\x6f\x73\x74\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x00\x61\x07",
];

#[test]
fn whole_terms_are_skipped_to_their_end() {
    for term in TERMS {
        let mut reader = Reader::new(term);
        assert_eq!(skip(&mut reader), Ok(()), "{term:x?}");
        assert!(reader.is_empty(), "{term:x?}");
        let mut cut = Reader::new(&term[..term.len() - 1]);
        assert!(skip(&mut cut).is_err(), "{term:x?} cut short");
    }
}

#[test]
fn a_deep_term_is_skipped_without_recursion() {
    let mut deep = b"\x68\x01".repeat(1_000_000);
    deep.push(0x6a);
    assert_eq!(skip(&mut Reader::new(&deep)), Ok(()));
}

#[test]
fn a_claimed_size_beyond_the_bytes_is_refused_at_once() {
    assert!(matches!(
        skip(&mut Reader::new(b"\x69\xff\xff\xff\xff")),
        Err(TermError::Codec(CodecError::Truncated { .. }))
    ));
}

/// A fun ends where its elements end, as in the VM, whatever size it states.
#[test]
fn the_stated_size_of_a_fun_does_not_move_its_end() {
    let mut fun = TERMS.iter().find(|term| term[0] == 0x70).unwrap().to_vec();
    for size in [0, 5, 0x7fff_ffffu32] {
        fun[1..5].copy_from_slice(&size.to_be_bytes());
        let mut reader = Reader::new(&fun);
        assert_eq!(skip(&mut reader), Ok(()));
        assert!(reader.is_empty());
    }
}

#[test]
fn tags_that_no_node_may_send_are_refused() {
    for tag in [0, 67, 80, 82, 117, 121, 131, 255] {
        let bytes = [&[tag], &[0u8; 40][..]].concat();
        assert!(
            matches!(skip(&mut Reader::new(&bytes)), Err(TermError::Tag { .. })),
            "{tag}"
        );
    }
}

#[test]
fn atoms_are_held_to_their_limits() {
    let long = [&b"\x76\x03\xfd"[..], &[b'a'; 1021]].concat();
    assert!(atom(&mut Reader::new(&long)).is_err());
    let full = [&b"\x76\x03\xfc"[..], "😀".repeat(255).as_bytes()].concat();
    assert_eq!(atom(&mut Reader::new(&full)).unwrap().check(), Ok(()));
    let many = [&b"\x76\x01\x00"[..], &[b'a'; 256]].concat();
    assert!(atom(&mut Reader::new(&many)).unwrap().check().is_err());
    assert!(atom(&mut Reader::new(b"\x77\x01\xff")).unwrap().check().is_err());
    assert!(atom(&mut Reader::new(b"\x73\x01\xff")).unwrap().check().is_ok());
}

#[test]
fn low_bits_of_integers_of_any_size() {
    for (bytes, value) in [
        (&b"\x61\x07"[..], 7),
        (b"\x6e\x02\x00\x34\x12", 0x1234),
        (b"\x6e\x09\x00\x01\x00\x00\x00\x00\x00\x00\x80\xff", 1 << 63 | 1),
    ] {
        assert_eq!(low_bits(&mut Reader::new(bytes)), Ok(value));
    }
    assert!(low_bits(&mut Reader::new(b"\x6e\x01\x01\x05")).is_err());
}

#[test]
fn an_atom_in_latin1_reads_as_utf8() {
    let latin1 = atom(&mut Reader::new(b"\x64\x00\x01\xe9")).unwrap().utf8().into_owned();
    let utf8 = atom(&mut Reader::new("\u{77}\u{2}é".as_bytes()))
        .unwrap()
        .utf8()
        .into_owned();
    assert_eq!(latin1, utf8);
}

proptest! {
    #[test]
    fn any_bytes_are_skipped_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = skip(&mut Reader::new(&bytes));
        let _ = pid(&mut Reader::new(&bytes));
        let _ = reference(&mut Reader::new(&bytes));
        let _ = unsigned(&mut Reader::new(&bytes));
    }

    #[test]
    fn damaged_terms_never_panic(which in 0..TERMS.len(), at in any::<usize>(), with in any::<u8>(), kind in 0..3) {
        let mut bytes = TERMS[which].to_vec();
        let at = at % bytes.len();
        match kind {
            0 => bytes[at] = with,
            1 => bytes.truncate(at),
            _ => bytes.insert(at, with),
        }
        let _ = skip(&mut Reader::new(&bytes));
        let _ = pid(&mut Reader::new(&bytes));
        let _ = reference(&mut Reader::new(&bytes));
        let _ = low_bits(&mut Reader::new(&bytes));
    }

    /// A term within another one is skipped completely, and the bytes that follow are not touched.
    #[test]
    fn nested_terms_are_skipped_to_their_end(which in proptest::collection::vec(0..TERMS.len(), 0..20), shape in 0..3) {
        let count = which.len() as u8;
        let (head, tail): (Vec<u8>, &[u8]) = match shape {
            0 => (vec![104, count], b""),
            1 => (vec![108, 0, 0, 0, count], b"\x6a"),
            _ => (vec![105, 0, 0, 0, count], b""),
        };
        let inner = which.iter().flat_map(|index| TERMS[*index].to_vec()).collect::<Vec<_>>();
        let bytes = [&head[..], &inner, tail, b"rest"].concat();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(skip(&mut reader), Ok(()));
        prop_assert_eq!(reader.rest(), b"rest");
    }
}
