use proptest::prelude::*;

use super::*;
use crate::codec::Reader;

/// Terms written by a real node (OTP 25, `term_to_binary/1` without its version byte), one of each kind.
const TERMS: &[&[u8]] = &[
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
    b"\x71\x77\x05lists\x77\x03map\x61\x02",
    b"\x58\x77\x03a@h\x00\x00\x00\x64\x00\x00\x00\x00\x00\x00\x00\x05",
    b"\x5a\x00\x03\x77\x03a@h\x00\x00\x00\x05\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x03",
    b"\x78\x77\x03a@h\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x05",
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
        Err(TermError::Range { .. })
    ));
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
    fn damaged_terms_never_panic(which in 0..TERMS.len(), at in any::<usize>(), with in any::<u8>()) {
        let mut bytes = TERMS[which].to_vec();
        let at = at % bytes.len();
        bytes[at] = with;
        let _ = skip(&mut Reader::new(&bytes));
    }
}
