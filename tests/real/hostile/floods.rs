//! Peers with a certificate of the cluster that try to use up the memory of a gateway, or its time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use beamway::internals::wire::BODY_MAX;
use beamway::internals::wire::CircuitId;
use beamway::internals::wire::Close;
use beamway::internals::wire::Content;
use beamway::internals::wire::FrameHead;
use beamway::internals::wire::FrameId;
use beamway::internals::wire::Hello;
use beamway::internals::wire::LaneId;
use beamway::internals::wire::Notice;
use beamway::internals::wire::NoticeDecoder;
use beamway::internals::wire::Open;
use beamway::internals::wire::STRANDS;
use beamway::internals::wire::StrandId;
use beamway::internals::wire::lane_header;
use bytes::Bytes;
use bytes::BytesMut;
use quinn::Connection;
use quinn::RecvStream;
use quinn::SendStream;

use super::Healthy;
use super::peers::Visitor;
use super::peers::hello;
use super::peers::notice;
use crate::harness::Carrier;
use crate::harness::Site;
use crate::harness::resident;

/// `[gateway] memory` of the gateway or node that is flooded.
pub(super) const MEMORY: u64 = 8 << 20;

/// What a gateway may hold beyond it: what is underway, and the allocator's own.
const BEYOND: u64 = 64 << 20;

/// The longest that a flood takes.
const FLOOD: Duration = Duration::from_secs(40);

/// A gateway or node with little memory, another one, and the certificate of a third that does not run.
pub(super) struct Flooded {
    pub(super) healthy: Healthy,
    address: SocketAddr,
    certs: PathBuf,
    /// What it holds before anything happens.
    before: u64,
    /// Whether calls beside the floods are not measured.
    pub(super) without_calls: bool,
}

impl Flooded {
    fn new() -> Self {
        Self::of(Carrier::Bridge)
    }

    pub(super) fn of(carrier: Carrier) -> Self {
        let left = Site::loopback("left")
            .setting(&format!("memory = {MEMORY}"))
            .setting("circuit_budget = \"4MiB\"");
        let sites = vec![left, Site::loopback("right"), Site::loopback("third")];
        let mut healthy = Healthy::of(carrier, sites, 2);
        let address = healthy.address();
        let certs = healthy.cluster.certificates().issue("third");
        let [left, _] = healthy.attacked();
        Self {
            healthy,
            address,
            certs,
            before: resident(left),
            without_calls: false,
        }
    }

    /// Floods with several sessions at once, while the resident memory is watched. Returns how many bytes were sent.
    pub(super) fn flood(
        &mut self,
        what: &str,
        sessions: u8,
        flood: impl AsyncFn(&Connection, SendStream) -> u64 + Copy + Send + 'static,
    ) {
        let (address, before) = (self.address, self.before);
        let certs = &self.certs;
        let [flooded, _] = self.healthy.attacked();
        let dials = match self.healthy.cluster.carrier() {
            Carrier::Vm => "left-a",
            _ => "left",
        };
        let attack = |_: &mut Healthy| {
            let attackers: Vec<_> = (0..sessions)
                .map(|boot| {
                    let mut visitor = Visitor::with(certs, "third", "third");
                    visitor.dials = dials;
                    visitor.patience = FLOOD;
                    thread::spawn(move || attack(visitor, address, boot, flood))
                })
                .collect();
            let mut most = 0;
            while !attackers.iter().all(thread::JoinHandle::is_finished) {
                most = most.max(resident(flooded));
                thread::sleep(Duration::from_millis(20));
            }
            let sent = attackers.into_iter().map(|attacker| attacker.join().expect("no panic"));
            (sent.sum::<u64>(), most)
        };
        let (sent, most) = if self.without_calls {
            attack(&mut self.healthy)
        } else {
            self.healthy.beside(what, attack)
        };
        assert!(sent > MEMORY / 2, "{what}: only {sent} bytes were sent: no flood");
        assert!(
            most < before + MEMORY + BEYOND,
            "{what}: {} MB resident, {} before, with memory = {} MB",
            most >> 20,
            before >> 20,
            MEMORY >> 20
        );
        eprintln!("{what}: {} MB more", most.saturating_sub(before) >> 20);
        self.healthy.assert_unharmed(what);
    }
}

/// One session that floods. Returns how many bytes were sent.
fn attack(visitor: Visitor, address: SocketAddr, boot: u8, flood: impl AsyncFn(&Connection, SendStream) -> u64) -> u64 {
    visitor.visit(address, async |connection, claims| {
        let greeting = Hello {
            temporary: true,
            port: 0,
            exchanges: false,
            boot: [boot; 16],
            ..match hello(claims) {
                Notice::Hello(hello) => hello,
                other => panic!("{other:?}"),
            }
        };
        let (control, _answers) = begin(connection, Notice::Hello(greeting)).await;
        let sent = flood(connection, control).await;
        // What was sent is kept as long as the connection is.
        let _ = tokio::time::timeout(Duration::from_secs(3), connection.closed()).await;
        sent
    })
}

/// Says hello, and waits until the session begins.
async fn begin(connection: &Connection, hello: Notice) -> (SendStream, RecvStream) {
    let (mut control, mut answers) = connection.open_bi().await.expect("a control stream");
    control.write_all(&notice(0, hello)).await.expect("room for a hello");
    let mut decoder = NoticeDecoder::default();
    loop {
        match decoder.poll_notice().expect("notices") {
            Some((_, Notice::Welcome(_))) => return (control, answers),
            Some(_) => {}
            None => {
                let chunk = answers.read_chunk(4096, true).await.expect("an answer");
                decoder.push(&chunk.expect("a stream that does not end").bytes);
            }
        }
    }
}

/// The first handshake message of a node, without its length.
fn send_name(name: &str) -> Bytes {
    const FLAGS: u64 = 0x000d_07df_7fbd;
    let length = u16::try_from(name.len()).expect("a short name");
    [
        &b"N"[..],
        &FLAGS.to_be_bytes(),
        &[0, 0, 0, 9],
        &length.to_be_bytes(),
        name.as_bytes(),
    ]
    .concat()
    .into()
}

/// Opens circuits to a node that is there: their handshakes never go on.
async fn open(control: &mut SendStream, count: u64) -> Vec<CircuitId> {
    let circuits: Vec<_> = (1..=count).map(|number| CircuitId(2 * number)).collect();
    for (number, circuit) in (1..).zip(&circuits) {
        let open = Open {
            circuit: *circuit,
            target: "a@127.0.0.1".to_owned(),
            send_name: send_name(&format!("x{number}@third")),
            credit: 1 << 20,
        };
        let _ = control.write_all(&notice(number, Notice::Open(open))).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    circuits
}

async fn lane(connection: &Connection, lane: LaneId) -> Option<SendStream> {
    let mut stream = connection.open_uni().await.ok()?;
    let mut header = BytesMut::new();
    lane_header(lane, 1, &mut header);
    stream.write_all(&header).await.ok()?;
    Some(stream)
}

fn frame(circuit: CircuitId, strand: StrandId, fences: &[FrameId], body: &'static [u8]) -> BytesMut {
    let content = Content::Signal(Bytes::from_static(body));
    let head = FrameHead {
        circuit,
        strand,
        fences,
        content: &content,
    };
    let mut bytes = BytesMut::new();
    head.encode(&mut bytes);
    bytes.extend_from_slice(body);
    bytes
}

/// Sends as long as the other side takes it. Returns how many bytes that were.
async fn send(stream: &mut SendStream, bytes: &[u8], times: usize) -> u64 {
    let mut sent = 0;
    for _ in 0..times {
        if stream.write_all(bytes).await.is_err() {
            break;
        }
        sent += bytes.len() as u64;
    }
    sent
}

/// Small frames with thousands of fences, for which no credit is charged.
pub(super) async fn fences(connection: &Connection, mut control: SendStream) -> u64 {
    let fences: Vec<_> = (1..STRANDS).map(|strand| FrameId { strand, number: 1 }).collect();
    let mut stream = lane(connection, 0).await.expect("a lane");
    let mut sent = 0;
    for circuit in open(&mut control, 3).await {
        sent += send(&mut stream, &frame(circuit, 0, &fences, b"x"), 900).await;
    }
    sent
}

#[test]
fn fences_are_memory() {
    Flooded::new().flood("fences", 1, fences);
}

/// Small frames that stay, each among large ones that do not, since their circuit is closed.
pub(super) async fn small_frames(connection: &Connection, mut control: SendStream) -> u64 {
    static FILLER: [u8; 64 * 1024] = [0; 64 * 1024];
    const CIRCUITS: u64 = 6;
    let mut stream = lane(connection, 0).await.expect("a lane");
    let circuits = open(&mut control, 2 * CIRCUITS).await;
    let (closed, kept) = circuits.split_at(CIRCUITS as usize);
    for (number, circuit) in (1 + 2 * CIRCUITS..).zip(closed) {
        let close = Close {
            circuit: *circuit,
            last: Vec::new(),
            reason: String::new(),
        };
        let _ = control.write_all(&notice(number, Notice::Close(close))).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut sent = 0;
    for (circuit, closed) in kept.iter().zip(closed) {
        let both = [
            &frame(*circuit, 0, &[FrameId { strand: 1, number: 1 }], b"x")[..],
            &frame(*closed, 0, &[], &FILLER),
        ]
        .concat();
        // As many as the closed circuit had credit for.
        sent += send(&mut stream, &both, BODY_MAX / FILLER.len()).await;
    }
    assert!(connection.close_reason().is_none(), "{:?}", connection.close_reason());
    sent
}

#[test]
fn small_frames_keep_no_large_buffers() {
    Flooded::new().flood("small frames", 1, small_frames);
}

/// Large frames for a circuit that nobody has opened: the session ends at the first one.
async fn frames_for_nobody(connection: &Connection, _control: SendStream) -> u64 {
    static BODY: [u8; 64 * 1024] = [0; 64 * 1024];
    let mut stream = lane(connection, 0).await.expect("a lane");
    let frame = frame(CircuitId(4_000_000), 0, &[], &BODY);
    send(&mut stream, &frame, 10_000).await
}

#[test]
fn frames_for_nobody_end_the_session() {
    let mut flooded = Flooded::new();
    let visitor = Visitor::with(&flooded.certs, "third", "third");
    let address = flooded.address;
    let sent = flooded.healthy.beside("frames for nobody", |_| {
        let attacker = thread::spawn(move || attack(visitor, address, 1, frames_for_nobody));
        attacker.join().expect("no panic")
    });
    assert!(
        sent < 32 << 20,
        "{sent} bytes were taken for a circuit that nobody opened"
    );
    flooded.healthy.assert_unharmed("frames for nobody");
}

/// Frames that never end, for circuits that do not exist, on all lanes of several sessions.
pub(super) async fn incomplete_frames(connection: &Connection, _control: SendStream) -> u64 {
    static PART: [u8; 64 * 1024] = [0; 64 * 1024];
    let body: &'static [u8] = vec![0; BODY_MAX - 1].leak();
    let whole = frame(CircuitId(2), 0, &[], body);
    let head = &whole[..whole.len() - body.len()];
    let mut sent = 0;
    let mut streams = Vec::new();
    for number in 0..16 {
        let mut stream = lane(connection, number).await;
        if let Some(stream) = &mut stream {
            sent += send(stream, head, 1).await;
            sent += send(stream, &PART, body.len() / PART.len() - 1).await;
        }
        streams.push(stream);
    }
    // A stream that is dropped is reset.
    let _ = tokio::time::timeout(Duration::from_secs(1), connection.closed()).await;
    sent
}

#[test]
fn incomplete_frames_are_memory() {
    Flooded::new().flood("incomplete frames", 3, incomplete_frames);
}

/// Announcements of names, and names, without end.
pub(super) async fn announcements(_connection: &Connection, mut control: SendStream) -> u64 {
    let hosts: Vec<_> = (0..20_000).map(|number| format!("host{number}")).collect();
    let mut sent = 0;
    for number in 1..=23 {
        let name = format!("node{number}");
        let up = Notice::NodeUp {
            name,
            hosts: hosts.clone(),
            hidden: false,
        };
        sent += send(&mut control, &notice(number, up), 1).await;
    }
    sent
}

#[test]
fn announced_names_are_bounded() {
    Flooded::new().flood("announcements", 1, announcements);
}

/// A peer that grants just enough for the first notice. Whoever greets after it must not wait for it.
#[test]
fn a_peer_without_room_for_a_welcome_holds_up_nobody() {
    let sites = ["left", "right", "third", "visitor"].map(Site::loopback);
    let mut healthy = Healthy::of(Carrier::Bridge, sites.to_vec(), 2);
    let address = healthy.address();
    let third = healthy.cluster.certificates().issue("third");
    let other = healthy.cluster.certificates().issue("visitor");
    // Another one, since a Hello names the session that there was with its peer.
    let length = Visitor::with(&other, "visitor", "visitor").visit(address, async |connection, claims| {
        let (mut control, mut answers) = connection.open_bi().await.expect("a control stream");
        control
            .write_all(&notice(0, hello(claims)))
            .await
            .expect("room for a hello");
        let first = answers
            .read_chunk(4096, true)
            .await
            .expect("an answer")
            .expect("a hello");
        // A notice begins with its length, as QUIC writes numbers.
        match (u32::from(first.bytes[0]), u32::from(first.bytes[1])) {
            (length @ 0..64, _) => 1 + length,
            (high, low) => 2 + ((high & 0x3f) << 8) + low,
        }
    });
    assert!((20..300).contains(&length), "{length} bytes of a Hello");
    let mut greedy = Visitor::with(&third, "third", "third");
    greedy.window = length;
    greedy.patience = Duration::from_secs(6);
    let (is_welcome, closed) = healthy.beside("a peer without room for a welcome", |_| {
        let greedy = thread::spawn(move || {
            greedy.visit(address, async |connection, claims| {
                let (mut control, _unread) = connection.open_bi().await.expect("a control stream");
                control
                    .write_all(&notice(0, hello(claims)))
                    .await
                    .expect("room for a hello");
                let _ = tokio::time::timeout(Duration::from_secs(4), connection.closed()).await;
                connection.close_reason().map(|reason| reason.to_string())
            })
        });
        thread::sleep(Duration::from_millis(500));
        let is_welcome = Visitor::with(&other, "visitor", "visitor").visit(address, async |connection, claims| {
            let mut again = hello(claims);
            if let Notice::Hello(hello) = &mut again {
                // It was restarted meanwhile.
                hello.boot = [9; 16];
            }
            let began = begin(connection, again);
            tokio::time::timeout(Duration::from_secs(2), began).await.is_ok()
        });
        (is_welcome, greedy.join().expect("no panic").unwrap_or_default())
    });
    assert!(is_welcome, "a session cannot begin while another peer takes no Welcome");
    assert!(
        closed.contains("no room for a Welcome"),
        "{closed:?}, with a window of {length} bytes"
    );
    healthy.assert_unharmed("a peer without room for a welcome");
}
