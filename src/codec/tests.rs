use bytes::BytesMut;
use proptest::prelude::*;

use super::CodecError;
use super::Reader;
use super::Writer;

fn varint(value: u64) -> BytesMut {
    let mut out = BytesMut::new();
    Writer::new(&mut out).varint(value);
    out
}

/// The samples of RFC 9000 appendix A.1.
#[test]
fn varints_match_the_rfc() {
    for (bytes, value) in [
        (
            &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..],
            151_288_809_941_952_652,
        ),
        (&[0x9d, 0x7f, 0x3e, 0x7d][..], 494_878_333),
        (&[0x7b, 0xbd][..], 15_293),
        (&[0x25][..], 37),
    ] {
        assert_eq!(Reader::new(bytes).varint("sample"), Ok(value));
        assert_eq!(&varint(value)[..], bytes);
    }
}

#[test]
fn a_failed_read_consumes_nothing_and_names_the_item() {
    let mut reader = Reader::new(&[1, 2, 3]);
    let error = CodecError::Truncated {
        what: "port",
        needed: 4,
        left: 3,
    };
    assert_eq!(reader.u32("port"), Err(error));
    assert_eq!(reader.u16("port"), Ok(0x0102));
    assert_eq!(
        reader.finish("rest"),
        Err(CodecError::Trailing { what: "rest", left: 1 })
    );
}

proptest! {
    #[test]
    fn varints_round_trip(value in 0u64..(1 << 62)) {
        let bytes = varint(value);
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.varint("value"), Ok(value));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..16)) {
        let mut reader = Reader::new(&bytes);
        while reader.varint("any").is_ok() {}
        prop_assert!(reader.len() < 8);
    }
}
