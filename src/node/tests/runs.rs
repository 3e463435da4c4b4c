//! A mailbox that receives whole runs behaves like one that receives their messages one by one.

use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use bytes::BufMut;
use bytes::Bytes;
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use super::waiting::control;
use super::waiting::pid;
use crate::dist::Format;
use crate::dist::Run;
use crate::etf::Atom;
use crate::etf::Limits;
use crate::etf::Term;
use crate::node::MailboxBound;
use crate::node::Message;
use crate::node::WhenFull;
use crate::node::mail::Mail;
use crate::node::mail::Packed;
use crate::node::mail::open;
use crate::node::mailbox::Mailbox;
use crate::node::queue::Queue;

const CONNECTION: u32 = 7;

/// An operation on a mailbox.
#[derive(Clone, Debug)]
enum Event {
    /// So many messages arrive together from another node, with payloads of so many bytes.
    Come(usize, usize),
    /// A message from this node arrives, or a notification: the end of a connection.
    Near(bool),
    /// The next message is received.
    Receive,
    /// A message of one of three kinds is received, which leaves the others before it.
    Select(i64),
    /// The same, but the messages that are already there are skipped, as a call does.
    SelectNew(i64),
    /// A process waits and is notified of messages.
    Look,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (1..9usize, 0..60usize).prop_map(|(count, size)| Event::Come(count, size)),
        1 => any::<bool>().prop_map(Event::Near),
        5 => Just(Event::Receive),
        2 => (0..3i64).prop_map(Event::Select),
        1 => (0..3i64).prop_map(Event::SelectNew),
        1 => Just(Event::Look),
    ]
}

fn bound() -> impl Strategy<Value = MailboxBound> {
    let when_full = prop_oneof![Just(WhenFull::Wait), Just(WhenFull::Drop)];
    (1..40usize, 1..4000usize, when_full).prop_map(|(messages, bytes, when_full)| MailboxBound {
        messages,
        bytes,
        when_full,
    })
}

/// A mailbox and its receiver.
struct Receiver {
    takes_runs: bool,
    bound: MailboxBound,
    mailbox: Mailbox,
    queue: Queue,
    /// Bytes for which the connection is charged.
    debt: usize,
    seen: Vec<Message>,
}

impl Receiver {
    fn new(takes_runs: bool, bound: MailboxBound) -> Self {
        Self {
            takes_runs,
            bound,
            mailbox: Mailbox::new(pid(1)),
            queue: Queue::default(),
            debt: 0,
            seen: Vec::new(),
        }
    }

    /// Messages that came together, numbered from `first` on.
    fn come(&mut self, first: i64, count: usize, size: usize) {
        let payloads: Vec<BytesMut> = (first..).take(count).map(|number| payload(number, size)).collect();
        let mails = if self.takes_runs && count > 1 {
            vec![packed(&payloads)]
        } else {
            payloads.into_iter().map(encoded).collect()
        };
        self.debt += self.mailbox.push_all(mails.into_iter(), &self.bound);
    }

    fn near(&mut self, mail: Mail) {
        self.mailbox.push(mail, &self.bound);
    }

    fn look(&mut self) -> Poll<()> {
        self.mailbox
            .poll_take(&mut Context::from_waker(Waker::noop()), &mut self.queue)
    }

    fn receive(&mut self) {
        let _ = self.look();
        if let Some(received) = self.queue.take(|letter| open(letter, &Limits::default())) {
            self.debt -= received.settled as usize;
            self.seen.push(received.value.unwrap());
        }
    }

    /// The same as `Context::receive_from`, without waiting.
    fn select(&mut self, kind: i64, mut place: usize) {
        let _ = self.look();
        while let Some(received) = self.queue.take_at(place, |letter| open(letter, &Limits::default())) {
            self.debt -= received.settled as usize;
            let message = received.value.unwrap();
            if number(&message).is_some_and(|number| number % 3 == kind) {
                self.queue.remove(place);
                return self.seen.push(message);
            }
            self.queue.put_back(place, message);
            place += 1;
        }
    }

    /// How many of the first messages are there now.
    fn passed(&mut self) -> usize {
        let _ = self.look();
        self.queue.len()
    }

    fn waiting(&self) -> usize {
        self.mailbox.len() - self.queue.received()
    }
}

/// `{Number, Binary}`.
fn payload(number: i64, size: usize) -> BytesMut {
    let mut payload = BytesMut::new();
    let term = term!({(number), (Bytes::from(vec![7; size]))});
    term.write(&mut payload).unwrap();
    payload
}

fn encoded(payload: BytesMut) -> Mail {
    Mail::Encoded {
        payload: payload.freeze(),
        connection: CONNECTION,
        debt: 0,
    }
}

fn packed(payloads: &[BytesMut]) -> Mail {
    let packets = run(payloads);
    let run = Run::new(&packets, Format::Header).unwrap();
    Mail::Packed(Packed::new(run, &packets, CONNECTION).unwrap().into())
}

fn run(payloads: &[BytesMut]) -> Bytes {
    let mut packets = BytesMut::new();
    for payload in payloads {
        let start = [Format::Header.prefix(), &control(1)].concat();
        packets.put_u32((start.len() + payload.len()) as u32);
        packets.put_slice(&start);
        packets.put_slice(payload);
    }
    packets.freeze()
}

fn number(message: &Message) -> Option<i64> {
    match message.as_term()?.as_tuple()? {
        [Term::Integer(number), _] => Some(*number),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn runs_are_received_as_single_messages_are(bound in bound(), events in vec(event(), 1..80)) {
        let mut both = [true, false].map(|takes_runs| Receiver::new(takes_runs, bound));
        let mut next = 0;
        for event in events {
            // A run is one entry; its messages would be several.
            let passed = match event {
                Event::SelectNew(_) => Some(both.each_mut().map(Receiver::passed)),
                _ => None,
            };
            if let Event::SelectNew(_) = event {
                both.iter_mut().for_each(|receiver| receiver.come(next, 5, 10));
                next += 5;
            }
            for (index, receiver) in both.iter_mut().enumerate() {
                match event {
                    Event::Come(count, size) => receiver.come(next, count, size),
                    Event::Near(true) => receiver.near(Mail::Term(term!({(next), near}))),
                    Event::Near(false) => {
                        let node = Atom::literal("b@h");
                        receiver.near(Mail::from(Message::NodeDown { node }));
                    }
                    Event::Receive => receiver.receive(),
                    Event::Select(kind) => receiver.select(kind, 0),
                    Event::SelectNew(kind) => receiver.select(kind, passed.map_or(0, |passed| passed[index])),
                    Event::Look => drop(receiver.look()),
                }
            }
            if let Event::Come(count, _) = event {
                next += count as i64;
            }
            next += i64::from(matches!(event, Event::Near(true)));
            let [runs, singles] = &both;
            prop_assert_eq!(&runs.seen, &singles.seen);
            prop_assert_eq!(runs.waiting(), singles.waiting());
        }
        for receiver in &mut both {
            while receiver.waiting() > 0 {
                receiver.receive();
            }
            let _ = receiver.look();
            prop_assert_eq!((receiver.debt, receiver.mailbox.len()), (0, 0));
            let mut context = Context::from_waker(Waker::noop());
            prop_assert_eq!(receiver.mailbox.poll_room(&mut context, &receiver.bound), Poll::Ready(()));
        }
        prop_assert_eq!(&both[0].seen, &both[1].seen);
    }
}

/// The bytes of a run stay until its last message is taken, and so does the charge.
#[test]
fn a_run_is_charged_for_until_its_last_message_is_received() {
    let bound = MailboxBound {
        messages: 1,
        bytes: 1 << 20,
        when_full: WhenFull::Wait,
    };
    let mut receiver = Receiver::new(true, bound);
    receiver.near(Mail::Term(Term::NIL));
    receiver.come(0, 3, 100);
    let all = run(&[payload(0, 100), payload(1, 100), payload(2, 100)]).len();
    assert_eq!((receiver.debt, receiver.waiting()), (all, 4), "three messages");
    let debts = [(); 4].map(|()| {
        receiver.receive();
        receiver.debt
    });
    assert_eq!(debts, [all, all, all, 0]);
    // A skipped message is no longer charged, wherever in the run it was.
    receiver.near(Mail::Term(Term::NIL));
    receiver.come(0, 3, 100);
    receiver.receive();
    receiver.receive();
    receiver.select(2, 0);
    assert_eq!((receiver.debt, receiver.waiting()), (0, 1));
    // A process that has ended owes nothing.
    receiver.near(Mail::Term(Term::NIL));
    receiver.come(0, 3, 100);
    let _ = receiver.look();
    receiver.receive();
    receiver.come(3, 2, 100);
    let mut left: Vec<Mail> = receiver.queue.drain().chain(receiver.mailbox.close()).collect();
    let settled: usize = left.iter_mut().map(|mail| mail.settle() as usize).sum();
    assert_eq!(receiver.debt, settled);
    assert!(settled > all);
}

#[test]
fn packets_that_are_no_run_are_refused() {
    let packets = run(&[payload(0, 10), payload(1, 10)]);
    for cut in 1..packets.len() {
        let cut = packets.slice(..cut);
        let read = Run::new(&cut, Format::Header).and_then(|run| Packed::new(run, &cut, CONNECTION));
        // Cut right after its first packet, what remains is complete.
        assert_eq!(read.is_ok(), cut.len() == packets.len() / 2, "{}", cut.len());
    }
}
