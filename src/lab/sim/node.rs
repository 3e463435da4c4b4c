use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::ledger::DONE;
use super::ledger::EndId;
use super::ledger::Ledger;
use super::random::Random;
use super::signals;
use super::signals::AGREED;
use super::signals::RECEIVERS;
use super::signals::Truth;
use super::socket::SimSocket;
use crate::endpoint::Closed;
use crate::endpoint::Nodes;
use crate::endpoint::io::attachment::Delivery;
use crate::endpoint::io::endpoint::CircuitHandle;
use crate::endpoint::io::endpoint::Endpoint;
use crate::endpoint::io::endpoint::SignalReceiver;
use crate::endpoint::io::endpoint::SignalSender;
use crate::endpoint::io::session::Command;
use crate::endpoint::io::session::PeerEvent;
use crate::endpoint::io::session::SessionHandle;
use crate::wire::Content;
use crate::wire::Open;

/// How long a node waits before it connects again.
const RECONNECT: Duration = Duration::from_millis(200);

/// How nodes behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Habits {
    /// Circuits that a host opens to each other one.
    pub(super) circuits: usize,
    /// The longest pause between two bursts of signals.
    pub(super) pause: Duration,
    /// Signals of a burst, at most.
    pub(super) burst: u64,
    /// One burst in so many is of large signals.
    pub(super) large_one_in: u64,
    /// A node closes a circuit in one of so many bursts.
    pub(super) close_one_in: u64,
}

/// What all tasks of one simulated host share.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) index: usize,
    pub(super) ledger: SharedLedger,
    pub(super) socket: Arc<SimSocket>,
    /// Until when its nodes read nothing: milliseconds of the run.
    pub(super) deaf_until: AtomicU64,
    pub(super) habits: Habits,
    random: Mutex<Random>,
}

/// The ledger, for all hosts.
#[derive(Clone)]
pub(super) struct SharedLedger(Arc<Mutex<Ledger>>);

impl std::fmt::Debug for SharedLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedLedger")
    }
}

impl SharedLedger {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self(Arc::new(Mutex::new(ledger)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a daemon is called.
pub(super) fn name_of(host: usize) -> String {
    format!("d{host}")
}

/// Whose name it is.
fn host_of(name: &str) -> usize {
    name.trim_start_matches('d').parse().unwrap_or(usize::MAX)
}

impl Host {
    pub(super) fn new(
        index: usize,
        ledger: SharedLedger,
        socket: Arc<SimSocket>,
        habits: Habits,
        random: Random,
    ) -> Self {
        Self {
            index,
            ledger,
            socket,
            deaf_until: AtomicU64::new(0),
            habits,
            random: Mutex::new(random),
        }
    }

    fn now(&self) -> Duration {
        self.socket.now()
    }

    fn is_deaf(&self) -> bool {
        (self.now().as_millis() as u64) < self.deaf_until.load(Relaxed)
    }

    /// Where what one end of a circuit does by chance comes from.
    fn draw(&self, id: EndId) -> Random {
        let seed = self.random.lock().unwrap_or_else(PoisonError::into_inner).next();
        Random::new(seed, id.0)
    }

    /// One end of a circuit is over, and not by its node.
    fn over(&self, id: EndId, closed: &Closed) {
        let reason = match closed {
            Closed::Circuit(reason) => Some(reason.as_str()),
            Closed::NoSession => None,
        };
        self.ledger.lock().finish(self.now(), id, reason);
    }
}

/// The gateway of a simulated host: hears of peers and plays the nodes.
pub(super) async fn serve(host: Arc<Host>, mut news: mpsc::Receiver<PeerEvent>) {
    let mut peers: BTreeMap<Arc<str>, BTreeSet<String>> = BTreeMap::new();
    let mut sessions: BTreeMap<Arc<str>, SessionHandle> = BTreeMap::new();
    let complain = |text: String| host.ledger.lock().complain(host.now(), &text);
    while let Some(event) = news.recv().await {
        match event {
            PeerEvent::Up { session, .. } => {
                let peer = session.peer.clone();
                host.ledger
                    .lock()
                    .session_begins(host.now(), host.index, host_of(&peer));
                if peers.insert(peer.clone(), BTreeSet::new()).is_some() {
                    complain(format!("{}: {peer} is up twice", host.index));
                }
                sessions.insert(peer, session.clone());
                let node = Command::NodeUp {
                    name: format!("n{}", host.index),
                    hosts: vec!["h".to_owned()],
                    hidden: false,
                };
                session.send(node).await;
            }
            // Here a certificate decides nothing.
            PeerEvent::Certified { .. } | PeerEvent::HostDialled { .. } => {}
            PeerEvent::NodeUp { peer, name, .. } => {
                let is_new = peers.get_mut(&peer).is_some_and(|nodes| nodes.insert(name.clone()));
                if !is_new {
                    complain(format!(
                        "{}: {name} of {peer} came up twice, or before {peer}",
                        host.index
                    ));
                }
                if let Some(session) = sessions.get(&peer) {
                    for _ in 0..host.habits.circuits {
                        tokio::spawn(keep_open(Arc::clone(&host), session.clone(), name.clone()));
                    }
                }
            }
            PeerEvent::NodeDown { peer, name } => {
                if !peers.get_mut(&peer).is_some_and(|nodes| nodes.remove(&name)) {
                    complain(format!("{}: {name} of {peer} went down and was not up", host.index));
                }
            }
            PeerEvent::Opened { session, open } => {
                if !peers.contains_key(&session.peer) {
                    complain(format!(
                        "{}: a circuit of {}, which is not up",
                        host.index, session.peer
                    ));
                }
                tokio::spawn(accept(Arc::clone(&host), session, open));
            }
            PeerEvent::Down { peer, reason } => {
                let mut ledger = host.ledger.lock();
                ledger.session_ends(host.now(), host.index, host_of(&peer), &reason);
                if peers.remove(&peer).is_none() {
                    ledger.complain(host.now(), &format!("{}: {peer} went down and was not up", host.index));
                }
                sessions.remove(&peer);
            }
        }
    }
}

/// A node that connects to another one, and again when that has ended, as long as the session lasts.
async fn keep_open(host: Arc<Host>, session: SessionHandle, target: String) {
    let peer = host_of(&session.peer);
    let since = host.ledger.lock().begun(host.index, peer);
    loop {
        if host.ledger.lock().is_closing {
            return;
        }
        let key = host.ledger.lock().open(host.now(), host.index, peer, since);
        let id = (key, 0);
        if session.is_over() {
            host.ledger.lock().finish(host.now(), id, None);
            return;
        }
        let random = host.draw(id);
        let send_name = Bytes::copy_from_slice(&key.to_be_bytes());
        match Endpoint::open(&session, target.clone(), send_name).await {
            Ok(endpoint) => connect(&host, id, endpoint, random).await,
            Err(closed) => host.over(id, &closed),
        }
        sleep(RECONNECT).await;
    }
}

/// A node that is connected to.
async fn accept(host: Arc<Host>, session: SessionHandle, open: Open) {
    let key = open.send_name.first_chunk().copied().map_or(0, u64::from_be_bytes);
    host.ledger
        .lock()
        .accept(host.now(), (key, 1), host.index, host_of(&session.peer));
    let id = (key, 1);
    let endpoint = match Endpoint::accept(&session, open.circuit).await {
        Ok(endpoint) => endpoint,
        Err(closed) => return host.over(id, &closed),
    };
    let _ = endpoint.send_handshake(Bytes::from_static(b"s")).await;
    let random = host.draw(id);
    connect(&host, id, endpoint, random).await;
}

/// A node's connection, from the handshake to its end.
async fn connect(host: &Arc<Host>, id: EndId, mut endpoint: Endpoint, random: Random) {
    let circuit = endpoint.circuit().clone();
    let established = match shake_hands(&mut endpoint).await {
        Ok(()) => {
            host.ledger.lock().established(host.now(), id);
            endpoint.establish(AGREED, Nodes::new("", "")).await
        }
        Err(closed) => Err(closed),
    };
    match established {
        Ok((sender, receiver)) => {
            let connection = Connection {
                host: Arc::clone(host),
                id,
                circuit,
                sender,
                receiver,
                random,
                making: VecDeque::new(),
            };
            connection.run().await;
        }
        Err(closed) => host.over(id, &closed),
    }
}

/// The nodes' part: status, reply, acknowledgement.
async fn shake_hands(endpoint: &mut Endpoint) -> Result<(), Closed> {
    loop {
        let message = endpoint.receive_handshake().await?;
        let answer: &'static [u8] = match &message[..] {
            b"s" => b"r",
            b"r" => b"a",
            _ => b"",
        };
        if !answer.is_empty() {
            endpoint.send_handshake(Bytes::from_static(answer)).await?;
        }
        if message != "s" {
            return Ok(());
        }
    }
}

/// A node's connection that is established.
struct Connection {
    host: Arc<Host>,
    id: EndId,
    circuit: CircuitHandle,
    sender: SignalSender,
    receiver: SignalReceiver,
    random: Random,
    /// Signals in fragments, and how many are left of each.
    making: VecDeque<(u64, u64, Truth)>,
}

/// Whether a connection goes on.
#[derive(PartialEq, Eq)]
enum Course {
    GoesOn,
    Over,
}

impl Connection {
    async fn run(mut self) {
        for owner in (0..RECEIVERS).step_by(2) {
            self.send((owner, 0), signals::monitor(owner), 0, 1).await;
        }
        self.converse().await;
    }

    async fn converse(&mut self) {
        let pause = self.host.habits.pause.as_millis() as u64;
        let mut tick = Box::pin(sleep(Duration::ZERO));
        loop {
            let is_reading = !self.host.is_deaf();
            let received = tokio::select! {
                biased;
                received = self.receiver.receive(), if is_reading => Some(received),
                () = &mut tick => None,
            };
            match received {
                Some(Ok(delivery)) => self.deliver(delivery).await,
                Some(Err(closed)) => return self.host.over(self.id, &closed),
                None => {
                    let next = Duration::from_millis(self.random.between(1, pause));
                    tick.as_mut().reset(tokio::time::Instant::now() + next);
                    if self.speak().await == Course::Over {
                        return;
                    }
                }
            }
        }
    }

    async fn deliver(&self, delivery: Delivery) {
        let now = self.host.now();
        for content in &delivery.contents {
            self.host.ledger.lock().deliver(now, self.id, content);
        }
        let _ = self.receiver.written(delivery.cost).await;
    }

    /// Sends a burst, goes on with what is in fragments, or closes.
    async fn speak(&mut self) -> Course {
        let (is_sending, is_closing) = {
            let ledger = self.host.ledger.lock();
            (ledger.is_sending, ledger.is_closing)
        };
        let habits = self.host.habits;
        let is_tired = is_sending && self.making.is_empty() && self.random.one_in(habits.close_one_in);
        if is_tired || is_closing && self.id.1 == 0 {
            self.host.ledger.lock().close(self.host.now(), self.id);
            self.circuit.close(DONE.to_owned()).await;
            return Course::Over;
        }
        let is_large = self.random.one_in(habits.large_one_in);
        for _ in 0..self.random.between(1, habits.burst) {
            if !self.sender.has_room() {
                break;
            }
            if !self.making.is_empty() && (!is_sending || self.random.one_in(2)) {
                self.go_on(is_large).await;
            } else if is_sending {
                self.begin(is_large).await;
            }
        }
        Course::GoesOn
    }

    async fn begin(&mut self, is_large: bool) {
        let (truth, control) = signals::draw(&mut self.random);
        // A process that is in the middle of a signal sends nothing else.
        if self.making.iter().any(|(_, _, (sender, _))| *sender == truth.0) {
            return;
        }
        let padding = if is_large {
            30_000
        } else {
            self.random.below(300) as usize
        };
        let parts = if self.random.one_in(8) {
            self.random.between(2, 6)
        } else {
            1
        };
        if parts == 1 && !is_large && self.random.one_in(4) {
            return self.send_run(truth, &control, padding).await;
        }
        self.send(truth, control, padding, parts).await;
    }

    /// Several messages that the gateway finds in one read.
    async fn send_run(&mut self, truth: Truth, control: &[u8], padding: usize) {
        let count = self.random.between(2, 6);
        let now = self.host.now();
        let bodies: Vec<Bytes> = (0..count)
            .map(|_| {
                let number = self.host.ledger.lock().send(now, self.id, truth);
                signals::body(control.to_vec(), padding, number)
            })
            .collect();
        if let Some(run) = signals::run(&bodies) {
            self.hand_over(run).await;
        }
    }

    async fn send(&mut self, truth: Truth, control: Vec<u8>, padding: usize, parts: u64) {
        let number = self.host.ledger.lock().send(self.host.now(), self.id, truth);
        let body = signals::body(control, padding, number);
        let content = if parts == 1 {
            Content::Signal(body)
        } else {
            self.making.push_back((number, parts - 1, truth));
            Content::First {
                message: number,
                fragments: parts,
                body,
            }
        };
        self.hand_over(content).await;
    }

    /// The next part of the oldest signal that is not complete.
    async fn go_on(&mut self, is_large: bool) {
        let Some((message, remaining, truth)) = self.making.pop_front() else {
            return;
        };
        if remaining > 1 {
            self.making.push_back((message, remaining - 1, truth));
        }
        let size = if is_large {
            60_000
        } else {
            self.random.below(300) as usize
        };
        let content = Content::Next {
            message,
            remaining,
            body: vec![7; size].into(),
        };
        self.hand_over(content).await;
    }

    async fn hand_over(&mut self, content: Content) {
        if let Some(signal) = signals::taken(content) {
            let _ = self.sender.send(vec![signal]).await;
        }
    }
}
