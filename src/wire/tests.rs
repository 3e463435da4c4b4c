use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::dist::RUN_MAX;

fn encoded(frame: &Frame) -> BytesMut {
    let mut out = BytesMut::new();
    let head = FrameHead {
        circuit: frame.circuit,
        strand: frame.strand,
        fences: &frame.fences,
        content: &frame.content,
    };
    head.encode(&mut out);
    out.extend_from_slice(frame.content.body());
    out
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let number = 0u64..(1 << 62);
    let body = proptest::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from);
    let fence = any_frame_id();
    let content = prop_oneof![
        body.clone().prop_map(Content::Signal),
        body.clone().prop_map(Content::Run),
        (number.clone(), number.clone(), body.clone()).prop_map(|(message, fragments, body)| Content::First {
            message,
            fragments,
            body
        }),
        (number.clone(), number.clone(), body).prop_map(|(message, remaining, body)| Content::Next {
            message,
            remaining,
            body
        }),
    ];
    (number, 0..STRANDS, proptest::collection::vec(fence, 0..5), content).prop_map(
        |(circuit, strand, fences, content)| Frame {
            circuit: CircuitId(circuit),
            strand,
            fences,
            content,
        },
    )
}

fn any_frame_id() -> impl Strategy<Value = FrameId> {
    (0..STRANDS, 0u64..(1 << 62)).prop_map(|(strand, number)| FrameId { strand, number })
}

fn any_frame_ids() -> impl Strategy<Value = Vec<FrameId>> {
    proptest::collection::vec(any_frame_id(), 0..20)
}

fn any_marks() -> impl Strategy<Value = Vec<Mark>> {
    let mark = (0..LANES_MAX, any::<u64>()).prop_map(|(lane, number)| Mark { lane, number });
    proptest::collection::vec(mark, 0..20)
}

fn session() -> impl Strategy<Value = SessionId> {
    (1..u64::MAX, 1..u64::MAX).prop_map(|(session, trunk)| SessionId { session, trunk })
}

fn any_hello() -> impl Strategy<Value = Notice> {
    (
        any::<[u8; 16]>(),
        1..=LANES_MAX,
        ".*",
        proptest::option::of(session()),
        any::<bool>(),
        any::<u16>(),
    )
        .prop_map(|(boot, lanes, name, session, temporary, port)| {
            Notice::Hello(Hello {
                versions: (1, 1),
                name,
                boot,
                lanes,
                software: "s".into(),
                session,
                temporary,
                port,
                exchanges: port % 2 == 0,
            })
        })
}

fn any_notice() -> impl Strategy<Value = Notice> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..100).prop_map(Bytes::from);
    let progress = (any::<u64>(), any_frame_ids(), any::<u64>()).prop_map(|(circuit, delivered, credit)| Progress {
        circuit: CircuitId(circuit),
        delivered,
        credit,
    });
    prop_oneof![
        any_hello(),
        session().prop_map(Notice::Welcome),
        (any_marks(), any::<u64>(), proptest::collection::vec(progress, 0..4)).prop_map(
            |(received, notices, circuits)| Notice::Receipt(Receipt {
                received,
                notices,
                circuits
            })
        ),
        ("[a-z]*", proptest::collection::vec("[a-z.]*", 0..4), any::<bool>())
            .prop_map(|(name, hosts, hidden)| Notice::NodeUp { name, hosts, hidden }),
        "[a-z]*".prop_map(|name| Notice::NodeDown { name }),
        (any::<u64>(), ".*", bytes(), any::<u64>()).prop_map(|(circuit, target, send_name, credit)| Notice::Open(
            Open {
                circuit: CircuitId(circuit),
                target,
                send_name,
                credit
            }
        )),
        (any::<u64>(), bytes(), any::<u64>()).prop_map(|(circuit, message, credit)| Notice::Handshake {
            circuit: CircuitId(circuit),
            message,
            credit
        }),
        (any::<u64>(), any_frame_ids(), ".*").prop_map(|(circuit, last, reason)| Notice::Close(Close {
            circuit: CircuitId(circuit),
            last,
            reason
        })),
        (any::<u64>(), any::<bool>()).prop_map(|(circuit, is_silent)| Notice::Silence {
            circuit: CircuitId(circuit),
            is_silent
        }),
        proptest::collection::vec(
            (
                "[a-z.]*",
                proptest::collection::vec(any::<(IpAddr, u16)>().prop_map(SocketAddr::from), 0..3)
            ),
            0..4
        )
        .prop_map(|peers| Notice::Peers(
            peers
                .into_iter()
                .map(|(name, addresses)| KnownPeer { name, addresses })
                .collect()
        )),
        ".*".prop_map(|reason| Notice::Leaving { reason }),
        ".*".prop_map(|reason| Notice::Goodbye { reason }),
    ]
}

/// Damages bytes in one of several ways.
fn damage(mut bytes: Vec<u8>, at: usize, kind: u8, with: u8) -> Vec<u8> {
    let at = at % (bytes.len() + 1);
    match kind % 3 {
        0 if at < bytes.len() => bytes[at] ^= with | 1,
        1 => bytes.truncate(at),
        _ => bytes.insert(at, with),
    }
    bytes
}

proptest! {
    #[test]
    fn frames_survive_any_cutting(frames in proptest::collection::vec(any_frame(), 1..6), cut in 1usize..40) {
        let stream: Vec<u8> = frames.iter().flat_map(|frame| encoded(frame).to_vec()).collect();
        let mut decoder = FrameDecoder::default();
        let mut seen = Vec::new();
        for mut chunk in stream.chunks(cut) {
            decoder.decode(&mut chunk, &mut seen, usize::MAX).unwrap();
        }
        prop_assert_eq!(seen, frames);
    }

    #[test]
    fn damaged_frames_never_panic(frame in any_frame(), at in any::<usize>(), kind in any::<u8>(), with in any::<u8>()) {
        let mut decoder = FrameDecoder::default();
        let damaged = damage(encoded(&frame).to_vec(), at, kind, with);
        let mut input = &damaged[..];
        let _ = decoder.decode(&mut input, &mut Vec::new(), usize::MAX);
    }

    #[test]
    fn notices_survive_any_cutting(notices in proptest::collection::vec(any_notice(), 1..5), cut in 1usize..60) {
        let mut stream = BytesMut::new();
        for (number, notice) in notices.iter().enumerate() {
            notice.clone().encode(number as u64, &mut stream);
        }
        let mut decoder = NoticeDecoder::default();
        let mut seen = Vec::new();
        for chunk in stream.chunks(cut) {
            decoder.push(chunk);
            while let Some((number, notice)) = decoder.poll_notice().unwrap() {
                prop_assert_eq!(number, seen.len() as u64);
                seen.push(notice);
            }
        }
        prop_assert_eq!(seen, notices);
    }

    #[test]
    fn damaged_notices_never_panic(notice in any_notice(), at in any::<usize>(), kind in any::<u8>(), with in any::<u8>()) {
        let mut bytes = BytesMut::new();
        notice.encode(1, &mut bytes);
        let mut decoder = NoticeDecoder::default();
        decoder.push(&damage(bytes.to_vec(), at, kind, with));
        while let Ok(Some(_)) = decoder.poll_notice() {}
    }
}

#[test]
fn a_run_longer_than_a_turn_is_refused_before_it_arrives() {
    for (length, is_fine) in [(RUN_MAX, true), (RUN_MAX + 1, false)] {
        let frame = Frame {
            circuit: CircuitId(1),
            strand: 5,
            fences: Vec::new(),
            content: Content::Run(vec![7; length].into()),
        };
        let bytes = encoded(&frame);
        let mut decoder = FrameDecoder::default();
        let (mut most, mut last) = bytes.split_at(bytes.len() - 1);
        let mut frames = Vec::new();
        assert_eq!(decoder.decode(&mut most, &mut frames, 1).is_ok(), is_fine, "{length}");
        if is_fine {
            decoder.decode(&mut last, &mut frames, 1).unwrap();
            assert_eq!(frames, [frame]);
        }
    }
}

#[test]
fn an_oversized_body_is_refused_before_it_arrives() {
    let mut decoder = FrameDecoder::default();
    let mut input = &[KIND_OF_A_SIGNAL, 1, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..];
    assert!(matches!(
        decoder.decode(&mut input, &mut Vec::new(), 1),
        Err(WireError::Oversized { what: "frame body", .. })
    ));
    let mut decoder = NoticeDecoder::default();
    decoder.push(&[0xff; 8]);
    assert!(matches!(
        decoder.poll_notice(),
        Err(WireError::Oversized { what: "notice", .. })
    ));
}

const KIND_OF_A_SIGNAL: u8 = 0;

/// The generated code is committed. This test checks that it is up to date. With `BLESS=1` it is written again.
#[test]
fn generated_code_matches_the_proto_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::compile([root.join("proto/notice.proto")], [root.join("proto")]).unwrap();
    let modules = prost_build::Config::new()
        .generate(
            descriptors
                .file
                .into_iter()
                .map(|file| (prost_build::Module::from_protobuf_package_name("v1"), file))
                .collect(),
        )
        .unwrap();
    let code = modules.into_values().next().unwrap();
    let code = format!("#![allow(missing_docs, clippy::all, unreachable_pub)]\n{code}");
    let path = root.join("src/wire/generated.rs");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &code).unwrap();
    }
    let squeeze = |text: &str| {
        text.split_whitespace()
            .collect::<String>()
            .replace(",)", ")")
            .replace(",}", "}")
    };
    assert_eq!(
        squeeze(&std::fs::read_to_string(&path).unwrap()),
        squeeze(&code),
        "run with BLESS=1 after a change"
    );
}
