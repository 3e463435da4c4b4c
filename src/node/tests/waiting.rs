use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use bytes::BufMut;
use bytes::Bytes;
use bytes::BytesMut;

use crate::codec::Buffers;
use crate::dist::FRAGMENT_SIZE;
use crate::dist::Format;
use crate::dist::RUN_MAX;
use crate::dist::Run;
use crate::dist::SEQUENCES_MAX;
use crate::dist::Sender;
use crate::dist::StreamDecoder;
use crate::dist::StreamEncoder;
use crate::endpoint::packets;
use crate::etf::Atom;
use crate::etf::Pid;
use crate::etf::Term;
use crate::node::ConnectionError;
use crate::node::MailboxBound;
use crate::node::Message;
use crate::node::WhenFull;
use crate::node::inlet::Inlet;
use crate::node::mail::Mail;
use crate::node::mailbox::Mailbox;
use crate::node::outlet::Batch;
use crate::node::outlet::Connection;
use crate::node::outlet::HEADER;
use crate::node::outlet::Offered;
use crate::node::outlet::start;
use crate::node::queue::Queue;
use crate::order::Address;
use crate::order::Head;
use crate::wire::Content;

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn connection() -> Connection {
    Connection::new(1, Atom::literal("b@h"), (1000, 10_000), 100)
}

/// Whether the connection accepts it.
fn push(connection: &Connection, body: &[u8]) -> bool {
    let is_open = connection.closed().is_none();
    let write = |out: &mut BytesMut| {
        out.put_slice(body);
        Ok(())
    };
    connection.push(write).unwrap();
    is_open
}

/// A message with this payload. The end of a large one is passed as a tail.
fn offer(connection: &Connection, to: u32, body: &[u8]) -> Offered {
    let head = Head {
        sender: Sender::Unknown,
        address: Address::Process(pid(to)),
    };
    let payload = |out: &mut BytesMut| {
        let (copied, tail) = body.split_at(if body.len() < FRAGMENT_SIZE { body.len() } else { 10 });
        out.put_slice(copied);
        Ok((!tail.is_empty()).then(|| Bytes::copy_from_slice(tail)))
    };
    connection.offer(head, &start(&control(to)), payload).unwrap()
}

/// `{2, '', To}`.
pub(super) fn control(to: u32) -> Vec<u8> {
    let words = [to, 1, 1].map(u32::to_be_bytes).concat();
    [&b"\x68\x03\x61\x02\x77\x00\x58\x77\x03b@h"[..], &words].concat()
}

fn batch(connection: &Connection) -> Batch {
    match connection.poll_batch(&mut context()) {
        Poll::Ready(Ok(batch)) => batch,
        other => panic!("nothing to write: {other:?}"),
    }
}

pub(super) const fn pid(id: u32) -> Pid {
    Pid {
        id,
        serial: 1,
        creation: 1,
    }
}

/// The signals as they were sent: control term and payload.
fn put_together(contents: impl IntoIterator<Item = Content>) -> Vec<Vec<u8>> {
    let mut inlet = Inlet::new(1 << 20);
    let mut signals = Vec::new();
    for content in contents {
        let is_run = matches!(content, Content::Run(_));
        let Some(whole) = inlet.take(content).unwrap() else {
            continue;
        };
        if !is_run {
            signals.push(whole.to_vec());
            continue;
        }
        assert!(whole.len() <= RUN_MAX);
        let mut run = Run::new(&whole, Format::Header).unwrap();
        let control = whole[HEADER..HEADER + run.control.length].to_vec();
        while let Some(payload) = run.next_payload().unwrap() {
            signals.push([&control, payload].concat());
        }
    }
    signals
}

/// What a node reads from these packets.
fn read(packets: Buffers) -> Vec<Content> {
    let mut decoder = StreamDecoder::new(Format::Header);
    let mut input = BytesMut::from(&packets.finish().concat()[..]);
    let contents =
        std::iter::from_fn(|| decoder.decode(&mut input).unwrap()).map(|packet| packets::content(packet).unwrap());
    let contents = contents.collect();
    assert!(input.is_empty());
    contents
}

#[test]
fn small_messages_of_one_way_travel_together() {
    let offered = [
        (1, [100].repeat(300)),
        (
            2,
            vec![
                10,
                5_000,
                10,
                2 * FRAGMENT_SIZE,
                10,
                10,
                FRAGMENT_SIZE,
                3 * FRAGMENT_SIZE + 1,
            ],
        ),
        (1, vec![10]),
    ];
    let mut sent = Vec::new();
    let batches = [(), ()].map(|()| {
        let connection = Connection::new(1, Atom::literal("b@h"), (usize::MAX, usize::MAX), 100);
        sent.clear();
        for (to, sizes) in &offered {
            for size in sizes {
                let payload = vec![sent.len() as u8; *size];
                assert_eq!(offer(&connection, *to, &payload), Offered::Taken);
                sent.push([control(*to), payload].concat());
            }
        }
        batch(&connection)
    });
    let [over_lanes, plain] = batches;
    let contents = over_lanes.contents(&mut 0);
    assert!(contents.len() < 20, "{}", contents.len());
    for (head, content) in &contents {
        let is_there = |to| {
            content
                .body()
                .windows(control(to).len())
                .any(|piece| piece == control(to))
        };
        let Some(Head {
            address: Address::Process(pid),
            ..
        }) = head
        else {
            panic!("{head:?}");
        };
        assert!(matches!(content, Content::Next { .. }) || is_there(pid.id));
    }
    assert_eq!(put_together(contents.into_iter().map(|(_, content)| content)), sent);
    let packets = plain.packets(&mut StreamEncoder::new(Format::Header), &mut 0).unwrap();
    assert_eq!(put_together(read(packets)), sent);
}

/// The destination contains a hash of a name, and different names may have the same hash.
#[test]
fn messages_with_different_control_terms_are_kept_apart() {
    let connection = Connection::new(1, Atom::literal("b@h"), (usize::MAX, usize::MAX), 100);
    let head = Head {
        sender: Sender::Unknown,
        address: Address::Name(7),
    };
    for to in [1, 1, 2] {
        let payload = |out: &mut BytesMut| {
            out.put_slice(b"payload");
            Ok(None)
        };
        connection.offer(head, &start(&control(to)), payload).unwrap();
    }
    let contents = batch(&connection).contents(&mut 0);
    let is_run = |(_, content): &(_, Content)| matches!(content, Content::Run(_));
    assert_eq!(contents.iter().map(is_run).collect::<Vec<bool>>(), [true, false]);
}

#[test]
fn signals_of_all_sizes_are_cut_and_put_together() {
    let sizes = [
        0,
        1,
        FRAGMENT_SIZE - 1,
        FRAGMENT_SIZE,
        FRAGMENT_SIZE + 1,
        5 * FRAGMENT_SIZE,
        5 * FRAGMENT_SIZE + 7,
    ];
    let bodies: Vec<Vec<u8>> = sizes
        .iter()
        .map(|size| (0..*size).map(|n| (n * 31 % 251) as u8).collect())
        .collect();
    let connection = Connection::new(1, Atom::literal("b@h"), (usize::MAX, usize::MAX), 100);
    for body in &bodies {
        assert!(push(&connection, body));
    }
    // A message must have a payload.
    let payloads = &bodies[1..];
    for payload in payloads {
        assert_eq!(offer(&connection, 1, payload), Offered::Taken);
    }
    let messages = payloads.iter().map(|body| [&control(1)[..], body].concat());
    let sent: Vec<Vec<u8>> = bodies.iter().cloned().chain(messages).collect();
    let contents = batch(&connection).contents(&mut 0);
    assert!(
        contents
            .iter()
            .all(|(_, content)| content.body().len() <= FRAGMENT_SIZE)
    );
    assert_eq!(put_together(contents.into_iter().map(|(_, content)| content)), sent);
}

#[test]
fn parts_that_do_not_follow_or_are_too_many_are_refused() {
    let body = vec![7; 3 * FRAGMENT_SIZE];
    let connection = Connection::new(1, Atom::literal("b@h"), (1, usize::MAX), 100);
    push(&connection, &body);
    let contents = batch(&connection).contents(&mut 0);
    let part = |number: usize| contents[number].1.clone();
    let mut inlet = Inlet::new(body.len());
    assert!(inlet.take(part(1)).is_err(), "a fragment without the first one");
    let mut inlet = Inlet::new(body.len());
    inlet.take(part(0)).unwrap();
    assert!(inlet.take(part(2)).is_err(), "a missing fragment");
    let mut inlet = Inlet::new(2 * FRAGMENT_SIZE);
    inlet.take(part(0)).unwrap();
    inlet.take(part(1)).unwrap();
    assert!(matches!(inlet.take(part(2)), Err(ConnectionError::Oversized(_))));
}

#[test]
fn signals_in_parts_are_bounded_in_number_and_memory() {
    let first = |message: u64, body: &'static [u8]| Content::First {
        message,
        fragments: 100_000,
        body: Bytes::from_static(body),
    };
    let mut inlet = Inlet::new(1 << 20);
    for message in 0..SEQUENCES_MAX as u64 {
        inlet.take(first(message, b"")).unwrap();
    }
    assert!(inlet.take(first(u64::MAX, b"")).is_err(), "one more that has no bytes");
    // A peer that announces many parts reserves no more than it has sent.
    let mut inlet = Inlet::new(1 << 20);
    inlet.take(first(1, b"start")).unwrap();
    let body = Bytes::from_static(&[0; 1000]);
    for remaining in (1..100_000).rev().take(1000) {
        let message = 1;
        let body = body.clone();
        inlet
            .take(Content::Next {
                message,
                remaining,
                body,
            })
            .unwrap();
    }
    assert!(inlet.memory() <= (2 << 20) + 1000, "{} bytes", inlet.memory());
}

#[test]
fn a_connection_makes_senders_wait_and_gives_up_at_last() {
    let connection = connection();
    connection.establish();
    assert_eq!(connection.poll_room(&mut context()), Poll::Ready(()));
    push(&connection, &[0; 1000]);
    assert_eq!(connection.poll_room(&mut context()), Poll::Pending);
    assert_eq!(offer(&connection, 1, b"one more"), Offered::Full);
    let _ = connection.poll_batch(&mut context());
    assert_eq!(connection.poll_room(&mut context()), Poll::Ready(()));
    // A sender that does not wait ends the connection at last. What was accepted is still written.
    let taken = (0..20).filter(|_| push(&connection, &[0; 1000])).count();
    assert_eq!(taken, 11);
    assert!(matches!(connection.poll_batch(&mut context()), Poll::Ready(Ok(_))));
    assert!(matches!(connection.poll_batch(&mut context()), Poll::Ready(Err(_))));
    assert_eq!(
        connection.poll_room(&mut context()),
        Poll::Ready(()),
        "nobody waits for ever"
    );
    assert_eq!(offer(&connection, 1, b"too late"), Offered::Closed);
}

#[test]
fn a_full_mailbox_owes_until_its_messages_are_received() {
    let bound = MailboxBound {
        messages: 2,
        bytes: 1 << 20,
        when_full: WhenFull::Wait,
    };
    let mailbox = Mailbox::new(pid(1));
    let mail = || Mail::Encoded {
        payload: Bytes::from_static(b"payload"),
        connection: 1,
        debt: 0,
    };
    assert_eq!((mailbox.push(mail(), &bound), mailbox.push(mail(), &bound)), (0, 0));
    assert_eq!(mailbox.poll_room(&mut context(), &bound), Poll::Pending);
    let owed = mailbox.push(mail(), &bound);
    assert!(owed > 7);
    let connection = connection();
    connection.charge(owed);
    connection.charge(owed);
    assert_eq!(connection.poll_arrears(&mut context()), Poll::Pending);
    connection.release(owed);
    assert_eq!(connection.poll_arrears(&mut context()), Poll::Ready(()));
    // The receiver may be faster than the code that charges.
    connection.release(owed);
    connection.release(owed);
    connection.charge(owed);
    assert_eq!(connection.poll_arrears(&mut context()), Poll::Ready(()));
    // Local messages owe nothing, since their senders wait.
    assert_eq!(mailbox.push(Mail::Term(Term::NIL), &bound), 0);
    let mut queue = Queue::default();
    assert_eq!(mailbox.poll_take(&mut context(), &mut queue), Poll::Ready(()));
    assert_eq!(
        (queue.len(), mailbox.len()),
        (4, 4),
        "moved to the queue is not received"
    );
    while queue.take(|_| ()).is_some() {}
    assert_eq!(mailbox.poll_take(&mut context(), &mut queue), Poll::Pending);
    assert_eq!(
        (mailbox.len(), mailbox.poll_room(&mut context(), &bound)),
        (0, Poll::Ready(()))
    );
}

#[test]
fn a_killed_process_takes_nothing_and_knows_the_first_reason() {
    let bound = MailboxBound {
        messages: 1,
        bytes: 1,
        when_full: WhenFull::Wait,
    };
    let mailbox = Mailbox::new(pid(1));
    mailbox.push(Mail::Term(Term::NIL), &bound);
    mailbox.kill(Term::atom("first"));
    mailbox.kill(Term::atom("second"));
    assert_eq!(mailbox.killed(), Some(Term::atom("first")));
    mailbox.push(Mail::Term(Term::NIL), &bound);
    assert_eq!(mailbox.close().len(), 1);
    assert_eq!(
        mailbox.poll_room(&mut context(), &bound),
        Poll::Ready(()),
        "nobody waits for a dead process"
    );
}

#[test]
fn a_full_mailbox_may_drop_messages_but_nothing_else() {
    let bound = MailboxBound {
        messages: 2,
        bytes: 1 << 20,
        when_full: WhenFull::Drop,
    };
    let mailbox = Mailbox::new(pid(1));
    for n in 0..5 {
        assert_eq!(mailbox.push(Mail::Term(Term::from(n)), &bound), 0);
    }
    let came = || Mail::Encoded {
        payload: Bytes::from_static(b"payload"),
        connection: 1,
        debt: 0,
    };
    assert_eq!(mailbox.push(came(), &bound), 0, "a dropped message owes nothing");
    let node = Atom::literal("b@h");
    mailbox.push(Mail::from(Message::NodeDown { node }), &bound);
    assert_eq!(
        mailbox.poll_room(&mut context(), &bound),
        Poll::Ready(()),
        "nobody waits"
    );
    let mut queue = Queue::default();
    let _ = mailbox.poll_take(&mut context(), &mut queue);
    let kinds: Vec<bool> = queue.drain().map(|mail| mail.is_message()).collect();
    assert_eq!(kinds, [true, true, false]);
}
