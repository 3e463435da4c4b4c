//! `beamway linkem` as a user runs it: what crosses it, UDP and TCP, meets the delay, loss, rate and buffer asked for.
//!
//! Needs root; without it each test says so and is left out.

#![allow(
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and one that is left out says why"
)]

use std::fs::File;
use std::fs::OpenOptions;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use nix::sched::CloneFlags;
use nix::sched::setns;

const LEFT: &str = "10.78.0.1";
const RIGHT: &str = "10.78.0.2";

/// Whether a line can be laid here; says why not.
fn is_possible() -> bool {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: only root can make devices in network namespaces");
        return false;
    }
    match OpenOptions::new().read(true).write(true).open("/dev/net/tun") {
        Ok(_) => true,
        Err(error) => {
            eprintln!("SKIPPED: this kernel gives no TUN devices, which a line is made of: {error}");
            false
        }
    }
}

/// A line that runs in namespaces of this test; it ends when dropped.
struct Line {
    child: Child,
    answers: BufReader<ChildStdout>,
    left: String,
    right: String,
}

impl Line {
    /// Nothing if it cannot be laid here.
    fn lay(test: &str, words: &[&str]) -> Option<Self> {
        if !is_possible() {
            return None;
        }
        let id = std::process::id();
        let (left, right) = (format!("linkem-{test}-l-{id}"), format!("linkem-{test}-r-{id}"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_beamway"))
            .args(["linkem", "--left", &left, "--right", &right])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let answers = BufReader::new(child.stdout.take().expect("a captured output"));
        let mut line = Self {
            child,
            answers,
            left,
            right,
        };
        assert!(line.answer().starts_with("the network path is up: "));
        Some(line)
    }

    fn answer(&mut self) -> String {
        let mut text = String::new();
        self.answers.read_line(&mut text).expect("UTF-8");
        assert!(!text.is_empty(), "it ended: {:?}", self.child.wait());
        text.trim_end().to_owned()
    }

    fn tell(&mut self, command: &str) -> String {
        writeln!(self.child.stdin.as_mut().expect("a captured input"), "{command}").expect("it listens");
        self.answer()
    }

    /// A counter of what went forth.
    fn forth(&mut self, counter: &str) -> u64 {
        let forth = self.tell("stats");
        assert!(forth.starts_with("forth ") && self.answer().starts_with("back "));
        let (_, rest) = forth.split_once(&format!(" {counter}=")).expect("a counter");
        rest.split(' ').next().expect("a number").parse().expect("a number")
    }

    /// Answers every datagram until the line ends.
    fn echo(&self) {
        let socket = within(&self.right, || UdpSocket::bind((RIGHT, 7000)).expect("a free port"));
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a socket");
        thread::spawn(move || {
            let mut buffer = [0; 2000];
            while let Ok((size, from)) = socket.recv_from(&mut buffer) {
                if socket.send_to(&buffer[..size], from).is_err() {
                    return;
                }
            }
        });
    }

    /// A socket at the left end towards the echo.
    fn socket(&self) -> UdpSocket {
        let socket = within(&self.left, || UdpSocket::bind((LEFT, 0)).expect("a port"));
        socket.connect((RIGHT, 7000)).expect("a route");
        socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .expect("a socket");
        socket
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let ended = self.child.wait().expect("a child of ours");
        if !thread::panicking() {
            assert!(ended.success(), "{ended}");
            for namespace in [&self.left, &self.right] {
                assert!(!Path::new("/run/netns").join(namespace).exists(), "{namespace} is left");
            }
        }
    }
}

/// What a thread in the namespace makes: a socket stays where it was made.
fn within<T: Send>(namespace: &str, make: impl FnOnce() -> T + Send) -> T {
    let file = File::open(Path::new("/run/netns").join(namespace)).expect("a namespace");
    thread::scope(|scope| {
        let made = scope.spawn(|| {
            setns(file, CloneFlags::CLONE_NEWNET).expect("root's rights");
            make()
        });
        made.join().expect("a thread that does not panic")
    })
}

/// Round-trip times of so many datagrams sent one after another; those that got no answer are missing.
fn round_trips(socket: &UdpSocket, count: u32) -> Vec<Duration> {
    let mut buffer = [0; 100];
    (0..count)
        .filter_map(|number| {
            let sent = Instant::now();
            socket.send(&number.to_be_bytes()).expect("a route");
            loop {
                let size = socket.recv(&mut buffer).ok()?;
                if buffer[..size] == number.to_be_bytes() {
                    return Some(sent.elapsed());
                }
            }
        })
        .collect()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Sends so many datagrams of that size as fast as `gap` says, and counts the answers.
fn answered(socket: &UdpSocket, count: u32, size: usize, gap: Duration) -> u32 {
    let receiver = socket.try_clone().expect("a socket");
    let counter = thread::spawn(move || {
        let mut buffer = [0; 2000];
        let mut seen = 0;
        while receiver.recv(&mut buffer).is_ok() {
            seen += 1;
        }
        seen
    });
    let began = Instant::now();
    for number in 0..count {
        while began.elapsed() < gap * number {
            thread::sleep(Duration::from_micros(100));
        }
        socket.send(&vec![1; size]).expect("a route");
    }
    counter.join().expect("a thread that does not panic")
}

#[test]
fn delay_and_jitter() {
    let Some(mut line) = Line::lay("delay", &["--line", "delay=10ms", "--back", "delay=15ms"]) else {
        return;
    };
    line.echo();
    let socket = line.socket();
    let mut times = round_trips(&socket, 40);
    assert_eq!(times.len(), 40);
    let middle = median(&mut times);
    assert!(times[0] >= Duration::from_millis(25), "{times:?}");
    assert!(middle < Duration::from_millis(28), "{times:?}");
    // Evenly spread over 20 ms more.
    assert_eq!(line.tell("back jitter=20ms"), "ok");
    let mut times = round_trips(&socket, 60);
    let middle = median(&mut times);
    let wanted = Duration::from_millis(29)..Duration::from_millis(42);
    assert!(wanted.contains(&middle), "{times:?}");
    assert!(*times.last().expect("some") > Duration::from_millis(40), "{times:?}");
}

#[test]
fn loss_duplicates_and_blackout() {
    let Some(mut line) = Line::lay("loss", &["--forth", "loss=10%", "--seed", "3"]) else {
        return;
    };
    line.echo();
    let socket = line.socket();
    let gap = Duration::from_micros(200);
    let seen = answered(&socket, 5000, 100, gap);
    assert!((4350..=4650).contains(&seen), "{seen} of 5000 with a tenth lost");
    assert_eq!(line.forth("lost"), 5000 - u64::from(seen));
    assert_eq!(line.tell("forth loss=0% duplicate=10%"), "ok");
    let seen = answered(&socket, 1000, 100, gap);
    assert!((1060..=1140).contains(&seen), "{seen} of 1000 with a tenth doubled");
    assert_eq!(line.tell("both duplicate=0% blackout=on"), "ok");
    assert_eq!(round_trips(&socket, 2).len(), 0, "there is light in a blackout");
    assert_eq!(line.tell("both blackout=off"), "ok");
    assert_eq!(round_trips(&socket, 20).len(), 20);
    assert!(line.tell("both speed=1").starts_with("error: speed=1: allowed: "));
    assert!(line.tell("halt").starts_with("error: halt: allowed: "));
}

#[test]
fn rate_and_buffer() {
    // 30 packets of 1000 bytes and headers fit the buffer.
    let Some(mut line) = Line::lay("rate", &["--forth", "rate=20Mbit buffer=31kB"]) else {
        return;
    };
    line.echo();
    let socket = line.socket();
    // All at once: those that fit the buffer pass, and what left it meanwhile makes room for few.
    let seen = answered(&socket, 200, 1000, Duration::ZERO);
    assert!((30..60).contains(&seen), "{seen}");
    assert_eq!(line.forth("overflowed"), 200 - u64::from(seen));
    let carried = tcp(&line, 10_000_000);
    // 20 Mbit/s with headers; TCP fills the line but for its start.
    let share = carried / 20e6;
    assert!((0.80..0.99).contains(&share), "{carried} bits per second of 20 million");
}

/// Bits per second of user data that one TCP connection carries to the right, checked at the receiver.
fn tcp(line: &Line, bytes: usize) -> f64 {
    let listener = within(&line.right, || TcpListener::bind((RIGHT, 7001)).expect("a free port"));
    let receiver = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut got = Vec::new();
        stream.read_to_end(&mut got).expect("a connection that closes in order");
        (got, Instant::now())
    });
    let data: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
    let mut stream = within(&line.left, || TcpStream::connect((RIGHT, 7001)).expect("a connection"));
    let began = Instant::now();
    stream.write_all(&data).expect("a connection");
    drop(stream);
    let (got, ended) = receiver.join().expect("a thread that does not panic");
    assert!(got == data, "TCP data changed on the way");
    bytes as f64 * 8.0 / (ended - began).as_secs_f64()
}

/// Reordering and loss at once: TCP still brings everything, in order.
#[test]
fn tcp_over_a_bad_line() {
    let words = "delay=5ms jitter=2ms loss=1% burst=2 reorder=2% duplicate=1% rate=50Mbit";
    let Some(mut line) = Line::lay("tcp", &["--line", words]) else {
        return;
    };
    tcp(&line, 3_000_000);
    assert!(line.forth("lost") > 0 && line.forth("reordered") > 0);
}

#[test]
fn namespaces_of_the_caller_are_left_to_the_caller() {
    if !is_possible() {
        return;
    }
    let name = format!("linkem-own-l-{}", std::process::id());
    let ip = |arguments: &[&str]| assert!(Command::new("ip").args(arguments).status().expect("ip").success());
    ip(&["netns", "add", &name]);
    laid_and_ended_by_a_signal(&name);
    let still = Path::new("/run/netns").join(&name).exists();
    ip(&["netns", "del", &name]);
    assert!(still, "{name} was removed");
}

/// Lays a line from a namespace that is there, waits until it is laid, and ends it by a signal.
fn laid_and_ended_by_a_signal(left: &str) {
    let right = format!("{left}-r");
    let mut child = Command::new(env!("CARGO_BIN_EXE_beamway"))
        .args(["linkem", "--left", left, "--right", &right])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut answers = BufReader::new(child.stdout.take().expect("a captured output"));
    let mut text = String::new();
    answers.read_line(&mut text).expect("UTF-8");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("a child of ours");
    assert!(child.wait().expect("a child of ours").success());
    assert!(
        !Path::new("/run/netns").join(right).exists(),
        "its own namespace is left"
    );
}
