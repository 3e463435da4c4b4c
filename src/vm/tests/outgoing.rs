use super::support::binary;
use super::support::message;
use crate::dist::Format;
use crate::vm::Outgoing;
use crate::wire::Content;

fn packet(out: &mut Outgoing, parts: &[&[u8]]) {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    out.reserve(size + 4);
    out.packet(size as u32);
    parts.iter().for_each(|part| out.part(part));
}

fn contents(out: &mut Outgoing) -> Vec<Content> {
    let signals = out.signals().expect("packets of a node");
    signals.into_iter().map(|signal| signal.content).collect()
}

#[test]
fn packets_in_pieces_become_signals() {
    let mut out = Outgoing::new(Format::Header);
    let body = message(&[106]);
    let (begin, end) = body.split_at(7);
    packet(&mut out, &[&[131, 68, 0], begin, end]);
    packet(&mut out, &[]);
    assert_eq!(contents(&mut out), [Content::Signal(body)], "a tick is left out");
    assert_eq!(contents(&mut out), []);
}

#[test]
fn small_messages_that_follow_one_another_are_one_run() {
    let mut out = Outgoing::new(Format::Header);
    let body = message(&[106]);
    for _ in 0..100 {
        packet(&mut out, &[&[131, 68, 0], &body]);
    }
    let [Content::Run(packets)] = &contents(&mut out)[..] else {
        panic!("not one run");
    };
    assert_eq!(packets.len(), 100 * (7 + body.len()));
}

/// A VM hands over what was queued before the connection was up as one packet of any size.
#[test]
fn a_long_packet_is_split() {
    let mut out = Outgoing::new(Format::Header);
    let body = message(&binary(300_000, 7));
    packet(&mut out, &[&[131, 68, 0], &body]);
    let contents = contents(&mut out);
    assert!(matches!(contents[0], Content::First { fragments: 5, .. }));
    let joined: Vec<u8> = contents.iter().flat_map(|content| content.body().to_vec()).collect();
    assert_eq!(joined, body);
}

#[test]
fn a_malformed_packet_is_an_error() {
    for bytes in [&[131, 68, 1][..], &[132, 68, 0, 104], &[131, 68, 0, 104, 3, 97, 22]] {
        let mut out = Outgoing::new(Format::Header);
        packet(&mut out, &[bytes]);
        out.signals().unwrap_err();
    }
}
