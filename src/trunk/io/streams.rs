//! The tasks that read and write the streams of a trunk, and the handle by which their owner controls them.

use std::net::SocketAddr;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use quinn::Connection;
use quinn::ConnectionError;
use quinn::RecvStream;
use quinn::SendStream;
use quinn::VarInt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::greet::Greeted;
use super::notices::CONTROL_PRIORITY;
use super::notices::NoticeReader;
use super::turn;
use super::turn::poll_turn;
use crate::codec::Account;
use crate::congestion::Shared;
use crate::endpoint::TrunkReport;
use crate::session::SessionConfig;
use crate::session::SessionError;
use crate::trunk::TrunkError;
use crate::wire::Frame;
use crate::wire::FrameDecoder;
use crate::wire::LaneId;
use crate::wire::Notice;
use crate::wire::lane_header;

/// A call that would wait behind bulk data goes before other lanes, which take turns. These are few.
const CALL_PRIORITY: i32 = 1;
const PRIORITY: i32 = 0;

/// The capacity of the queue of arrivals for the owner.
const ARRIVALS: usize = 256;

/// A notice may name this many hosts before others go on.
const HOSTS: usize = 64;

/// How long a peer waits that has named more hosts in one notice than are kept: no honest one does, and they cost milliseconds.
const TOO_MANY_HOSTS: Duration = Duration::from_millis(200);

/// What the stream tasks report to their owner.
#[derive(Debug)]
pub(in crate::trunk) enum Arrival {
    /// A lane's stream begins. Its first frame has the number `first`.
    Lane { lane: LaneId, first: u64 },
    /// Frames of a lane, in order, and their weight.
    Frames {
        lane: LaneId,
        frames: Vec<Frame>,
        weight: usize,
    },
    /// The next notice.
    Notice { number: u64, notice: Notice },
    /// A lane's stream, or the control stream (`None`), has written its batch.
    Written(Option<LaneId>),
    /// The trunk can no longer be used.
    Broken(TrunkError),
}

impl Arrival {
    /// About how many frames cost as much to handle.
    pub(in crate::trunk) fn weight(&self) -> usize {
        match self {
            Self::Frames { weight, .. } => *weight,
            Self::Notice {
                notice: Notice::NodeUp { hosts, .. },
                ..
            } => hosts.len(),
            _ => 1,
        }
    }
}

/// The streams of a trunk. Dropping it ends the tasks; arrivals that have not been taken are lost.
#[derive(Debug)]
pub(in crate::trunk) struct Streams {
    connection: Connection,
    controller: SharedController,
    control: Writer,
    lanes: Vec<Writer>,
    arrivals: mpsc::Receiver<Arrival>,
    arrivals_in: mpsc::Sender<Arrival>,
    tasks: JoinSet<()>,
}

/// Bytes for a stream to send, and the priority of the stream meanwhile.
#[derive(Debug)]
struct Batch {
    buffers: Vec<Bytes>,
    priority: i32,
}

/// The owner's side of a task that writes a stream.
#[derive(Debug)]
struct Writer {
    batches: mpsc::Sender<Batch>,
    is_idle: bool,
}

impl Streams {
    /// Starts the tasks that read, and the task of the control stream. Lanes can be written after [`Streams::open_lanes`].
    pub(in crate::trunk) fn new(trunk: Greeted, lanes: u8, account: Account) -> Self {
        let Greeted {
            connection,
            control,
            notices,
            ..
        } = trunk;
        let (arrivals_in, arrivals) = mpsc::channel(ARRIVALS);
        let mut tasks = JoinSet::new();
        let (control, written) = writer(control, None, arrivals_in.clone());
        tasks.spawn(written);
        tasks.spawn(read_notices(notices, arrivals_in.clone()));
        tasks.spawn(accept_lanes(connection.clone(), lanes, arrivals_in.clone(), account));
        Self {
            controller: SharedController::of(&connection),
            connection,
            control,
            lanes: Vec::new(),
            arrivals,
            arrivals_in,
            tasks,
        }
    }

    /// Opens a stream for each lane. `first` has the number of each lane's first frame.
    pub(in crate::trunk) fn open_lanes(&mut self, first: Vec<u64>) {
        for (lane, first) in (0..).zip(first) {
            let (batches, receiver) = mpsc::channel(1);
            let task = write_lane(self.connection.clone(), lane, first, receiver, self.arrivals_in.clone());
            self.tasks.spawn(task);
            self.lanes.push(Writer { batches, is_idle: true });
        }
    }

    /// Takes the arrivals of a turn, and returns their weight. If there are none, the task is woken when one comes.
    pub(in crate::trunk) fn poll_arrive(
        &mut self,
        context: &mut Context<'_>,
        arrived: &mut Vec<Arrival>,
    ) -> Poll<usize> {
        poll_turn(&mut self.arrivals, context, arrived, Arrival::weight)
    }

    fn writer(&mut self, lane: Option<LaneId>) -> Option<&mut Writer> {
        match lane {
            None => Some(&mut self.control),
            Some(lane) => self.lanes.get_mut(usize::from(lane)),
        }
    }

    /// Records that a stream has written its batch.
    pub(in crate::trunk) fn written(&mut self, lane: Option<LaneId>) {
        if let Some(writer) = self.writer(lane) {
            writer.is_idle = true;
        }
    }

    /// Whether a lane's stream, or the control stream (`None`), is ready for another batch.
    pub(in crate::trunk) fn is_idle(&mut self, lane: Option<LaneId>) -> bool {
        self.writer(lane).is_some_and(|writer| writer.is_idle)
    }

    /// Hands a batch to a lane, which must be idle. A call is sent before the data of other lanes.
    pub(in crate::trunk) fn write(&mut self, lane: LaneId, buffers: Vec<Bytes>, is_call: bool) {
        let priority = if is_call { CALL_PRIORITY } else { PRIORITY };
        self.hand(Some(lane), Batch { buffers, priority });
    }

    /// Hands notices to the control stream, which must be idle.
    pub(in crate::trunk) fn write_control(&mut self, notices: Bytes) {
        let batch = Batch {
            buffers: vec![notices],
            priority: CONTROL_PRIORITY,
        };
        self.hand(None, batch);
    }

    fn hand(&mut self, lane: Option<LaneId>, batch: Batch) {
        if let Some(writer) = self.writer(lane) {
            // Either there is room, or the task has ended and has reported why.
            writer.is_idle = writer.batches.try_send(batch).is_err();
        }
    }

    /// Tells congestion control the total number of calls that were sent beside bulk data.
    pub(in crate::trunk) fn tell_calls(&mut self, count: u64) {
        if self.controller.calls_told != count {
            self.controller.calls_told = count;
            let shared = self.controller.now(&self.connection);
            if let Some(calls) = shared.and_then(|shared| shared.calls.as_ref()) {
                calls.tell(count);
            }
        }
    }

    /// Closes the connection. Only the first call has an effect.
    pub(in crate::trunk) fn close(&self, code: VarInt, reason: &str) {
        self.connection.close(code, reason.as_bytes());
    }

    /// Why the connection was closed, if it was.
    pub(in crate::trunk) fn close_reason(&self) -> Option<ConnectionError> {
        self.connection.close_reason()
    }

    /// QUIC's estimate of the round-trip time.
    pub(in crate::trunk) fn round_trip(&self) -> Duration {
        self.connection.rtt()
    }

    /// What QUIC tells about the connection.
    pub(in crate::trunk) fn report(&mut self) -> TrunkReport {
        let stats = self.connection.stats();
        let shared = self.controller.now(&self.connection);
        TrunkReport {
            remote: Some(self.connection.remote_address()),
            round_trip: stats.path.rtt,
            least_round_trip: shared.and_then(|shared| shared.acknowledgements.least_round_trip()),
            window: stats.path.cwnd,
            datagram: stats.path.current_mtu,
            packets_sent: stats.path.sent_packets,
            packets_lost: stats.path.lost_packets,
            bytes_sent: stats.udp_tx.bytes,
            bytes_received: stats.udp_rx.bytes,
        }
    }

    /// How many datagrams have arrived.
    pub(in crate::trunk) fn datagrams(&self) -> u64 {
        self.connection.stats().udp_rx.datagrams
    }

    /// How many acknowledgements the connection has received.
    pub(in crate::trunk) fn acknowledgements(&mut self) -> u64 {
        let shared = self.controller.now(&self.connection);
        shared.map_or(0, |shared| shared.acknowledgements.count())
    }
}

/// The counters that the connection's congestion controller shares. They are cached, because quinn hands out only a copy of the
/// controller, which is expensive. quinn creates a new controller when the peer's address changes.
#[derive(Debug)]
struct SharedController {
    remote: SocketAddr,
    shared: Option<Shared>,
    calls_told: u64,
}

impl SharedController {
    fn of(connection: &Connection) -> Self {
        Self {
            remote: connection.remote_address(),
            shared: Shared::of(connection.congestion_state()),
            calls_told: 0,
        }
    }

    fn now(&mut self, connection: &Connection) -> Option<&Shared> {
        if connection.remote_address() != self.remote {
            *self = Self {
                calls_told: self.calls_told,
                ..Self::of(connection)
            };
        }
        self.shared.as_ref()
    }
}

/// Creates a task that writes batches to a stream and reports when it is ready for the next one.
fn writer(
    mut stream: SendStream,
    lane: Option<LaneId>,
    arrivals: mpsc::Sender<Arrival>,
) -> (Writer, impl Future<Output = ()>) {
    let (batches, mut receiver) = mpsc::channel(1);
    let task = async move { write(&mut stream, lane, &mut receiver, &arrivals).await };
    let writer = Writer { batches, is_idle: true };
    (writer, task)
}

async fn write(
    stream: &mut SendStream,
    lane: Option<LaneId>,
    batches: &mut mpsc::Receiver<Batch>,
    arrivals: &mpsc::Sender<Arrival>,
) {
    let mut priority = None;
    while let Some(mut batch) = batches.recv().await {
        if priority.replace(batch.priority) != Some(batch.priority) {
            // If the stream is closed, the write below reports it.
            let _ = stream.set_priority(batch.priority);
        }
        let arrival = match stream.write_all_chunks(&mut batch.buffers).await {
            Ok(()) => Arrival::Written(lane),
            Err(error) => Arrival::Broken(error.into()),
        };
        if arrivals.send(arrival).await.is_err() {
            return;
        }
    }
}

async fn write_lane(
    connection: Connection,
    lane: LaneId,
    first: u64,
    mut batches: mpsc::Receiver<Batch>,
    arrivals: mpsc::Sender<Arrival>,
) {
    let begin = async {
        let mut stream = connection.open_uni().await?;
        let mut header = BytesMut::new();
        lane_header(lane, first, &mut header);
        stream.write_all(&header).await?;
        Ok::<_, TrunkError>(stream)
    };
    match begin.await {
        Ok(mut stream) => write(&mut stream, Some(lane), &mut batches, &arrivals).await,
        Err(error) => drop(arrivals.send(Arrival::Broken(error)).await),
    }
}

async fn read_notices(mut notices: NoticeReader, arrivals: mpsc::Sender<Arrival>) {
    loop {
        let (arrival, is_last) = match notices.read().await {
            Ok((number, notice)) => (Arrival::Notice { number, notice }, false),
            Err(error) => (Arrival::Broken(error), true),
        };
        let weight = arrival.weight();
        if arrivals.send(arrival).await.is_err() || is_last {
            return;
        }
        if weight > SessionConfig::HOSTS_OF_A_NODE {
            tokio::time::sleep(TOO_MANY_HOSTS).await;
        } else if weight > HOSTS {
            tokio::task::yield_now().await;
        }
    }
}

/// Accepts the peer's lanes. Each is read by its own task, which ends with this one.
async fn accept_lanes(connection: Connection, lanes: u8, arrivals: mpsc::Sender<Arrival>, account: Account) {
    let mut readers = JoinSet::new();
    for _ in 0..lanes {
        match connection.accept_uni().await {
            Ok(stream) => {
                readers.spawn(read_lane(stream, lanes, arrivals.clone(), account.clone()));
            }
            Err(error) => {
                let _ = arrivals.send(Arrival::Broken(error.into())).await;
                return;
            }
        }
    }
    readers.join_all().await;
}

async fn read_lane(stream: RecvStream, lanes: u8, arrivals: mpsc::Sender<Arrival>, account: Account) {
    if let Err(error) = read_frames(stream, lanes, &arrivals, &account).await {
        let _ = arrivals.send(Arrival::Broken(error)).await;
    }
}

async fn read_frames(
    mut stream: RecvStream,
    lanes: u8,
    arrivals: &mpsc::Sender<Arrival>,
    account: &Account,
) -> Result<(), TrunkError> {
    /// The number of chunks read at once. Each holds at most the payload of one datagram.
    const CHUNKS: usize = 64;
    let mut decoder = FrameDecoder::new(account);
    let mut lane = None;
    let mut chunks = vec![Bytes::new(); CHUNKS];
    loop {
        let Some(count) = stream.read_chunks(&mut chunks).await? else {
            return Err(TrunkError::Ended("a lane"));
        };
        let (mut frames, mut weight) = (Vec::new(), 0);
        for chunk in chunks.iter_mut().take(count) {
            let chunk = std::mem::take(chunk);
            let mut input = &chunk[..];
            if lane.is_none()
                && let Some((found, first)) = decoder.header(&mut input)?
            {
                if found >= lanes {
                    return Err(SessionError::Lane { lane: found, lanes }.into());
                }
                lane = Some(found);
                if arrivals.send(Arrival::Lane { lane: found, first }).await.is_err() {
                    return Ok(());
                }
            }
            if let Some(lane) = lane {
                while !input.is_empty() {
                    weight += decoder.decode(&mut input, &mut frames, turn::WEIGHT.saturating_sub(weight).max(1))?;
                    if weight >= turn::WEIGHT {
                        let arrival = Arrival::Frames {
                            lane,
                            frames: std::mem::take(&mut frames),
                            weight: std::mem::take(&mut weight),
                        };
                        if arrivals.send(arrival).await.is_err() {
                            return Ok(());
                        }
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
        if let Some(lane) = lane
            && !frames.is_empty()
            && arrivals.send(Arrival::Frames { lane, frames, weight }).await.is_err()
        {
            return Ok(());
        }
    }
}
