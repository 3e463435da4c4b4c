//! Peers with the right certificate, against a node with the carrier inside: nonsense for the VM itself, and floods. There is no gateway
//! that could fall in its place.

use std::time::Duration;

use beamway::carrier::Lanes;
use beamway::internals::dist::Flags;
use beamway::internals::dist::Format;
use beamway::internals::dist::Party;
use beamway::internals::dist::Relay;
use beamway::internals::dist::Sender;
use beamway::internals::dist::handshake::Challenge;
use beamway::internals::dist::handshake::Reply;
use beamway::internals::dist::handshake::SendName;
use beamway::internals::endpoint::Follower;
use beamway::internals::endpoint::io::endpoint::Endpoint;
use beamway::internals::endpoint::io::endpoint::SignalReceiver;
use beamway::internals::endpoint::io::endpoint::SignalSender;
use beamway::internals::hub::io::directory::Place;
use beamway::internals::hub::io::directory::Request;
use beamway::internals::order::Address;
use beamway::internals::order::Head;
use beamway::internals::session::Intake;
use beamway::internals::wire::Content;
use bytes::Bytes;
use md5::Digest as _;
use md5::Md5;
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::sync::oneshot;

use super::Healthy;
use super::floods;
use super::floods::Flooded;
use crate::harness::COOKIE;
use crate::harness::Carrier;
use crate::harness::Site;

/// Connections with mutated signals.
const MUTATED: u64 = 150;

/// How long an intruder waits for what the VM makes of it.
const FATE: Duration = Duration::from_secs(1);

/// What the healthy nodes send each other passes through meanwhile.
const KEEPS_LITTLE: &str = "maps:get(memory, beamway:info()) < 1000000";

/// What an intruder's own control terms name as their sender.
const INTRUDER: &str = "evil@127.0.0.1";

/// A connection to the node that has completed its handshake.
struct Connected {
    sender: SignalSender,
    receiver: SignalReceiver,
}

/// Connects to a node as one of this name, which knows the cookie.
async fn connect(lanes: &Lanes, target: &str, name: &str) -> Connected {
    let (session, policy) = loop {
        let (answer, answered) = oneshot::channel();
        let target = target.to_owned();
        lanes
            .requests()
            .send(Request::Find { target, answer })
            .await
            .expect("lanes that run");
        if let Place::Peer { session, policy } = answered.await.expect("an answer") {
            break (session, policy);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let send_name = SendName {
        flags: Flags::KNOWN.without(Flags::NAME_ME).without(Flags::PUBLISHED),
        creation: 7,
        name: name.to_owned(),
    };
    let relay = Relay::new(&send_name.encode()).expect("a name");
    let mut endpoint = Endpoint::open(&session, target.to_owned(), relay.send_name())
        .await
        .expect("a circuit");
    let mut follower = Follower::new(relay, Party::Initiator, session.peer.clone(), policy);
    let receive = async |follower: &mut Follower, endpoint: &mut Endpoint| {
        let message = endpoint.receive_handshake().await.expect("a message of the node");
        follower.received(&message).expect("a message that fits").0
    };
    let status = receive(&mut follower, &mut endpoint).await;
    assert!(status.starts_with(b"sok"), "{status:?}");
    let message = receive(&mut follower, &mut endpoint).await;
    let challenge = Challenge::parse(&message).expect("a challenge");
    let digest = Md5::new()
        .chain_update(COOKIE)
        .chain_update(challenge.challenge.to_string());
    let reply = Reply {
        challenge: 1,
        digest: digest.finalize().into(),
    };
    let (reply, _) = follower.sent(&reply.encode()).expect("a reply that fits");
    endpoint.send_handshake(reply).await.expect("a circuit");
    receive(&mut follower, &mut endpoint).await;
    let agreed = follower.agreed().expect("a complete handshake");
    assert_eq!(agreed.format, Format::Header);
    let (sender, receiver) = endpoint.establish(agreed, follower.nodes()).await.expect("a circuit");
    Connected { sender, receiver }
}

/// Whatever its content, the session of the intruder sends it.
fn anything(content: Content) -> Intake {
    let head = Head {
        sender: Sender::Unknown,
        address: Address::Node,
    };
    Intake::message(head, content)
}

fn atom(name: &str) -> Vec<u8> {
    let mut term = vec![119, u8::try_from(name.len()).expect("a short name")];
    term.extend_from_slice(name.as_bytes());
    term
}

fn pid(node: &str, id: u32) -> Vec<u8> {
    let mut term = vec![88];
    term.extend(atom(node));
    term.extend([id, 0, 7].iter().flat_map(|number| number.to_be_bytes()));
    term
}

fn tuple(operation: u8, elements: &[Vec<u8>]) -> Vec<u8> {
    let arity = u8::try_from(1 + elements.len()).expect("a small tuple");
    let mut term = vec![104, arity, 97, operation];
    term.extend(elements.concat());
    term
}

/// A message for the process that has the name.
fn message(payload: &[u8]) -> Vec<u8> {
    let control = tuple(6, &[pid(INTRUDER, 1), atom(""), atom("target")]);
    [&control, payload].concat()
}

/// Payloads that say more than they have, or expand to more than there is.
fn payloads() -> Vec<Vec<u8>> {
    let deep = |tag: &[u8], depth: usize| tag.repeat(depth);
    vec![
        vec![],
        vec![109, 0xff, 0xff, 0xff, 0xff, 1],
        vec![108, 0xff, 0xff, 0xff, 0xff, 106],
        vec![105, 0xff, 0xff, 0xff, 0xff, 106],
        vec![116, 0xff, 0xff, 0xff, 0xff, 106],
        vec![111, 0xff, 0xff, 0xff, 0xff, 0, 1],
        vec![110, 255, 0, 1],
        vec![77, 0, 0, 0, 1, 99, 1],
        vec![118, 0xff, 0xff, 65],
        vec![80, 0xff, 0xff, 0xff, 0xff, 120, 156, 3, 0, 0, 0, 0, 1],
        vec![112, 0, 0, 0, 4],
        vec![82, 200],
        vec![131, 106],
        deep(&[104, 1], 20_000),
        deep(&[108, 0, 0, 0, 1], 20_000),
        [deep(&[104, 1], 50_000), vec![106]].concat(),
        [pid(INTRUDER, 1), vec![0; 60_000]].concat(),
    ]
}

/// What breaks the rules of signals that are in several parts.
fn parts() -> Vec<Vec<Content>> {
    // The largest number that a frame can have.
    const MOST: u64 = (1 << 62) - 1;
    let body = || Bytes::from(message(&[106]));
    let first = |message, fragments| Content::First {
        message,
        fragments,
        body: body(),
    };
    let next = |message, remaining| Content::Next {
        message,
        remaining,
        body: Bytes::from_static(&[0; 100]),
    };
    vec![
        vec![next(1, 1)],
        vec![next(1, MOST)],
        vec![first(1, MOST), next(1, MOST - 1)],
        vec![first(1, 3), next(1, 1)],
        vec![first(1, 3), first(1, 3), next(1, 2), next(1, 1), next(1, 2)],
        vec![first(1, 1), first(2, 0), next(2, 0)],
        // More than the announced fragments can hold.
        vec![
            first(1, 2),
            Content::Next {
                message: 1,
                remaining: 1,
                body: vec![7; 100_000].into(),
            },
        ],
        vec![Content::Run(Bytes::from_static(&[0, 0, 0, 9, 131, 68, 0]))],
        vec![Content::Run(Bytes::from_static(&[0xff; 400]))],
        vec![Content::Run(Bytes::new()), Content::Signal(Bytes::new())],
        (1..2000).map(|message| first(message, 900)).collect(),
    ]
}

/// A signal with a few bytes that are others.
fn mutated(random: &mut StdRng) -> Vec<u8> {
    let mut terms: Vec<Vec<u8>> = [0, 106, 97, 104, 255].iter().map(|byte| vec![*byte]).collect();
    terms.extend([
        pid("a@127.0.0.1", 200),
        pid(INTRUDER, 3),
        atom("kernel"),
        atom(INTRUDER),
    ]);
    let operation = random.random_range(0..45);
    let elements: Vec<Vec<u8>> = (0..random.random_range(0..7))
        .map(|_| terms[random.random_range(0..terms.len())].clone())
        .collect();
    let mut signal = if random.random_bool(0.5) {
        tuple(operation, &elements)
    } else {
        message(&[&[104, 2, 107, 0, 3], &b"abc"[..], &[109, 0, 0, 0, 2, 1, 2]].concat())
    };
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..signal.len());
        match random.random_range(0..3) {
            0 => signal[at] = random.random(),
            1 => signal.insert(at, random.random()),
            _ => signal.truncate(at.max(1)),
        }
    }
    signal
}

/// Whatever a node that knows the cookie sends, it loses its own connection and nothing else.
#[test]
fn nonsense_for_the_vm() {
    let mut healthy = Healthy::of(Carrier::Vm, vec![Site::loopback("left"), Site::loopback("right")], 2);
    let target = healthy.a.full_name().to_owned();
    let address = healthy.address().to_string();
    let certs = healthy
        .cluster
        .certificates()
        .issue_for("intruder", &["127.0.0.1".to_owned()]);
    let receive = "Loop = fun Loop(Count) -> receive {tell, From} -> From ! Count; _ -> Loop(Count + 1) end end, \
                   register(target, spawn(fun() -> Loop(0) end)), ok";
    healthy.a.eval(receive);
    let signals = |bodies: Vec<Vec<u8>>| bodies.into_iter().map(|body| vec![Content::Signal(body.into())]);
    let mut all = parts();
    all.extend(signals(payloads().iter().map(|payload| message(payload)).collect()));
    all.extend(signals(payloads()));
    let mut random = StdRng::seed_from_u64(1);
    all.extend(signals((0..MUTATED).map(|_| mutated(&mut random)).collect()));
    let sent = all.len();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ended = runtime.block_on(async {
        let lanes = Lanes::builder("intruder", certs).peer_for("left-a", &address, &["*@127.0.0.1"]);
        let lanes = lanes.start().await.expect("lanes");
        let mut ended = 0;
        for (number, contents) in all.into_iter().enumerate() {
            let name = format!("evil{number}@127.0.0.1");
            let Connected {
                mut sender,
                mut receiver,
            } = connect(&lanes, &target, &name).await;
            let intakes = contents.into_iter().map(anything).collect();
            let _ = sender.send(intakes).await;
            let fate = async {
                loop {
                    if let Err(closed) = receiver.receive().await {
                        return closed.to_string();
                    }
                }
            };
            let fate = tokio::time::timeout(FATE, fate).await;
            ended += usize::from(fate.is_ok());
            sender.circuit().close("enough".to_owned()).await;
        }
        lanes.stop().await;
        ended
    });
    // Others were harmless, such as one that lost its last byte in the text.
    eprintln!("{ended} of {sent} connections were ended by the node");
    assert!(ended > sent * 3 / 4, "{ended} of {sent}");
    // Of those that are right, some have arrived, so nobody was shut out before.
    let arrived = healthy
        .a
        .eval("target ! {tell, self()}, receive N when is_integer(N) -> N end");
    assert!(arrived.parse::<u32>().expect("a number") > 0);
    healthy.assert_unharmed("nonsense");
    let b = healthy.b.full_name();
    let carried = "[N || #{node := N} <- maps:get(circuits, beamway:info())]";
    assert_eq!(healthy.a.eval(carried), format!("[<<\"{b}\">>]"));
    healthy.a.await_value(KEEPS_LITTLE, "true", Duration::from_secs(10));
}

/// Those of [`floods`], with little memory. The account of the VM shows them.
#[test]
fn floods_fill_what_they_may() {
    let mut flooded = Flooded::of(Carrier::Vm);
    let limit = flooded.healthy.a.eval("maps:get(memory_limit, beamway:info())");
    assert_eq!(limit, floods::MEMORY.to_string());
    flooded.without_calls = true;
    flooded.flood("fences", 1, floods::fences);
    flooded.flood("small frames", 1, floods::small_frames);
    flooded.flood("incomplete frames", 3, floods::incomplete_frames);
    flooded.flood("announcements", 1, floods::announcements);
    // What the last peers left is freed when their sessions are given up.
    flooded
        .healthy
        .a
        .await_value(KEEPS_LITTLE, "true", Duration::from_secs(30));
}
