use std::collections::VecDeque;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use bytes::BufMut;
use bytes::Bytes;
use bytes::BytesMut;

use crate::dist::FRAGMENT_SIZE;
use crate::dist::Sender;
use crate::etf::Atom;
use crate::etf::Pid;
use crate::etf::Term;
use crate::lanes::Address;
use crate::lanes::Head;
use crate::node::ConnectionError;
use crate::node::MailboxBound;
use crate::node::Message;
use crate::node::WhenFull;
use crate::node::circuits::intake::intakes;
use crate::node::inlet::Inlet;
use crate::node::mailbox::Mailbox;
use crate::node::message::Mail;
use crate::node::outlet::Connection;
use crate::node::outlet::Offered;

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn connection() -> Connection {
    Connection::new(1, Atom::literal("b@h"), (1000, 10_000), 100)
}

/// Whether it is taken.
fn push(connection: &Connection, body: &[u8]) -> bool {
    let is_open = connection.closed().is_none();
    let write = |out: &mut BytesMut| {
        out.put_slice(body);
        Ok(())
    };
    connection.push(write).unwrap();
    is_open
}

fn offer(connection: &Connection, to: u32, body: &[u8]) -> Offered {
    let head = Head {
        sender: Sender::Unknown,
        address: Address::Process(pid(to)),
    };
    let write = |out: &mut BytesMut| {
        let (copied, tail) = body.split_at(if body.len() < FRAGMENT_SIZE { body.len() } else { 10 });
        out.put_slice(copied);
        Ok((!tail.is_empty()).then(|| Bytes::copy_from_slice(tail)))
    };
    connection.offer(head, write).unwrap()
}

const fn pid(id: u32) -> Pid {
    Pid {
        id,
        serial: 1,
        creation: 1,
    }
}

#[test]
fn small_messages_of_one_way_are_handed_over_together() {
    let connection = Connection::new(1, Atom::literal("b@h"), (usize::MAX, usize::MAX), 100);
    let sizes = [
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
    for (to, sizes) in &sizes {
        for size in sizes {
            let body = vec![sent.len() as u8; *size];
            assert_eq!(offer(&connection, *to, &body), Offered::Taken);
            sent.push((*to, body));
        }
    }
    let Poll::Ready(Ok(batch)) = connection.poll_batch(&mut context()) else {
        panic!("nothing to write")
    };
    let intakes = intakes(batch, &mut 0).unwrap();
    assert!(intakes.len() < 20, "{}", intakes.len());
    let (mut inlet, mut to) = (Inlet::new(1 << 20), 0);
    let mut taken = Vec::new();
    for intake in intakes {
        if let Some(Head {
            address: Address::Process(pid),
            ..
        }) = intake.head
        {
            to = pid.id;
        }
        assert!(intake.lengths.is_empty() || intake.content.body().len() <= 16 * 1024);
        let mut rest = intake.content.body().clone();
        for length in &intake.lengths {
            taken.push((to, rest.split_to(*length).to_vec()));
        }
        if intake.lengths.is_empty()
            && let Some(whole) = inlet.take(intake.content).unwrap()
        {
            taken.push((to, whole.to_vec()));
        }
    }
    assert_eq!(taken, sent);
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
    let sent: Vec<Vec<u8>> = sizes
        .iter()
        .map(|size| (0..*size).map(|n| (n * 31 % 251) as u8).collect())
        .collect();
    let connection = Connection::new(1, Atom::literal("b@h"), (usize::MAX, usize::MAX), 100);
    for body in &sent {
        assert!(push(&connection, body));
    }
    for body in &sent {
        assert_eq!(offer(&connection, 1, body), Offered::Taken);
    }
    let sent = [sent.clone(), sent].concat();
    let Poll::Ready(Ok(batch)) = connection.poll_batch(&mut context()) else {
        panic!("nothing to write")
    };
    let mut inlet = Inlet::new(1 << 20);
    let contents = batch.contents(&mut 0);
    assert!(contents.iter().all(|content| content.body().len() <= FRAGMENT_SIZE));
    let taken: Vec<Bytes> = contents
        .into_iter()
        .filter_map(|content| inlet.take(content).unwrap())
        .collect();
    assert_eq!(taken, sent);
}

#[test]
fn parts_that_do_not_follow_or_are_too_many_are_refused() {
    let body = vec![7; 3 * FRAGMENT_SIZE];
    let connection = Connection::new(1, Atom::literal("b@h"), (1, usize::MAX), 100);
    push(&connection, &body);
    let Poll::Ready(Ok(batch)) = connection.poll_batch(&mut context()) else {
        panic!("nothing to write")
    };
    let contents = batch.contents(&mut 0);
    let mut inlet = Inlet::new(body.len());
    assert!(inlet.take(contents[1].clone()).is_err(), "a part without its first");
    let mut inlet = Inlet::new(body.len());
    inlet.take(contents[0].clone()).unwrap();
    assert!(inlet.take(contents[2].clone()).is_err(), "a part left out");
    let mut inlet = Inlet::new(2 * FRAGMENT_SIZE);
    inlet.take(contents[0].clone()).unwrap();
    inlet.take(contents[1].clone()).unwrap();
    assert!(matches!(
        inlet.take(contents[2].clone()),
        Err(ConnectionError::Oversized(_))
    ));
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
    // Who does not wait ends the connection in the end; what was taken is still written.
    let taken = (0..20).filter(|_| push(&connection, &[0; 1000])).count();
    assert_eq!(taken, 12);
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
    // Local messages owe nothing: their senders wait instead.
    assert_eq!(mailbox.push(Mail::Term(Term::NIL), &bound), 0);
    let (mut taken, mut received) = (VecDeque::new(), (0, 0));
    assert_eq!(
        mailbox.poll_take(&mut context(), &mut taken, &mut received),
        Poll::Ready(())
    );
    assert_eq!((taken.len(), mailbox.len()), (4, 4), "taken aside is not received");
    received = (taken.len(), taken.iter().map(Mail::cost).sum());
    assert_eq!(
        mailbox.poll_take(&mut context(), &mut taken, &mut received),
        Poll::Pending
    );
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
        "nobody waits for the dead"
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
    assert_eq!(mailbox.push(came(), &bound), 0, "what is lost owes nothing");
    let node = Atom::literal("b@h");
    mailbox.push(Mail::from(Message::NodeDown { node }), &bound);
    assert_eq!(
        mailbox.poll_room(&mut context(), &bound),
        Poll::Ready(()),
        "nobody waits"
    );
    let (mut taken, mut received) = (VecDeque::new(), (0, 0));
    let _ = mailbox.poll_take(&mut context(), &mut taken, &mut received);
    let kinds: Vec<bool> = taken.iter().map(Mail::is_message).collect();
    assert_eq!(kinds, [true, true, false]);
}
