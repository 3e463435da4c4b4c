use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::task::Context;
use std::task::Poll;
use std::task::Wake;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::dist::Format;
use crate::endpoint::Closed;
use crate::endpoint::Nodes;
use crate::endpoint::TrySendError;
use crate::endpoint::io::attachment::Attachment;
use crate::endpoint::io::attachment::Delivery;
use crate::endpoint::io::attachment::EndpointEvent;
use crate::endpoint::io::attachment::Gone;
use crate::endpoint::io::endpoint::Endpoint;
use crate::endpoint::io::endpoint::SignalReceiver;
use crate::endpoint::io::endpoint::SignalSender;
use crate::endpoint::io::session::COMMANDS;
use crate::endpoint::io::session::Command;
use crate::endpoint::io::session::SessionHandle;
use crate::endpoint::read_ahead::READ_AHEAD;
use crate::endpoint::underway::BYTES_MAX;
use crate::session::Agreed;
use crate::session::Intake;
use crate::wire::CircuitId;
use crate::wire::Content;

const CIRCUIT: CircuitId = CircuitId(7);

const AGREED: Agreed = Agreed {
    format: Format::Header,
    creation: 1,
    is_reader: false,
    suspends: false,
};

fn handshake(message: &'static [u8]) -> EndpointEvent {
    EndpointEvent::Handshake(Bytes::from_static(message))
}

/// Signals with a total cost of `bytes` bytes, as sessions count them.
fn signals(bytes: u64) -> Vec<Intake> {
    let overhead = Content::Signal(Bytes::new()).cost();
    let content = Content::Signal(vec![0; (bytes - overhead) as usize].into());
    assert_eq!(content.cost(), bytes);
    vec![Intake {
        head: None,
        lesson: None,
        content,
    }]
}

/// An established endpoint, and the session's side of it.
async fn established() -> (SignalSender, SignalReceiver, Attachment, mpsc::Receiver<Command>) {
    let (session, mut commands) = SessionHandle::new("peer".into());
    let opening = Endpoint::open(&session, "b@h".into(), Bytes::from_static(b"N"));
    let answering = async {
        let Some(Command::Open { attachment, .. }) = commands.recv().await else {
            panic!("an open is first");
        };
        attachment.tell(EndpointEvent::Opened(CIRCUIT)).unwrap();
        attachment
    };
    let (endpoint, attachment) = tokio::join!(opening, answering);
    let (sender, receiver) = endpoint
        .unwrap()
        .establish(AGREED, Nodes::new("a@h", "b@h"))
        .await
        .unwrap();
    assert!(matches!(
        commands.recv().await,
        Some(Command::Established { circuit: CIRCUIT, .. })
    ));
    (sender, receiver, attachment, commands)
}

/// A waker that belongs to no task: it sends a message to another thread.
struct Word(SyncSender<()>);

impl Wake for Word {
    fn wake(self: Arc<Self>) {
        let _ = self.0.try_send(());
    }
}

fn word() -> (Waker, Receiver<()>) {
    let (sender, receiver) = sync_channel(1);
    (Arc::new(Word(sender)).into(), receiver)
}

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn handshake_messages_pass_both_ways_and_nothing_is_delivered_before() {
    let (session, mut commands) = SessionHandle::new("peer".into());
    let mut endpoint = Endpoint::accept(&session, CIRCUIT).await.unwrap();
    let Some(Command::Accept {
        circuit: CIRCUIT,
        attachment,
    }) = commands.recv().await
    else {
        panic!("an accept is first");
    };
    endpoint.send_handshake(Bytes::from_static(b"sok")).await.unwrap();
    assert!(matches!(commands.recv().await, Some(Command::Handshake { message, .. }) if message == "sok"));
    attachment.tell(EndpointEvent::Deliver(Delivery::default())).unwrap();
    attachment.tell(handshake(b"r")).unwrap();
    assert_eq!(endpoint.receive_handshake().await.unwrap(), "r");
    attachment.tell(EndpointEvent::Closed("refused".into())).unwrap();
    assert_eq!(
        endpoint.receive_handshake().await,
        Err(Closed::Circuit("refused".into()))
    );
    drop(attachment);
    assert_eq!(endpoint.receive_handshake().await, Err(Closed::NoSession));
}

#[tokio::test]
async fn a_circuit_that_is_refused_says_why() {
    let (session, mut commands) = SessionHandle::new("peer".into());
    let opening = Endpoint::open(&session, "b@h".into(), Bytes::new());
    let refusing = async {
        if let Some(Command::Open { attachment, .. }) = commands.recv().await {
            attachment.tell(EndpointEvent::Closed("no".into())).unwrap();
        }
    };
    let (opened, ()) = tokio::join!(opening, refusing);
    assert_eq!(opened.unwrap_err(), Closed::Circuit("no".into()));
    drop(commands);
    assert!(session.is_over());
    let opened = Endpoint::open(&session, "b@h".into(), Bytes::new()).await;
    assert_eq!(opened.unwrap_err(), Closed::NoSession);
}

#[tokio::test]
async fn the_asynchronous_face_waits_for_the_far_sides_credit() {
    let (mut sender, _receiver, attachment, mut commands) = established().await;
    sender.send(signals(READ_AHEAD - 1)).await.unwrap();
    sender.ready().await.unwrap();
    sender.send(signals(100)).await.unwrap();
    assert!(!sender.has_room());
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(sender.ready()).poll(&mut context).is_pending());
    let taking = async {
        tokio::task::yield_now().await;
        attachment.taken(100);
    };
    let (ready, ()) = tokio::join!(sender.ready(), taking);
    assert_eq!(ready, Ok(()));
    assert!(
        attachment.blocked() > Duration::ZERO,
        "the time without room is counted"
    );
    let sizes = [READ_AHEAD - 1, 100].map(|size| size as usize);
    for size in sizes {
        let Some(Command::Signals { signals, .. }) = commands.recv().await else {
            panic!("signals are next");
        };
        assert_eq!(signals[0].content.cost() as usize, size);
    }
    sender.send(signals(READ_AHEAD)).await.unwrap();
    drop(attachment);
    assert_eq!(sender.ready().await, Err(Closed::NoSession), "nobody takes any more");
}

/// A scheduler thread of a VM must not wait. It is woken from the thread on which the session runs.
#[tokio::test]
async fn the_other_face_never_waits_and_wakes_any_thread() {
    let (mut sender, _receiver, attachment, _commands) = established().await;
    sender.try_send(signals(READ_AHEAD)).unwrap();
    let Err(TrySendError::Full(back)) = sender.try_send(signals(300)) else {
        panic!("there is no room");
    };
    assert_eq!(back[0].content.cost(), 300, "nothing is lost");
    let (waker, woken) = word();
    assert!(sender.poll_ready(&mut Context::from_waker(&waker)).is_pending());
    assert!(woken.try_recv().is_err());
    let session = std::thread::spawn(move || {
        attachment.taken(1);
        attachment
    });
    woken.recv_timeout(SOON).expect("to be woken by another thread");
    let _attachment = session.join().unwrap();
    assert_eq!(sender.poll_ready(&mut Context::from_waker(&waker)), Poll::Ready(Ok(())));
    sender.try_send(back).unwrap();
}

#[tokio::test]
async fn a_full_queue_of_the_session_gives_signals_back_until_it_has_room() {
    let (mut sender, _receiver, _attachment, mut commands) = established().await;
    for _ in 0..COMMANDS {
        sender.try_send(signals(100)).unwrap();
    }
    let Err(TrySendError::Full(back)) = sender.try_send(signals(100)) else {
        panic!("the queue is full");
    };
    let (waker, woken) = word();
    let mut context = Context::from_waker(&waker);
    assert!(sender.poll_ready(&mut context).is_pending());
    assert!(matches!(commands.recv().await, Some(Command::Signals { .. })));
    woken.recv_timeout(SOON).expect("to be woken");
    assert_eq!(sender.poll_ready(&mut context), Poll::Ready(Ok(())));
    assert_eq!(
        sender.poll_ready(&mut context),
        Poll::Ready(Ok(())),
        "asking keeps no place"
    );
    sender.try_send(back).unwrap();
    drop(commands);
    assert_eq!(sender.poll_ready(&mut context), Poll::Ready(Err(Closed::NoSession)));
    assert!(matches!(sender.try_send(signals(100)), Err(TrySendError::NoSession(_))));
}

#[tokio::test]
async fn what_is_delivered_is_bounded_by_what_was_written() {
    let (_sender, mut receiver, mut attachment, mut commands) = established().await;
    let delivery = |cost| Delivery {
        contents: Vec::new(),
        cost,
    };
    assert_eq!(receiver.try_receive().unwrap().map(|got| got.cost), None);
    assert_eq!(attachment.room(), Some(BYTES_MAX));
    attachment.deliver(delivery(1000)).unwrap();
    assert_eq!(attachment.room(), Some(BYTES_MAX - 1000));
    attachment.deliver(delivery(10)).unwrap();
    assert_eq!(attachment.room(), None, "two are underway");
    let (waker, woken) = word();
    let mut context = Context::from_waker(&waker);
    assert_eq!(receiver.receive().await.unwrap().cost, 1000);
    assert_eq!(receiver.try_receive().unwrap().map(|got| got.cost), Some(10));
    assert!(receiver.poll_receive(&mut context).is_pending());
    receiver.written(1000).await.unwrap();
    receiver.try_written(10).unwrap();
    for _ in 0..2 {
        let Some(Command::Written { cost, .. }) = commands.recv().await else {
            panic!("a receipt is next");
        };
        attachment.written(cost);
    }
    assert_eq!(attachment.room(), Some(BYTES_MAX));
    attachment.deliver(delivery(BYTES_MAX)).unwrap();
    woken.recv_timeout(SOON).expect("to be woken");
    assert_eq!(attachment.room(), None, "one large one is enough");
    attachment.tell(EndpointEvent::Closed("done".into())).unwrap();
    assert_eq!(receiver.receive().await.unwrap().cost, BYTES_MAX);
    assert_eq!(receiver.receive().await.unwrap_err(), Closed::Circuit("done".into()));
    drop(commands);
    assert!(matches!(receiver.try_written(1), Err(TrySendError::NoSession(1))));
    drop(receiver);
    assert_eq!(attachment.tell(handshake(b"x")), Err(Gone));
}

/// A peer that sends handshake messages without end cannot use memory without bound.
#[tokio::test]
async fn a_flood_of_handshake_messages_costs_the_circuit() {
    let (_sender, mut receiver, attachment, _commands) = established().await;
    let told = (0..100)
        .take_while(|_| attachment.tell(handshake(b"x")).is_ok())
        .count();
    assert_eq!(told, 16);
    drop(attachment);
    assert_eq!(
        receiver.try_receive().unwrap_err(),
        Closed::NoSession,
        "none of them means anything"
    );
}

#[tokio::test]
async fn closing_is_told_to_the_session() {
    let (session, mut commands) = SessionHandle::new("peer".into());
    let endpoint = Endpoint::accept(&session, CIRCUIT).await.unwrap();
    let circuit = endpoint.circuit().clone();
    assert_eq!((circuit.id(), &**circuit.peer()), (CIRCUIT, "peer"));
    drop(endpoint);
    circuit.close("enough".into()).await;
    assert!(matches!(commands.recv().await, Some(Command::Accept { .. })));
    assert!(matches!(commands.recv().await, Some(Command::Close { circuit: CIRCUIT, reason }) if reason == "enough"));
}

/// A peer may say so as often as it likes.
#[tokio::test]
async fn silence_of_the_far_node_takes_no_place_among_the_events() {
    let (sender, mut receiver, attachment, mut commands) = established().await;
    let far = receiver.far_silence();
    assert!(!*far.borrow());
    for round in 0..1001 {
        attachment.silence(round % 2 == 0);
    }
    assert!(*far.borrow());
    attachment.tell(EndpointEvent::Deliver(Delivery::default())).unwrap();
    receiver.receive().await.unwrap();
    assert!(sender.tells_silence());
    sender.circuit().silence(true).await.unwrap();
    let told = Command::Silence {
        circuit: CIRCUIT,
        is_silent: true,
    };
    assert_eq!(format!("{:?}", commands.recv().await), format!("{:?}", Some(told)));
}
