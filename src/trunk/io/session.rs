//! The task that owns a session: it moves bytes between QUIC streams, the session machine, and the legs' tasks.
//!
//! The owner never waits for any of them: it waits for whatever comes next, and hands on what the machine has ready. When
//! the trunk is lost or silent the session waits, within its grace, for another one.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

use quinn::ConnectionError;
use quinn::VarInt;
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::accept::Greeted;
use super::busy_wait::BusyWait;
use super::streams::Arrival;
use super::streams::Streams;
use super::trunks::LeaveBarrier;
use super::trunks::LeaveGuard;
use super::trunks::TrunkReceiver;
use super::trunks::TrunkState;
use crate::endpoint::io::attachment::Attachment;
use crate::endpoint::io::attachment::Delivery;
use crate::endpoint::io::attachment::EndpointEvent;
use crate::endpoint::io::session::Command;
use crate::endpoint::io::session::PeerEvent;
use crate::endpoint::io::session::SessionHandle;
use crate::session::Event;
use crate::session::Session;
use crate::session::SessionConfig;
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkError;
use crate::trunk::liveness::Hearing;
use crate::wire::CircuitId;

/// What may wait until the gateway has room for it: every circuit that there can be, every node that a peer may announce,
/// and each of them going. Only a peer that floods us gets there.
const NEWS: usize = 16_384;

/// Inputs handled before the outputs are drained: batching without starving anybody.
const BATCH: usize = 64;

/// What nodes and peers are told when we leave.
const STOPPING: &str = "this daemon stops";

/// How long what was written last may take to be acknowledged when we leave.
const FAREWELL_TIME: Duration = Duration::from_secs(2);

/// The time as tokio has it: a simulation decides how it passes.
fn clock() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Bytes of signals in what came.
fn bytes(arrived: &[Arrival], commanded: &[Command]) -> usize {
    let arrived = arrived.iter().map(|arrival| match arrival {
        Arrival::Frames { frames, .. } => frames.iter().map(|frame| frame.content.body().len()).sum(),
        _ => 0,
    });
    let commanded = commanded.iter().map(|command| match command {
        Command::Signals { signals, .. } => signals.iter().map(|signal| signal.content.body().len()).sum(),
        _ => 0,
    });
    arrived.chain(commanded).sum()
}

/// What a session is made of besides its trunks.
#[derive(Debug)]
pub struct SessionSettings {
    /// Its settings.
    pub config: SessionConfig,
    /// How often another trunk is tried when the present one fails.
    pub race_interval: Duration,
    /// Where the gateway hears of the peer.
    pub gateway: mpsc::Sender<PeerEvent>,
    /// Cancelled when the daemon stops.
    pub leave: CancellationToken,
    /// When circuits end then.
    pub parting: LeaveBarrier,
    /// Who is told of what comes.
    pub busy_wait: BusyWait,
}

/// Runs a session over `greeted` and the trunks that follow it, until the grace is over after one was lost, the peer
/// leaves, or we do. Gives the reason.
pub async fn run(greeted: Greeted, terms: SessionSettings, trunks: TrunkReceiver) -> String {
    let (handle, commands) = SessionHandle::new(greeted.agreement.peer.as_str().into());
    let peer = handle.peer.clone();
    let close_deadline = terms.config.close_deadline;
    let mut owner = Owner {
        streams: Some(Streams::new(greeted, terms.config.lanes)),
        grace: terms.config.grace,
        race_interval: terms.race_interval,
        session: Session::new(terms.config.clone()),
        endpoints: FxHashMap::default(),
        handle: handle.clone(),
        news: VecDeque::from([PeerEvent::Up(handle)]),
        lost: None,
        hearing: Hearing::default(),
        link: trunks.link,
        farewell: None,
        leaving: None,
        listening: Some(terms.parting.join()),
        close_deadline,
    };
    owner.link.send_replace(TrunkState::Fresh);
    let reason = owner.run(commands, trunks.trunks, &terms, &trunks.over).await;
    // The last word if nobody has said one yet.
    owner.close(TrunkConfig::OVER, &reason);
    let stats = owner.session.stats();
    info!(
        %peer, reason,
        sent = ?stats.frames_sent, received = ?stats.frames_received, fenced = stats.frames_fenced,
        aliases_resolved = stats.aliases.resolved, aliases_ambiguous = stats.aliases.ambiguous,
        stale = stats.signals_stale, late = stats.frames_late,
        "a session has ended"
    );
    for (_, endpoint) in owner.endpoints.drain() {
        let _ = endpoint.tell(EndpointEvent::Finished(reason.clone()));
    }
    for news in owner.news.drain(..) {
        let _ = terms.gateway.send(news).await;
    }
    let down = PeerEvent::Down {
        peer,
        reason: reason.clone(),
    };
    let _ = terms.gateway.send(down).await;
    reason
}

/// The state of the owning task.
struct Owner {
    session: Session,
    endpoints: FxHashMap<CircuitId, Attachment>,
    /// The trunk, if there is one.
    streams: Option<Streams>,
    /// Since when there is none.
    lost: Option<Instant>,
    grace: Duration,
    race_interval: Duration,
    /// Whether a trunk that brings no frames home is slow or dead.
    hearing: Hearing,
    link: watch::Sender<TrunkState>,
    handle: SessionHandle,
    /// What the gateway must hear and has no room for yet.
    news: VecDeque<PeerEvent>,
    /// The peer has said goodbye, and why.
    farewell: Option<String>,
    /// We leave: until when what is left may take.
    leaving: Option<Instant>,
    /// Whether there are nodes that we would still listen to then.
    listening: Option<LeaveGuard>,
    /// How long that may be.
    close_deadline: Duration,
}

impl Owner {
    async fn run(
        &mut self,
        mut commands: mpsc::Receiver<Command>,
        mut trunks: mpsc::Receiver<Greeted>,
        terms: &SessionSettings,
        over: &CancellationToken,
    ) -> String {
        let mut commanded = Vec::with_capacity(BATCH);
        let mut arrived = Vec::with_capacity(BATCH);
        loop {
            let timeout = self.poll_timeout().map(tokio::time::Instant::from_std);
            let sleep = async {
                match timeout {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            // Both are asked each time, so that neither waits for the other.
            let input = poll_fn(|context| {
                let arrive = match &mut self.streams {
                    Some(streams) => streams.poll_arrive(context, &mut arrived, BATCH).is_ready(),
                    None => false,
                };
                let is_commanded = commands.poll_recv_many(context, &mut commanded, BATCH).is_ready();
                if arrive || is_commanded {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            let mut next = None;
            // In a fixed order, so that a simulated run can be repeated: what is rare first.
            tokio::select! {
                biased;
                () = over.cancelled() => return "the peer has begun another session".to_owned(),
                () = terms.leave.cancelled(), if self.leaving.is_none() => self.begin_to_leave(clock()),
                () = terms.parting.begins(), if self.session.is_heard_out() => self.session.part(clock()),
                Some(trunk) = trunks.recv() => next = Some(trunk),
                room = terms.gateway.reserve(), if !self.news.is_empty() => {
                    if let (Ok(room), Some(news)) = (room, self.news.pop_front()) {
                        room.send(news);
                    }
                }
                () = input => {}
                () = sleep => {}
            }
            let now = clock();
            terms.busy_wait.came(bytes(&arrived, &commanded));
            if let Some(reason) = self.handle_arrivals(arrived.drain(..), now) {
                return reason;
            }
            if let Some(trunk) = next {
                self.resume(trunk, now);
            }
            for command in commanded.drain(..) {
                self.handle_command(command, now);
            }
            self.session.handle_timeout(now);
            if let Some(reason) = self.drain(now).or_else(|| self.watch(now)) {
                return reason;
            }
            if self.session.is_heard_out() {
                self.listening = None;
            }
            if let Some(deadline) = self.leaving
                && (self.session.is_drained() || now >= deadline)
            {
                return self.say_goodbye().await;
            }
        }
    }

    /// What the trunk has brought, up to its loss; a reason when the session ends with it.
    fn handle_arrivals(&mut self, arrived: impl Iterator<Item = Arrival>, now: Instant) -> Option<String> {
        for arrival in arrived {
            match self.handle_arrival(arrival, now) {
                Ok(()) => {}
                Err(error @ (TrunkError::Connection(_) | TrunkError::Withdrawn)) => {
                    return self.lose(error.to_string(), now);
                }
                Err(error) => {
                    self.close(TrunkConfig::BROKEN, &error.to_string());
                    return Some(error.to_string());
                }
            }
        }
        None
    }

    fn handle_arrival(&mut self, arrival: Arrival, now: Instant) -> Result<(), TrunkError> {
        match arrival {
            Arrival::Lane { lane, first } => self.session.handle_lane(lane, first)?,
            Arrival::Frames { lane, frames } => self.session.handle_frames(lane, frames, now)?,
            Arrival::Notice { number, notice } => {
                self.session.handle_notice(number, notice, now)?;
                self.tell_link(TrunkState::Up);
            }
            Arrival::Written(lane) => {
                if let Some(streams) = &mut self.streams {
                    streams.written(lane);
                }
            }
            Arrival::Broken(error) => return Err(error),
        }
        Ok(())
    }

    /// The trunk is of no more use; a reason when the session ends with it.
    fn lose(&mut self, reason: String, now: Instant) -> Option<String> {
        let ended = self.streams.take().and_then(|streams| streams.close_reason());
        // A peer that ends the session says so; one that has a newer trunk is about to use it, and one that dialled in vain
        // may have given up the trunk that we chose.
        let is_over = matches!(&ended, Some(ConnectionError::ApplicationClosed(close))
            if ![TrunkConfig::DUPLICATE, TrunkConfig::DROPPED].contains(&close.error_code));
        if is_over || self.grace.is_zero() || self.farewell.is_some() || self.leaving.is_some() {
            return Some(self.farewell.take().unwrap_or(reason));
        }
        info!(peer = %self.handle.peer, reason, grace = ?self.grace, "a trunk is lost; another one is tried");
        self.lost = Some(now);
        None
    }

    /// Another trunk carries the session from now on.
    fn resume(&mut self, trunk: Greeted, now: Instant) {
        self.close(TrunkConfig::DUPLICATE, "a newer trunk carries the session");
        self.session.resume(now);
        self.streams = Some(Streams::new(trunk, self.session.lanes()));
        self.lost = None;
        self.hearing = Hearing::default();
        self.tell_link(TrunkState::Fresh);
        info!(peer = %self.handle.peer, "the session goes on over another trunk");
    }

    fn close(&self, code: VarInt, reason: &str) {
        if let Some(streams) = &self.streams {
            streams.close(code, reason);
        }
    }

    fn tell_link(&self, link: TrunkState) {
        self.link
            .send_if_modified(|before| std::mem::replace(before, link) != link);
    }

    /// Since when nothing is heard although something should be.
    fn silent_since(&self) -> Option<Instant> {
        let stalled = || self.session.stalled_since();
        self.lost
            .or_else(|| stalled().map(|since| self.hearing.silent_since(since)))
    }

    /// When to count QUIC's acknowledgements, because no frame has been acknowledged for a while.
    fn next_look(&self) -> Option<Instant> {
        let since = self.session.stalled_since().filter(|_| self.streams.is_some())?;
        Some(self.hearing.next_look(since, self.race_interval))
    }

    /// Whether another trunk is to be tried: there is none, or an acknowledgement takes longer than three tries and four
    /// round trips.
    fn is_stalled(&self, silence: Duration) -> bool {
        self.streams
            .as_ref()
            .is_none_or(|streams| silence >= self.race_interval * 3 && silence >= streams.round_trip() * 4)
    }

    /// Looks after the trunk; a reason when the session must end.
    fn watch(&mut self, now: Instant) -> Option<String> {
        if self.grace.is_zero() {
            return None;
        }
        if let Some(streams) = &self.streams
            && self.next_look().is_some_and(|at| at <= now)
        {
            self.hearing.look(streams.acknowledgements(), now);
        }
        let silence = self.silent_since().map(|since| now.saturating_duration_since(since));
        if silence.is_some_and(|silence| silence >= self.grace) {
            return Some(format!("the peer was silent for the grace of {:?}", self.grace));
        }
        if silence.is_some_and(|silence| self.is_stalled(silence)) {
            self.tell_link(TrunkState::Stalled);
        } else if *self.link.borrow() == TrunkState::Stalled {
            self.tell_link(TrunkState::Up);
        }
        None
    }

    /// When [`Owner::watch`] or the session want to be called.
    fn poll_timeout(&self) -> Option<Instant> {
        let over = self.silent_since().map(|since| since + self.grace);
        let [over, look] = [over, self.next_look()].map(|at| at.filter(|_| !self.grace.is_zero()));
        [over, look, self.session.poll_timeout(), self.leaving]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle_command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Open {
                target,
                send_name,
                attachment,
            } => {
                let circuit = self.session.open(target, send_name);
                let _ = attachment.tell(EndpointEvent::Opened(circuit));
                self.endpoints.insert(circuit, attachment);
            }
            Command::Accept { circuit, attachment } => drop(self.endpoints.insert(circuit, attachment)),
            Command::Handshake { circuit, message } => self.session.handshake(circuit, message),
            Command::Established { circuit, agreed } => self.session.established(circuit, agreed),
            Command::Signals { circuit, signals } => self.session.signals(circuit, signals),
            Command::Written { circuit, cost } => {
                if let Some(endpoint) = self.endpoints.get_mut(&circuit) {
                    endpoint.written(cost);
                    self.session.written(circuit, cost, now);
                }
            }
            Command::Close { circuit, reason } => {
                self.endpoints.remove(&circuit);
                self.session.close(circuit, reason, now);
            }
            Command::RoundTrip { answer } => {
                if let Some(streams) = &self.streams {
                    let _ = answer.send(streams.round_trip());
                }
            }
            Command::NodeUp { name, hosts, hidden } => self.session.node_up(name, hosts, hidden),
            Command::NodeDown { name } => self.session.node_down(name),
        }
    }

    /// Hands on everything the machine has ready; a reason when the peer has left.
    fn drain(&mut self, now: Instant) -> Option<String> {
        while let Some(circuit) = self.session.poll_ready() {
            self.deliver(circuit, now);
        }
        while let Some(event) = self.session.poll_event() {
            self.handle_event(event, now);
        }
        self.fill();
        if self.news.len() > NEWS || self.session.control_waiting() > SessionConfig::CONTROL_MAX {
            let reason = "the peer floods us with notices, or does not read ours";
            self.close(TrunkConfig::BROKEN, reason);
            return Some(reason.to_owned());
        }
        // What the peer sent before it left is still delivered.
        self.farewell.clone().filter(|_| self.session.circuits().is_empty())
    }

    /// Gives the streams what there is for them.
    fn fill(&mut self) {
        let Some(streams) = &mut self.streams else {
            return;
        };
        streams.tell_calls(self.session.calls());
        if let Some(first) = self.session.poll_start() {
            streams.open_lanes(first);
        }
        if streams.is_idle(None)
            && let Some(bytes) = self.session.poll_control()
        {
            streams.write_control(bytes);
        }
        for lane in 0..self.session.lanes() {
            if !streams.is_idle(Some(lane)) {
                continue;
            }
            let is_call = self.session.has_call(lane);
            if let Some(batch) = self.session.poll_lane(lane) {
                streams.write(lane, batch, is_call);
            }
        }
    }

    fn deliver(&mut self, circuit: CircuitId, now: Instant) {
        let Some(endpoint) = self.endpoints.get_mut(&circuit) else {
            return;
        };
        let Some(room) = endpoint.room() else {
            return;
        };
        let mut delivery = Delivery::default();
        while delivery.cost < room
            && let Some(content) = self.session.poll_delivery(circuit, now)
        {
            delivery.cost += content.cost();
            delivery.contents.push(content);
        }
        if !delivery.contents.is_empty() && endpoint.deliver(delivery).is_err() {
            self.endpoints.remove(&circuit);
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
            Event::Handshake { circuit, message } => self.tell(circuit, EndpointEvent::Handshake(message), now),
            Event::Taken { circuit, cost } => {
                if let Some(endpoint) = self.endpoints.get(&circuit) {
                    endpoint.taken(cost);
                }
            }
            Event::Finished { circuit, reason } => {
                self.tell(circuit, EndpointEvent::Finished(reason), now);
                self.endpoints.remove(&circuit);
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

    fn tell(&mut self, circuit: CircuitId, event: EndpointEvent, now: Instant) {
        let Some(endpoint) = self.endpoints.get(&circuit) else {
            return;
        };
        if endpoint.tell(event).is_err() {
            self.endpoints.remove(&circuit);
            self.session
                .close(circuit, "the leg is gone or was flooded".into(), now);
        }
    }

    /// What nodes have sent is still delivered, both ways, within the deadline.
    fn begin_to_leave(&mut self, now: Instant) {
        self.session.leave(STOPPING, now);
        self.leaving = Some(now + self.close_deadline);
    }

    /// Ends what circuits are left, says goodbye, and waits until the peer has read it: then it closes the connection.
    async fn say_goodbye(&mut self) -> String {
        self.session.goodbye(STOPPING);
        let flushed = async {
            let mut arrived = Vec::new();
            loop {
                let _ = self.drain(clock());
                let Some(streams) = &mut self.streams else {
                    return;
                };
                poll_fn(|context| streams.poll_arrive(context, &mut arrived, BATCH)).await;
                for arrival in arrived.drain(..) {
                    match arrival {
                        Arrival::Written(lane) => streams.written(lane),
                        Arrival::Broken(_) => return,
                        Arrival::Lane { .. } | Arrival::Frames { .. } | Arrival::Notice { .. } => {}
                    }
                }
            }
        };
        let _ = tokio::time::timeout(FAREWELL_TIME, flushed).await;
        STOPPING.to_owned()
    }
}
