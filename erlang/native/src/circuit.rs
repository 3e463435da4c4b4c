//! One connection to another node, as its Erlang processes use it on the schedulers of the VM.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;
use std::task::Poll;
use std::task::Wake;
use std::task::Waker;

use beamway::internals::endpoint::TrySendError;
use beamway::internals::endpoint::io::endpoint::SignalSender;
use beamway::internals::endpoint::io::session::PeerSilence;
use beamway::internals::session::Intake;
use beamway::internals::vm::Outgoing;
use bytes::Bytes;
use rustler::Env;
use rustler::LocalPid;
use rustler::Monitor;
use rustler::Resource;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;

/// Bytes that may wait in the mailbox of the input process, and count as delivered.
pub(crate) const MAILBOX: u64 = 256 * 1024;

/// Commands of the Erlang processes that may wait. A handshake has three messages of each side.
const COMMANDS: usize = 16;

/// A connection, as its Erlang processes hold it. It ends with its controller, or when nobody holds it any more.
pub(crate) struct Circuit {
    pub(crate) shared: Arc<Shared>,
    _end: DropGuard,
}

#[rustler::resource_impl]
impl Resource for Circuit {
    const IMPLEMENTS_DOWN: bool = true;

    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        self.shared.end.cancel();
    }
}

/// What the processes and the task of a connection share.
pub(crate) struct Shared {
    commands: mpsc::Sender<Command>,
    /// Cancelled when the controller has ended, or nobody holds the circuit.
    pub(crate) end: CancellationToken,
    /// Set while packets can be sent.
    out: Mutex<Option<Out>>,
    /// Notified when the controller may send again.
    pub(crate) ready: Notify,
    /// Bytes of deliveries in the mailbox of the input process.
    pub(crate) waiting: AtomicU64,
    /// Notified when these fall to [`MAILBOX`].
    pub(crate) room: Notify,
    /// Deliveries that the VM has taken, and times at which the peer vouched for the far node.
    pub(crate) received: AtomicU64,
    /// Packets that were sent.
    pub(crate) sent: AtomicU64,
    /// The processes that the controller has suspended, and how often it has suspended one.
    pub(crate) suspended: AtomicU64,
    pub(crate) suspensions: AtomicU64,
    /// Whether the far node is silent, as the peer says, and whether the peer itself is. Set with `out`.
    pub(crate) silence: OnceLock<(watch::Receiver<bool>, PeerSilence)>,
    /// The far node and the peer that speaks for it, for [`crate::info`].
    pub(crate) names: OnceLock<(String, Arc<str>)>,
}

/// What sends the packets of the VM.
pub(crate) struct Out {
    pub(crate) packets: Outgoing,
    pub(crate) signals: SignalSender,
    /// Signals that had no room.
    pub(crate) kept: Vec<Intake>,
}

/// A command of the Erlang processes.
pub(crate) enum Command {
    /// These processes own the circuit.
    Own { supervisor: LocalPid, controller: LocalPid },
    /// The next handshake message of the local node.
    Handshake(Bytes),
    /// The VM has completed the handshake. Packets go to this process.
    Establish(LocalPid),
}

/// Whether the controller may send more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It may.
    Ok,
    /// It must wait for `beamway_ready`.
    Wait,
    /// The circuit has ended.
    Closed,
}

impl Circuit {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let end = CancellationToken::new();
        let shared = Shared {
            commands,
            end: end.clone(),
            out: Mutex::new(None),
            ready: Notify::new(),
            waiting: AtomicU64::new(0),
            room: Notify::new(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            suspended: AtomicU64::new(0),
            suspensions: AtomicU64::new(0),
            silence: OnceLock::new(),
            names: OnceLock::new(),
        };
        let circuit = Self {
            shared: Arc::new(shared),
            _end: end.drop_guard(),
        };
        (circuit, receiver)
    }
}

impl Shared {
    pub(crate) fn out(&self) -> MutexGuard<'_, Option<Out>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn command(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// Nobody uses the circuit.
    pub(crate) fn give_up(&self) {
        self.end.cancel();
    }

    /// The processes to which the circuit belongs.
    pub(crate) fn own(&self, supervisor: LocalPid, controller: LocalPid) -> bool {
        self.command(Command::Own { supervisor, controller })
    }

    /// Sends the next handshake message of the local node.
    pub(crate) fn handshake(&self, message: Bytes) -> bool {
        self.command(Command::Handshake(message))
    }

    /// The VM has completed the handshake.
    pub(crate) fn establish(&self, input: LocalPid) -> bool {
        self.command(Command::Establish(input))
    }

    /// Sends packets, which `write` gives: how many these are.
    ///
    /// # Errors
    /// If a packet is malformed, or `write` fails.
    pub(crate) fn send<E: From<String>>(
        self: &Arc<Self>,
        write: impl FnOnce(&mut Outgoing) -> Result<u64, E>,
    ) -> Result<Sent, E> {
        let mut out = self.out();
        let Some(out) = out.as_mut() else {
            return Ok(Sent::Closed);
        };
        let packets = write(&mut out.packets)?;
        self.sent.fetch_add(packets, Relaxed);
        let signals = out.packets.signals().map_err(|error| error.to_string())?;
        if out.kept.is_empty() {
            out.kept = signals;
        } else {
            out.kept.extend(signals);
        }
        Ok(out.push(self))
    }

    /// The VM has taken a delivery of this cost.
    pub(crate) fn taken(&self, cost: u64) {
        self.received.fetch_add(1, Relaxed);
        let before = self.waiting.fetch_sub(cost, Relaxed);
        if before > MAILBOX && before.saturating_sub(cost) <= MAILBOX {
            self.room.notify_one();
        }
    }

    /// What was received, what was sent, and whether something waits to be sent: what OTP's ticker compares. While the peer vouches for
    /// the far node, there is always something new. Nobody vouches for a peer that is silent itself: that may be a VM which hangs.
    pub(crate) fn statistics(&self) -> (u64, u64, bool) {
        if self.silence.get().is_some() && !self.far_is_silent() {
            self.received.fetch_add(1, Relaxed);
        }
        (self.received.load(Relaxed), self.sent.load(Relaxed), self.has_kept())
    }

    /// Whether the nodes are connected.
    pub(crate) fn is_open(&self) -> bool {
        self.out().is_some()
    }

    /// Whether signals wait for room.
    pub(crate) fn has_kept(&self) -> bool {
        self.out().as_ref().is_some_and(|out| !out.kept.is_empty())
    }

    /// Whether the far node is silent, or everything of its host.
    pub(crate) fn far_is_silent(&self) -> bool {
        let silence = self.silence.get();
        silence.is_some_and(|(node, peer)| *node.borrow() || peer.is_silent())
    }
}

/// The waker that the session wakes when there is room.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.ready.notify_one();
    }
}

impl Out {
    /// Hands the signals to the session as far as there is room.
    fn push(&mut self, shared: &Arc<Shared>) -> Sent {
        if !self.kept.is_empty() {
            match self.signals.try_send(std::mem::take(&mut self.kept)) {
                Ok(()) => {}
                Err(TrySendError::Full(signals)) => self.kept = signals,
                Err(TrySendError::NoSession(_)) => return Sent::Closed,
            }
        }
        let waker = Waker::from(Arc::clone(shared));
        match self.signals.poll_ready(&mut Context::from_waker(&waker)) {
            // Room came in between.
            Poll::Ready(Ok(())) if !self.kept.is_empty() => {
                shared.ready.notify_one();
                Sent::Wait
            }
            Poll::Ready(Ok(())) => Sent::Ok,
            Poll::Ready(Err(_)) => Sent::Closed,
            Poll::Pending => Sent::Wait,
        }
    }
}
