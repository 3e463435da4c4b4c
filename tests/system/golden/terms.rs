//! Terms that a real node wrote and printed are read, printed and written again as the node does.

use beamway::etf::Term;
use beamway::etf::TermRef;
use beamway::etf::from_bytes;
use beamway::etf::to_bytes;

use super::samples::read;

const LATIN1: &str = include_str!("otp25-terms.txt");
const UNICODE: &str = include_str!("otp25-terms-unicode.txt");

/// Whether the order in which the node writes a map's pairs is its own: beyond 32 pairs they are in no order.
fn has_large_map(term: &Term) -> bool {
    term.as_map().is_some_and(|map| map.len() > 32)
}

#[test]
fn terms_of_a_real_node_pass_every_way() {
    for sample in read(LATIN1).iter().chain(&read(UNICODE)) {
        let term = Term::decode(&sample.bytes).unwrap();
        let again = term.encode().unwrap();
        match has_large_map(&term) {
            true => assert_eq!(Term::decode(&again).as_ref(), Ok(&term)),
            // Old tags are read, new ones written.
            false if matches!(sample.bytes[1], 103 | 114) => {}
            false => assert_eq!(again, sample.bytes, "{term}"),
        }
        assert_eq!(
            TermRef::new(&sample.bytes)
                .unwrap()
                .to_term(&Default::default())
                .as_ref(),
            Ok(&term)
        );
        assert_eq!(from_bytes::<Term>(&sample.bytes).as_ref(), Ok(&term));
        assert_eq!(to_bytes(&term).unwrap(), again);
        for other in &sample.others {
            match Term::decode(other).unwrap() {
                // A fun is kept as it came, with atoms as they came.
                Term::Fun(fun) => assert_eq!(fun.to_string(), term.to_string()),
                other => assert_eq!(other, term),
            }
        }
        for (style, text) in &sample.printed {
            assert_eq!(term.print(*style).to_string(), *text, "{style:?}");
            if !text.contains("#Fun<") {
                assert_eq!(Term::parse(text).as_ref(), Ok(&term), "{style:?}");
            }
        }
    }
}

/// Every kind of term is there, compressed ones too.
#[test]
fn the_samples_hold_every_kind() {
    let samples = read(LATIN1);
    let mut tags: Vec<u8> = samples.iter().map(|sample| sample.bytes[1]).collect();
    tags.sort_unstable();
    tags.dedup();
    let all = [
        70, 77, 88, 89, 90, 97, 98, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 116, 118, 119, 120,
    ];
    assert!(all.iter().all(|tag| tags.contains(tag)), "{tags:?}");
    assert!(
        samples
            .iter()
            .flat_map(|sample| &sample.others)
            .any(|other| other[1] == 80)
    );
    assert!(samples.len() > 100, "{}", samples.len());
}
