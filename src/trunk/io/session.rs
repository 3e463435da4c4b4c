//! The task that owns a session. It moves bytes between QUIC streams, the session machine and the local ends of circuits.
//!
//! It never waits for one of them alone: it waits for the next input from any of them, and passes on the output of the machine.
//! If the trunk is lost or silent, the session waits up to its grace time for another one.

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;
use tracing::warn;

use super::busy_wait::BusyWait;
use super::canary;
use super::canary::Canaries;
use super::endpoints::Endpoints;
use super::exchange::Exchange;
use super::exchange::Teller;
use super::greet::Greeted;
use super::keeper::TrunkKeeper;
use super::leave::LeaveBarrier;
use super::leave::LeaveGuard;
use super::news::News;
use super::streams::Arrival;
use super::trunks::TrunkReceiver;
use super::turn;
use super::turn::poll_turn;
use crate::endpoint::SessionReport;
use crate::endpoint::io::attachment::EndpointEvent;
use crate::endpoint::io::session::Command;
use crate::endpoint::io::session::PeerEvent;
use crate::endpoint::io::session::SessionHandle;
use crate::fields::List;
use crate::router::Rules;
use crate::session::Event;
use crate::session::Session;
use crate::session::SessionConfig;
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkError;
use crate::trunk::keeper::Keeper;
use crate::wire::VERSION_OF_SILENCE;

/// The reason that nodes and peers get when this daemon leaves.
const STOPPING: &str = "this daemon is stopping";

/// How long to wait for the acknowledgement of the last bytes when this daemon leaves.
const GOODBYE_TIME: Duration = Duration::from_secs(2);

/// The time from tokio's clock, which a simulation controls.
fn clock() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Waits until this time, or for ever.
async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Waits until the peer is to be told of other ones.
async fn something_to_tell(teller: &mut Option<Teller>) {
    match teller {
        Some(teller) => teller.changed().await,
        None => std::future::pending().await,
    }
}

/// The number of signals of a command.
fn weight(command: &Command) -> usize {
    match command {
        Command::Signals { signals, .. } => signals.len(),
        _ => 1,
    }
}

/// The number of bytes of signals in these inputs.
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

/// What a session needs besides its trunks.
#[derive(Debug)]
pub struct SessionSettings {
    /// The settings of the session machine.
    pub config: SessionConfig,
    /// The interval between attempts to get another trunk when the current one fails.
    pub race_interval: Duration,
    /// The interval of QUIC's keep-alives on a trunk on which nothing arrives.
    pub keep_alive: Duration,
    /// The hub, which is told about the peer.
    pub hub: mpsc::Sender<PeerEvent>,
    /// Cancelled when the daemon stops.
    pub leave: CancellationToken,
    /// Decides when circuits are closed after that.
    pub barrier: LeaveBarrier,
    /// Told about every signal, for busy waiting.
    pub busy_wait: BusyWait,
    /// The canaries by which the end of the peer's process is noticed; `None`: there are none.
    pub canaries: Option<Canaries>,
    /// What daemons tell each other of their peers.
    pub exchange: Exchange,
}

/// Runs a session on `greeted` and the trunks that follow it. It ends when a lost trunk is not replaced within the grace time, or
/// when the peer or this daemon leaves. Returns the reason.
pub async fn run(greeted: Greeted, settings: SessionSettings, trunks: TrunkReceiver) -> String {
    let (mut handle, commands) = SessionHandle::new(greeted.agreement.peer.as_str().into());
    handle.tells_silence = settings.config.version >= VERSION_OF_SILENCE;
    let peer = handle.peer.clone();
    let (gone_in, gone) = mpsc::channel(1);
    let mut watch = Watch {
        canaries: settings.canaries.clone(),
        probe: Arc::clone(&trunks.probe),
        gone: gone_in,
        task: None,
    };
    watch.begin(&greeted);
    let hosts = Arc::clone(&greeted.agreement.hosts);
    let software = greeted.agreement.software.clone();
    let remote = greeted.connection.remote_address().ip();
    let teller = greeted.agreement.exchanges.then(|| settings.exchange.with(&peer));
    let judge = Keeper::new(settings.config.grace, settings.race_interval, settings.keep_alive);
    let mut task = SessionTask {
        trunk: TrunkKeeper::new(
            greeted,
            settings.config.lanes,
            judge,
            trunks.state.clone(),
            &settings.config.memory,
        ),
        session: Session::new(settings.config.clone()),
        endpoints: Endpoints::default(),
        handle: handle.clone(),
        news: News::default(),
        hosts: Arc::clone(&hosts),
        peer_left: None,
        leaving: None,
        guard: Some(settings.barrier.join()),
        watch,
        close_deadline: settings.config.close_deadline,
        software,
        version: settings.config.version,
        remote,
        teller,
        rules: settings.config.rules.clone(),
    };
    task.news.push(PeerEvent::Up { session: handle, hosts });
    let reason = task.run(commands, trunks, gone, &settings).await;
    // This has an effect only if the connection is not closed yet.
    task.trunk.close(TrunkConfig::ENDED, &reason);
    let stats = task.session.stats();
    info!(
        %peer, reason,
        sent = List::of(&stats.frames_sent).value(), received = List::of(&stats.frames_received).value(), fenced = stats.frames_fenced,
        aliases_resolved = stats.aliases.resolved, aliases_ambiguous = stats.aliases.ambiguous,
        stale = stats.signals_stale, late = stats.frames_late, names_refused = stats.names_refused,
        "a session has ended"
    );
    task.endpoints.close_all(&reason);
    while let Some(news) = task.news.pop() {
        let _ = settings.hub.send(news).await;
    }
    let down = PeerEvent::Down {
        peer,
        reason: reason.clone(),
    };
    let _ = settings.hub.send(down).await;
    reason
}

/// The state of the task that owns a session.
struct SessionTask {
    session: Session,
    endpoints: Endpoints,
    trunk: TrunkKeeper,
    handle: SessionHandle,
    /// Events that wait until the hub has room for them.
    news: News,
    /// The hosts in the peer's certificate.
    hosts: Arc<[String]>,
    /// Why the peer has left, if it has.
    peer_left: Option<String>,
    /// The deadline for delivering what is left, if this daemon is leaving.
    leaving: Option<Instant>,
    /// Held until no more signals of nodes are expected and circuits may be closed.
    guard: Option<LeaveGuard>,
    /// How long that may take after this daemon began to leave.
    close_deadline: Duration,
    watch: Watch,
    /// The name and version of the peer's software.
    software: String,
    /// The version of the protocol.
    version: u32,
    /// Where the peer is.
    remote: IpAddr,
    /// Tells the peer of other ones, if it understands that.
    teller: Option<Teller>,
    /// What holds between nodes.
    rules: Rules,
}

/// Watches the process of the peer.
struct Watch {
    canaries: Option<Canaries>,
    probe: Arc<Notify>,
    /// Is told when the process has ended.
    gone: mpsc::Sender<()>,
    task: Option<AbortOnDropHandle<()>>,
}

impl Watch {
    /// The trunk carries the session from now on.
    fn begin(&mut self, trunk: &Greeted) {
        let Some(canaries) = self.canaries.clone() else {
            return;
        };
        let process = canary::watch(
            trunk.connection.clone(),
            trunk.is_ours,
            canaries,
            Arc::clone(&self.probe),
        );
        let gone = self.gone.clone();
        let task = tokio::spawn(async move {
            process.await;
            let _ = gone.send(()).await;
        });
        self.task = Some(AbortOnDropHandle::new(task));
    }
}

impl SessionTask {
    async fn run(
        &mut self,
        mut commands: mpsc::Receiver<Command>,
        mut trunks: TrunkReceiver,
        mut gone: mpsc::Receiver<()>,
        settings: &SessionSettings,
    ) -> String {
        let mut commanded = Vec::new();
        let mut arrived = Vec::new();
        loop {
            let sleep = sleep_until(self.poll_timeout());
            // Both are polled each time, so that neither waits for the other.
            let input = poll_fn(|context| {
                let arrivals = self.trunk.poll_arrive(context, &mut arrived);
                let others = poll_turn(&mut commands, context, &mut commanded, weight);
                match (arrivals, others, self.session.poll_claim(context)) {
                    (Poll::Pending, Poll::Pending, Poll::Pending) => Poll::Pending,
                    (arrivals, others, _) => Poll::Ready([arrivals, others].map(|weight| match weight {
                        Poll::Ready(weight) => weight,
                        Poll::Pending => 0,
                    })),
                }
            });
            let (mut next, mut weights) = (None, [0; 2]);
            // The order is fixed (rare inputs first), so that a simulated run can be repeated.
            tokio::select! {
                biased;
                Some(()) = gone.recv() => return "the process of the peer has ended".to_owned(),
                reason = trunks.end.told() => return reason,
                () = settings.leave.cancelled(), if self.leaving.is_none() => self.start_leaving(clock()),
                () = settings.barrier.opens(), if self.session.may_close_circuits() => self.session.close_circuits(clock()),
                Some(trunk) = trunks.trunks.recv() => next = Some(trunk),
                () = trunks.probe.notified() => self.session.probe(),
                () = something_to_tell(&mut self.teller) => self.tell_peers(),
                room = settings.hub.reserve(), if !self.news.is_empty() => {
                    if let (Ok(room), Some(news)) = (room, self.news.pop()) {
                        room.send(news);
                    }
                }
                found = input => weights = found,
                () = sleep => {}
            }
            let now = clock();
            settings.busy_wait.came(bytes(&arrived, &commanded));
            if let Some(reason) = self.handle_arrivals(arrived.drain(..), now) {
                return reason;
            }
            if let Some(trunk) = next {
                self.resume(trunk, &settings.config, now);
            }
            for command in commanded.drain(..) {
                self.handle_command(command, now);
            }
            self.session.handle_timeout(now);
            if let Err(error) = self.session.give_up_memory() {
                return self.broken(&error.into());
            }
            let ended = self.drain(now);
            if let Some(reason) = ended.or_else(|| self.trunk.watch(self.session.stalled_since(), now)) {
                return reason;
            }
            self.handle.peer_silence.set(self.trunk.is_stalled());
            if self.session.may_close_circuits() {
                self.guard = None;
            }
            if let Some(deadline) = self.leaving
                && (self.session.is_drained() || now >= deadline)
            {
                return self.end_session().await;
            }
            if weights.iter().sum::<usize>() >= turn::WEIGHT {
                turn::give_way().await;
            }
        }
    }

    /// Another trunk carries the session from now on.
    fn resume(&mut self, trunk: Greeted, config: &SessionConfig, now: Instant) {
        self.certify(&trunk);
        self.remote = trunk.connection.remote_address().ip();
        self.watch.begin(&trunk);
        let stalled = self.session.stalled_since();
        self.session.resume(now);
        let lanes = self.session.lanes();
        self.trunk.resume(trunk, lanes, &config.memory, stalled, now);
    }

    fn tell_peers(&mut self) {
        for peers in self.teller.iter_mut().flat_map(|teller| teller.news(self.remote)) {
            self.session.tell_peers(peers);
        }
    }

    /// Tells the hub if the peer has another certificate than before.
    fn certify(&mut self, trunk: &Greeted) {
        let hosts = &trunk.agreement.hosts;
        if self.hosts != *hosts {
            self.hosts = Arc::clone(hosts);
            self.news.push(PeerEvent::Certified {
                peer: Arc::clone(&self.handle.peer),
                hosts: Arc::clone(hosts),
            });
        }
    }

    /// When the trunk or the session next needs attention without new input.
    fn poll_timeout(&self) -> Option<Instant> {
        [
            self.trunk.poll_timeout(self.session.stalled_since()),
            self.session.poll_timeout(),
            self.leaving,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Handles the trunk's inputs, up to its loss. Returns a reason if the session ends.
    fn handle_arrivals(&mut self, arrived: impl Iterator<Item = Arrival>, now: Instant) -> Option<String> {
        for arrival in arrived {
            match self.handle_arrival(arrival, now) {
                Ok(()) => {}
                Err(error @ (TrunkError::Connection(_) | TrunkError::Withdrawn)) => {
                    return self.lose(error.to_string(), now);
                }
                Err(error) => return Some(self.broken(&error)),
            }
        }
        None
    }

    /// The peer broke the protocol, or keeps too much: returns the reason that ends the session.
    fn broken(&self, error: &TrunkError) -> String {
        let reason = error.to_string();
        self.trunk.close(TrunkConfig::BROKEN, &reason);
        reason
    }

    fn handle_arrival(&mut self, arrival: Arrival, now: Instant) -> Result<(), TrunkError> {
        match arrival {
            Arrival::Lane { lane, first } => self.session.handle_lane(lane, first)?,
            Arrival::Frames { lane, frames, .. } => self.session.handle_frames(lane, frames, now)?,
            Arrival::Notice { number, notice } => {
                self.session.handle_notice(number, notice, now)?;
                self.trunk.heard();
            }
            Arrival::Written(lane) => self.trunk.written(lane),
            Arrival::Broken(error) => return Err(error),
        }
        Ok(())
    }

    /// Gives up the trunk. Returns a reason if the session ends with it.
    fn lose(&mut self, reason: String, now: Instant) -> Option<String> {
        let is_resumable = self.peer_left.is_none() && self.leaving.is_none();
        if self
            .trunk
            .lose(&reason, is_resumable, self.session.stalled_since(), now)
        {
            None
        } else {
            Some(self.peer_left.take().unwrap_or(reason))
        }
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
                self.endpoints.attach(circuit, attachment);
            }
            Command::Accept { circuit, attachment } => self.endpoints.attach(circuit, attachment),
            Command::Handshake { circuit, message } => self.session.handshake(circuit, message),
            Command::Established { circuit, agreed, nodes } => {
                self.session.established(circuit, agreed);
                self.endpoints
                    .establish(circuit, nodes, &self.rules, &mut self.session, now);
            }
            Command::Signals { circuit, signals } => self.session.signals(circuit, signals),
            Command::Written { circuit, cost } => self.endpoints.written(circuit, cost, &mut self.session, now),
            Command::Silence { circuit, is_silent } => self.session.silence(circuit, is_silent),
            Command::Close { circuit, reason } => {
                self.endpoints.remove(circuit);
                self.session.close(circuit, reason, now);
            }
            Command::Deny { target, reason } => self.session.deny(target, reason),
            Command::RoundTrip { answer } => {
                if let Some(round_trip) = self.trunk.round_trip() {
                    let _ = answer.send(round_trip);
                }
            }
            Command::NodeUp { name, hosts, hidden } => self.session.node_up(name, hosts, hidden),
            Command::NodeDown { name } => self.session.node_down(name),
            Command::Allow(policy) => {
                let (rules, session) = (&self.rules, &mut self.session);
                self.endpoints.allow(&policy, rules, session, now);
            }
            Command::Bounds(bounds) => {
                self.close_deadline = bounds.close_deadline;
                self.session.set_bounds(bounds);
            }
            Command::Report { answer } => {
                let _ = answer.send(self.report());
            }
        }
    }

    fn report(&mut self) -> SessionReport {
        let (trunk, trunks, outages) = self.trunk.report();
        SessionReport {
            software: self.software.clone(),
            version: self.version,
            machine: self.session.report(),
            nodes: self.endpoints.nodes(),
            trunks,
            outages,
            trunk,
        }
    }

    /// Passes on all output of the machine. Returns a reason if the peer has left or floods this daemon.
    fn drain(&mut self, now: Instant) -> Option<String> {
        while let Some(circuit) = self.session.poll_ready() {
            self.endpoints.deliver(circuit, &mut self.session, now);
        }
        while let Some(event) = self.session.poll_event() {
            self.handle_event(event, now);
        }
        self.trunk.fill(&mut self.session, now);
        if self.news.is_flooded() || self.session.control_waiting() > SessionConfig::CONTROL_MAX {
            let reason = "the peer sends too many notices, or does not read those of this daemon";
            self.trunk.close(TrunkConfig::BROKEN, reason);
            return Some(reason.to_owned());
        }
        // What the peer sent before it left is delivered first.
        self.peer_left.clone().filter(|_| self.session.circuits().is_empty())
    }

    fn handle_event(&mut self, event: Event, now: Instant) {
        let peer = self.handle.peer.clone();
        let session = &mut self.session;
        match event {
            Event::Opened(open) => self.news.push(PeerEvent::Opened {
                session: self.handle.clone(),
                open,
            }),
            Event::Denied { target, reason } => {
                warn!(%peer, to = target, reason, "a connection was refused by the peer, whose policy denies it");
            }
            Event::Handshake { circuit, message } => {
                let event = EndpointEvent::Handshake(message);
                self.endpoints.tell(circuit, event, session, now);
            }
            Event::Taken { circuit, cost } => self.endpoints.taken(circuit, cost),
            Event::Closed { circuit, reason } => {
                let event = EndpointEvent::Closed(reason);
                self.endpoints.tell(circuit, event, session, now);
                self.endpoints.remove(circuit);
            }
            Event::Silence { circuit, is_silent } => self.endpoints.silence(circuit, is_silent),
            Event::Suspend { circuit, senders } => self.endpoints.suspend(circuit, senders),
            Event::Ended { circuit, frames } => info!(%peer, %circuit, frames = List::of(&frames).value(), "lanes"),
            Event::NodeUp { name, hosts, hidden } => self.news.push(PeerEvent::NodeUp {
                peer,
                name,
                hosts,
                hidden,
            }),
            Event::NodeDown { name } => self.news.push(PeerEvent::NodeDown { peer, name }),
            Event::Peers(peers) => {
                if let Some(teller) = &self.teller {
                    teller.take(self.remote, peers);
                }
            }
            Event::Goodbye { reason } => self.peer_left = Some(format!("the peer is leaving: {reason}")),
        }
    }

    /// Starts to leave. What nodes have sent is still delivered, in both directions, within the deadline.
    fn start_leaving(&mut self, now: Instant) {
        self.session.leave(STOPPING, now);
        self.leaving = Some(now + self.close_deadline);
    }

    /// Closes the remaining circuits, tells the peer, and waits until the peer has read that and closes the connection.
    async fn end_session(&mut self) -> String {
        self.session.end(STOPPING);
        let flushed = async {
            let mut arrived = Vec::new();
            loop {
                let _ = self.drain(clock());
                if self.trunk.is_lost() {
                    return;
                }
                poll_fn(|context| self.trunk.poll_arrive(context, &mut arrived)).await;
                for arrival in arrived.drain(..) {
                    match arrival {
                        Arrival::Written(lane) => self.trunk.written(lane),
                        Arrival::Broken(_) => return,
                        Arrival::Lane { .. } | Arrival::Frames { .. } | Arrival::Notice { .. } => {}
                    }
                }
            }
        };
        let _ = tokio::time::timeout(GOODBYE_TIME, flushed).await;
        STOPPING.to_owned()
    }
}
