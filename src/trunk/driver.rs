//! The task that owns a session: it moves bytes between QUIC streams, the session machine, and the legs' tasks.
//!
//! One small task for each stream does nothing but move bytes, so a stream that is blocked holds up only itself. The
//! owner never waits for any of them: it waits for whatever comes next, and hands on what the machine has ready.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use bytes::BytesMut;
use quinn::Connection;
use quinn::RecvStream;
use quinn::SendStream;
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use tracing::info;

use super::TrunkConfig;
use super::TrunkError;
use super::server::Greeted;
use super::server::NoticeReader;
use crate::session::Event;
use crate::session::Session;
use crate::session::SessionConfig;
use crate::session::handle::Command;
use crate::session::handle::LegEvent;
use crate::session::handle::LegSender;
use crate::session::handle::PeerEvent;
use crate::session::handle::SessionHandle;
use crate::wire::CircuitId;
use crate::wire::Frame;
use crate::wire::FrameDecoder;
use crate::wire::LaneId;
use crate::wire::Notice;
use crate::wire::lane_header;

/// What is underway to one leg, at most, in bytes: enough to keep a socket busy, little enough that a small signal on
/// another lane is written soon.
const LEG_WINDOW: u64 = 256 * 1024;

/// Deliveries underway to one leg: one being written, one waiting.
const LEG_DELIVERIES: u32 = 2;

/// Batches of arrivals that may wait for the owner.
const ARRIVALS: usize = 256;

/// What may wait until the gateway has room for it: every circuit that there can be, every node that a peer may announce,
/// and each of them going. Only a peer that floods us gets there.
const NEWS: usize = 16_384;

/// Inputs handled before the outputs are drained: batching without starving anybody.
const BATCH: usize = 64;

/// How long what was written last may take to be acknowledged when we leave.
const FAREWELL_TIME: Duration = Duration::from_secs(2);

/// What the stream tasks bring.
#[derive(Debug)]
enum Arrival {
    Frames {
        lane: LaneId,
        frames: Vec<Frame>,
    },
    Notice {
        number: u64,
        notice: Notice,
    },
    /// A lane's stream, or the control stream, has taken its last batch.
    Written(Stream),
    Broken(TrunkError),
}

#[derive(Clone, Copy, Debug)]
enum Stream {
    Control,
    Lane(LaneId),
}

/// The owner's side of a task that writes a stream.
#[derive(Debug)]
struct Writer {
    batches: mpsc::Sender<Vec<Bytes>>,
    is_idle: bool,
}

/// The owner's side of a leg.
#[derive(Debug)]
struct Leg {
    sender: LegSender,
    deliveries: u32,
    underway: u64,
}

/// Runs a session until the connection is lost, the peer leaves, or `leave` is cancelled.
pub async fn run(
    greeted: Greeted,
    config: SessionConfig,
    gateway: mpsc::Sender<PeerEvent>,
    leave: CancellationToken,
) -> String {
    let (handle, commands) = SessionHandle::new(greeted.agreement.peer.as_str().into());
    let (arrivals_in, arrivals) = mpsc::channel(ARRIVALS);
    let mut tasks = JoinSet::new();
    let connection = greeted.connection.clone();
    let (control, written) = writer(greeted.control, Stream::Control, arrivals_in.clone());
    tasks.spawn(written);
    tasks.spawn(read_notices(greeted.notices, arrivals_in.clone()));
    tasks.spawn(accept_lanes(connection.clone(), config.lanes, arrivals_in.clone()));
    let lanes = open_lanes(&connection, config.lanes, &arrivals_in, &mut tasks).await;
    let peer = handle.peer.clone();
    let mut owner = Owner {
        session: Session::new(config),
        legs: FxHashMap::default(),
        control,
        lanes: Vec::new(),
        handle: handle.clone(),
        news: VecDeque::from([PeerEvent::Up(handle)]),
        connection: connection.clone(),
        farewell: None,
    };
    let reason = match lanes {
        Ok(lanes) => {
            owner.lanes = lanes;
            owner.run(commands, arrivals, &gateway, &leave).await
        }
        Err(error) => error.to_string(),
    };
    // The last word if nobody has said one yet.
    connection.close(TrunkConfig::CLOSED, reason.as_bytes());
    let stats = owner.session.stats();
    info!(
        %peer, reason,
        sent = ?stats.frames_sent, received = ?stats.frames_received, fenced = stats.frames_fenced,
        stale = stats.signals_stale, late = stats.frames_late,
        "a session has ended"
    );
    for (_, leg) in owner.legs.drain() {
        let _ = leg.sender.events.try_send(LegEvent::Finished(reason.clone()));
    }
    for news in owner.news.drain(..) {
        let _ = gateway.send(news).await;
    }
    let _ = gateway
        .send(PeerEvent::Down {
            peer,
            reason: reason.clone(),
        })
        .await;
    reason
}

/// The state of the owning task.
struct Owner {
    session: Session,
    legs: FxHashMap<CircuitId, Leg>,
    control: Writer,
    lanes: Vec<Writer>,
    handle: SessionHandle,
    /// What the gateway must hear and has no room for yet.
    news: VecDeque<PeerEvent>,
    connection: Connection,
    /// The peer has said goodbye, and why.
    farewell: Option<String>,
}

impl Owner {
    async fn run(
        &mut self,
        mut commands: mpsc::Receiver<Command>,
        mut arrivals: mpsc::Receiver<Arrival>,
        gateway: &mpsc::Sender<PeerEvent>,
        leave: &CancellationToken,
    ) -> String {
        let mut commanded = Vec::with_capacity(BATCH);
        let mut arrived = Vec::with_capacity(BATCH);
        loop {
            let timeout = self.session.poll_timeout().map(tokio::time::Instant::from_std);
            let sleep = async {
                match timeout {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = arrivals.recv_many(&mut arrived, BATCH) => {}
                _ = commands.recv_many(&mut commanded, BATCH) => {}
                () = sleep => {}
                room = gateway.reserve(), if !self.news.is_empty() => {
                    if let (Ok(room), Some(news)) = (room, self.news.pop_front()) {
                        room.send(news);
                    }
                }
                () = leave.cancelled() => return self.leave(&mut arrivals).await,
            }
            let now = Instant::now();
            for arrival in arrived.drain(..) {
                match self.handle_arrival(arrival, now) {
                    Ok(None) => {}
                    Ok(Some(reason)) => return reason,
                    Err(error) => {
                        self.connection.close(TrunkConfig::BROKEN, error.to_string().as_bytes());
                        return error.to_string();
                    }
                }
            }
            for command in commanded.drain(..) {
                self.handle_command(command, now);
            }
            self.session.handle_timeout(now);
            if let Some(reason) = self.drain(now) {
                return reason;
            }
        }
    }

    fn handle_arrival(&mut self, arrival: Arrival, now: Instant) -> Result<Option<String>, TrunkError> {
        match arrival {
            Arrival::Frames { lane, frames } => self.session.handle_frames(lane, frames, now)?,
            Arrival::Notice { number, notice } => self.session.handle_notice(number, notice, now)?,
            Arrival::Written(stream) => self.idle(stream),
            Arrival::Broken(TrunkError::Connection(reason)) => return Ok(Some(reason)),
            Arrival::Broken(error) => return Err(error),
        }
        Ok(None)
    }

    fn idle(&mut self, stream: Stream) {
        let writer = match stream {
            Stream::Control => Some(&mut self.control),
            Stream::Lane(lane) => self.lanes.get_mut(usize::from(lane)),
        };
        if let Some(writer) = writer {
            writer.is_idle = true;
        }
    }

    fn handle_command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Open { target, send_name, leg } => {
                let circuit = self.session.open(target, send_name);
                let _ = leg.events.try_send(LegEvent::Opened(circuit));
                self.attach(circuit, leg);
            }
            Command::Accept { circuit, leg } => self.attach(circuit, leg),
            Command::Handshake { circuit, message } => self.session.handshake(circuit, message),
            Command::Established { circuit, terms } => self.session.established(circuit, terms),
            Command::Signals { circuit, signals } => self.session.signals(circuit, signals),
            Command::Written { circuit, cost } => {
                if let Some(leg) = self.legs.get_mut(&circuit) {
                    leg.deliveries -= 1;
                    leg.underway -= cost;
                    self.session.written(circuit, cost, now);
                }
            }
            Command::Close { circuit, reason } => {
                self.legs.remove(&circuit);
                self.session.close(circuit, reason, now);
            }
            Command::NodeUp { name, hosts, hidden } => self.session.node_up(name, hosts, hidden),
            Command::NodeDown { name } => self.session.node_down(name),
        }
    }

    fn attach(&mut self, circuit: CircuitId, sender: LegSender) {
        let leg = Leg {
            sender,
            deliveries: 0,
            underway: 0,
        };
        self.legs.insert(circuit, leg);
    }

    /// Hands on everything the machine has ready; a reason when the peer has left.
    fn drain(&mut self, now: Instant) -> Option<String> {
        while let Some(circuit) = self.session.poll_ready() {
            self.deliver(circuit, now);
        }
        while let Some(event) = self.session.poll_event() {
            self.handle_event(event, now);
        }
        if self.control.is_idle
            && let Some(bytes) = self.session.poll_control()
        {
            self.control.is_idle = self.control.batches.try_send(vec![bytes]).is_err();
        }
        for (lane, writer) in (0..).zip(&mut self.lanes) {
            if writer.is_idle
                && let Some(batch) = self.session.poll_lane(lane)
            {
                writer.is_idle = writer.batches.try_send(batch).is_err();
            }
        }
        if self.news.len() > NEWS || self.session.control_waiting() > SessionConfig::CONTROL_MAX {
            let reason = "the peer floods us with notices, or does not read ours";
            self.connection.close(TrunkConfig::BROKEN, reason.as_bytes());
            return Some(reason.to_owned());
        }
        // What the peer sent before it left is still delivered.
        self.farewell.clone().filter(|_| self.session.circuits().is_empty())
    }

    fn deliver(&mut self, circuit: CircuitId, now: Instant) {
        let Some(leg) = self.legs.get_mut(&circuit) else {
            return;
        };
        if leg.deliveries >= LEG_DELIVERIES {
            return;
        }
        let mut delivery = Vec::new();
        let mut cost = 0;
        while leg.underway + cost < LEG_WINDOW
            && let Some(content) = self.session.poll_delivery(circuit, now)
        {
            cost += content.cost();
            delivery.push(content);
        }
        if delivery.is_empty() {
            return;
        }
        leg.deliveries += 1;
        leg.underway += cost;
        if leg.sender.events.try_send(LegEvent::Deliver(delivery)).is_err() {
            self.legs.remove(&circuit);
            self.session.close(circuit, "the leg is gone".into(), now);
        }
    }

    fn handle_event(&mut self, event: Event, now: Instant) {
        let peer = self.handle.peer.clone();
        match event {
            Event::Opened(open) => self.news.push_back(PeerEvent::Opened {
                session: self.handle.clone(),
                open,
            }),
            Event::Handshake { circuit, message } => self.tell(circuit, LegEvent::Handshake(message), now),
            Event::Taken { circuit, cost } => {
                if let Some(leg) = self.legs.get(&circuit) {
                    leg.sender.taken.send_modify(|taken| *taken += cost);
                }
            }
            Event::Finished { circuit, reason } => {
                self.tell(circuit, LegEvent::Finished(reason), now);
                self.legs.remove(&circuit);
            }
            Event::Ended { circuit, frames } => info!(%peer, %circuit, ?frames, "lanes"),
            Event::NodeUp { name, hosts, hidden } => self.news.push_back(PeerEvent::NodeUp {
                peer,
                name,
                hosts,
                hidden,
            }),
            Event::NodeDown { name } => self.news.push_back(PeerEvent::NodeDown { peer, name }),
            Event::Goodbye { reason } => self.farewell = Some(format!("the peer leaves: {reason}")),
        }
    }

    fn tell(&mut self, circuit: CircuitId, event: LegEvent, now: Instant) {
        let Some(leg) = self.legs.get(&circuit) else {
            return;
        };
        if leg.sender.events.try_send(event).is_err() {
            self.legs.remove(&circuit);
            self.session
                .close(circuit, "the leg is gone or was flooded".into(), now);
        }
    }

    /// Ends all circuits, says goodbye, and waits until the peer has read it: then it closes the connection.
    async fn leave(&mut self, arrivals: &mut mpsc::Receiver<Arrival>) -> String {
        let reason = "this daemon stops";
        self.session.goodbye(reason);
        let flushed = async {
            loop {
                let _ = self.drain(Instant::now());
                match arrivals.recv().await {
                    Some(Arrival::Written(stream)) => self.idle(stream),
                    Some(Arrival::Broken(_)) | None => return,
                    Some(_) => {}
                }
            }
        };
        let _ = tokio::time::timeout(FAREWELL_TIME, flushed).await;
        self.connection.close(TrunkConfig::CLOSED, reason.as_bytes());
        reason.to_owned()
    }
}

async fn open_lanes(
    connection: &Connection,
    lanes: u8,
    arrivals: &mpsc::Sender<Arrival>,
    tasks: &mut JoinSet<()>,
) -> Result<Vec<Writer>, TrunkError> {
    let mut writers = Vec::with_capacity(lanes.into());
    for lane in 0..lanes {
        let mut stream = connection.open_uni().await?;
        let mut header = BytesMut::new();
        lane_header(lane, 1, &mut header);
        stream
            .write_all(&header)
            .await
            .map_err(|error| TrunkError::Connection(error.to_string()))?;
        let (writer, task) = writer(stream, Stream::Lane(lane), arrivals.clone());
        tasks.spawn(task);
        writers.push(writer);
    }
    Ok(writers)
}

/// A task that writes batches to a stream and says when it wants the next.
fn writer(mut stream: SendStream, name: Stream, arrivals: mpsc::Sender<Arrival>) -> (Writer, impl Future<Output = ()>) {
    let (batches, mut receiver) = mpsc::channel::<Vec<Bytes>>(1);
    let task = async move {
        while let Some(mut batch) = receiver.recv().await {
            let arrival = match stream.write_all_chunks(&mut batch).await {
                Ok(()) => Arrival::Written(name),
                Err(error) => Arrival::Broken(TrunkError::Connection(error.to_string())),
            };
            if arrivals.send(arrival).await.is_err() {
                return;
            }
        }
    };
    let writer = Writer { batches, is_idle: true };
    (writer, task)
}

async fn read_notices(mut notices: NoticeReader, arrivals: mpsc::Sender<Arrival>) {
    loop {
        let (arrival, is_last) = match notices.read().await {
            Ok((number, notice)) => (Arrival::Notice { number, notice }, false),
            Err(error) => (Arrival::Broken(error), true),
        };
        if arrivals.send(arrival).await.is_err() || is_last {
            return;
        }
    }
}

/// Takes the peer's lanes, each in a task of its own that ends with this one.
async fn accept_lanes(connection: Connection, lanes: u8, arrivals: mpsc::Sender<Arrival>) {
    let mut readers = JoinSet::new();
    for _ in 0..lanes {
        match connection.accept_uni().await {
            Ok(stream) => {
                readers.spawn(read_lane(stream, lanes, arrivals.clone()));
            }
            Err(error) => {
                let _ = arrivals.send(Arrival::Broken(error.into())).await;
                return;
            }
        }
    }
    readers.join_all().await;
    debug!("all lanes have ended");
}

async fn read_lane(stream: RecvStream, lanes: u8, arrivals: mpsc::Sender<Arrival>) {
    if let Err(error) = read_frames(stream, lanes, &arrivals).await {
        let _ = arrivals.send(Arrival::Broken(error)).await;
    }
}

async fn read_frames(mut stream: RecvStream, lanes: u8, arrivals: &mpsc::Sender<Arrival>) -> Result<(), TrunkError> {
    /// Chunks taken at once; each is at most one datagram's payload.
    const CHUNKS: usize = 64;
    let mut decoder = FrameDecoder::default();
    let mut lane = None;
    let mut chunks = vec![Bytes::new(); CHUNKS];
    loop {
        let read = stream
            .read_chunks(&mut chunks)
            .await
            .map_err(|error| TrunkError::Connection(error.to_string()))?;
        let Some(count) = read else {
            return Err(TrunkError::Ended("a lane"));
        };
        for chunk in chunks.iter_mut().take(count) {
            decoder.push(&std::mem::take(chunk));
        }
        if lane.is_none() {
            lane = decoder.header()?;
        }
        let Some((lane, first)) = lane else {
            continue;
        };
        if lane >= lanes || first != 1 {
            return Err(TrunkError::Session(crate::session::SessionError::Lane { lane, lanes }));
        }
        let mut frames = Vec::new();
        while let Some(frame) = decoder.poll_frame()? {
            frames.push(frame);
        }
        if !frames.is_empty() && arrivals.send(Arrival::Frames { lane, frames }).await.is_err() {
            return Ok(());
        }
    }
}
