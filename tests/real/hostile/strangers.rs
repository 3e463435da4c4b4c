//! Bytes and half requests at every port of a gateway.

use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use proptest::prelude::Rng;
use proptest::test_runner::RngAlgorithm;
use proptest::test_runner::TestRng;

use super::ENDED;
use super::Healthy;

/// How long the QUIC ports get noise.
const NOISE: Duration = Duration::from_secs(1);

/// Connections left hanging at each port.
const HANGING: usize = 60;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(at(port)).unwrap_or_else(|error| panic!("port {port} no longer accepts: {error}"));
    stream.set_read_timeout(Some(ENDED)).expect("a socket with a time-out");
    stream.set_write_timeout(Some(ENDED)).expect("a socket with a time-out");
    stream
}

/// Sends, then waits for the other side to close. Gives what it said before; nothing if it did not close in time.
fn told_off(port: u16, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut stream = connect(port);
    // Refused before all was written is as good.
    let _ = stream.write_all(bytes);
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => Some(said),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Some(said),
        Err(_) => None,
    }
}

/// Fixed bytes: a failure can be repeated.
fn random(seed: u8, length: usize) -> Vec<u8> {
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// A request of the port mapper protocol: its length and its bytes.
fn request(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a short request");
    [&length.to_be_bytes(), body].concat()
}

/// ALIVE2_REQ, with a length of the name that may be a lie.
fn alive(name: &[u8], claimed: u16) -> Vec<u8> {
    let head = [120, 0x30, 0x39, 77, 0, 0, 6, 0, 5];
    request(&[&head[..], &claimed.to_be_bytes(), name, &[0, 0]].concat())
}

#[test]
fn at_the_port_mapper() {
    let mut healthy = Healthy::new();
    let port = healthy.cluster.epmd_port(0);
    let long = vec![b'x'; 2000];
    let attacks: Vec<(&str, Vec<u8>)> = vec![
        ("nothing asked", request(b"")),
        ("an unknown request", request(&[255; 40])),
        (
            "the longest length and its bytes",
            [&[0xff, 0xff][..], &random(1, 65_535)].concat(),
        ),
        ("a name longer than its request", alive(b"liar", 60_000)),
        ("a name of 2000 bytes", alive(&long, 2000)),
        ("an empty name", alive(b"", 0)),
        ("a name that is not UTF-8", alive(&[0xc3, 0x28, 0xff], 3)),
        ("a name with a host", alive(b"x@127.0.0.1", 11)),
        ("kill", request(b"k")),
        ("stop a", request(b"sa")),
        ("a look-up of nothing", request(b"z")),
        ("a look-up of bytes", request(&[&b"z"[..], &random(2, 300)].concat())),
        ("two requests at once", [request(b"n"), request(b"n")].concat()),
    ];
    let hanging = healthy.beside("strangers at the port mapper", |healthy| {
        let hanging: Vec<TcpStream> = (0..HANGING)
            .map(|n| {
                let mut stream = connect(port);
                stream.write_all(&request(b"zb")[..n % 3]).expect("an open connection");
                stream
            })
            .collect();
        for (attack, bytes) in attacks {
            // Some are answered and stay open, as the protocol has it: the client closes then.
            let mut stream = connect(port);
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said);
            healthy.assert_unharmed(attack);
        }
        for seed in 0..50 {
            let mut stream = connect(port);
            let _ = stream.write_all(&random(seed, usize::from(seed) * 37 + 1));
        }
        healthy.assert_unharmed("noise at the port mapper");
        // A name that is taken stays its owner's.
        let mut thief = connect(port);
        thief.write_all(&alive(b"a", 1)).expect("an open connection");
        let mut answer = [0; 2];
        thief.read_exact(&mut answer).expect("an answer");
        assert_ne!(answer[1], 0, "the name of a node that runs was given away");
        healthy.assert_unharmed("a thief of names");
        hanging
    });
    healthy.assert_open();
    drop(hanging);
}

/// A handshake message: its length and its bytes.
fn name(flags: u64, name: &[u8]) -> Vec<u8> {
    let length = u16::try_from(name.len()).expect("a short name");
    let body = [
        &b"N"[..],
        &flags.to_be_bytes(),
        &[0, 0, 0, 9],
        &length.to_be_bytes(),
        name,
    ]
    .concat();
    request(&body)
}

/// What OTP 25 offers.
const FLAGS: u64 = 0x000d_07df_7fbd;

#[test]
fn at_a_persona() {
    let mut healthy = Healthy::new();
    let port = healthy.persona_port();
    let nameless = name(FLAGS, b"");
    let attacks: Vec<(&str, Vec<u8>)> = vec![
        ("an empty packet", vec![0, 0]),
        ("random bytes", random(3, 5000)),
        ("the longest packet", [&[0xff, 0xff][..], &random(4, 65_535)].concat()),
        ("an HTTP request", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("an empty name", nameless),
        ("a name without a host", name(FLAGS, b"fake")),
        ("a name with two hosts", name(FLAGS, b"fake@one@two")),
        ("a name of bad characters", name(FLAGS, b"fa ke\n@127.0.0.1")),
        (
            "a name of 300 bytes",
            name(FLAGS, &[vec![b'x'; 290], b"@127.0.0.1".to_vec()].concat()),
        ),
        ("no flags at all", name(0, b"fake@127.0.0.1")),
        (
            "the old handshake",
            request(&[&b"n\x00\x05\x00\x00\x00\x00"[..], b"fake@127.0.0.1"].concat()),
        ),
        ("an answer instead of a name", request(b"sok")),
        ("a challenge instead of a name", request(&[b'r'; 21])),
    ];
    let hanging = healthy.beside("half handshakes, and strangers at a persona", |healthy| {
        let hanging: Vec<TcpStream> = (0..HANGING)
            .map(|n| {
                let mut stream = connect(port);
                let whole = name(FLAGS, format!("hanging{n}@127.0.0.1").as_bytes());
                let part = [0, 1, 2, 10, whole.len() - 1, whole.len()][n % 6];
                stream.write_all(&whole[..part]).expect("an open connection");
                stream
            })
            .collect();
        for (attack, bytes) in &attacks {
            let said = told_off(port, bytes);
            assert!(said.is_some(), "{attack} did not end the connection within {ENDED:?}");
            healthy.assert_unharmed(attack);
        }
        // Names of nodes that exist: b's own name at b's persona, and a's, whose connection is up.
        for claimed in ["b@127.0.0.1", "a@127.0.0.1"] {
            let mut stream = connect(port);
            stream
                .write_all(&name(FLAGS, claimed.as_bytes()))
                .expect("an open connection");
            // Whatever it is told, it goes on with nonsense.
            let mut said = [0; 512];
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
            let _ = stream.read(&mut said);
            let _ = stream.write_all(&request(b"strue"));
            let _ = stream.read(&mut said);
            let _ = stream.write_all(&request(&[&b"r"[..], &random(5, 20)].concat()));
            let _ = stream.read(&mut said);
            drop(stream);
            healthy.assert_unharmed(&format!("a stranger who claims to be {claimed}"));
        }
        hanging
    });
    healthy.assert_open();
    drop(hanging);
    healthy.assert_unharmed("60 half handshakes that end");
}

/// A process of this host cannot pass for a node of another host, nor for a visible node that nobody registered. One that is
/// hidden may come unregistered, as remote shells and C nodes do.
#[test]
fn with_a_name_that_is_not_theirs() {
    const PUBLISHED: u64 = 1;
    let mut healthy = Healthy::new();
    let port = healthy.persona_port();
    healthy.beside("strangers with names of others", |healthy| {
        // What the node behind the persona says to a name.
        let mut answer = |flags: u64, claimed: &str| {
            let mut stream = connect(port);
            let claim = name(flags, claimed.as_bytes());
            stream.write_all(&claim).expect("an open connection");
            let mut length = [0; 2];
            let answered = stream.read_exact(&mut length).is_ok();
            drop(stream);
            healthy.assert_unharmed(claimed);
            answered
        };
        for (flags, claimed, is_heard) in [
            (FLAGS | PUBLISHED, "ghost@127.0.0.1", false),
            (FLAGS & !PUBLISHED, "ghost@127.0.0.1", true),
            (FLAGS | PUBLISHED, "b@127.0.0.1", false),
            (FLAGS & !PUBLISHED, "b@127.0.0.1", false),
        ] {
            assert_eq!(answer(flags, claimed), is_heard, "{claimed} with flags {flags:#x}");
        }
    });
    healthy.assert_open();
}

/// A thousand datagrams of random bytes.
fn noise(address: SocketAddr) {
    let socket = UdpSocket::bind(at(0)).expect("a UDP socket");
    for seed in 0..=255 {
        let mut datagram = random(seed, 1 + usize::from(seed) * 5);
        // Some look like the first packet of a connection, of this version or of another.
        match seed % 4 {
            0 => datagram.splice(0..1, [0xc3, 0, 0, 0, 1, 8]).for_each(drop),
            1 => datagram.splice(0..1, [0xc3, 0xfa, 0xce, 0xb0, 0x0c, 20]).for_each(drop),
            2 => datagram[0] = 0x40,
            _ => {}
        }
        datagram.resize(datagram.len().max(1200), seed);
        for _ in 0..4 {
            // A full socket buffer loses it; there are more.
            let _ = socket.send_to(&datagram, address);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn at_the_quic_port() {
    let mut healthy = Healthy::new();
    healthy.beside("noise at the QUIC port", |healthy| {
        let begin = Instant::now();
        while begin.elapsed() < NOISE {
            for site in 0..2 {
                noise(healthy.cluster.gateway(site).site().quic);
            }
        }
        healthy.assert_unharmed("noise at the QUIC port");
    });
    healthy.assert_open();
}
