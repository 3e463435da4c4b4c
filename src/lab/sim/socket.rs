use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;

use quinn::AsyncUdpSocket;
use quinn::ConnectionId;
use quinn::ConnectionIdGenerator;
use quinn::UdpPoller;
use quinn::udp::RecvMeta;
use quinn::udp::Transmit;
use tokio::time::Instant;

use super::network::connection_id;

/// Datagrams that wait for a daemon that does not read, as in the kernel's buffer; more are lost.
const BUFFER: usize = 1024;

/// What a daemon has sent: when, where to, what.
pub(super) type Sent = (Duration, SocketAddr, Vec<u8>);

/// A socket of the simulated network.
#[derive(Debug)]
pub(super) struct SimSocket {
    address: SocketAddr,
    /// The clock of its daemon when that began, which was then `offset` into the run.
    begin: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    offset: Duration,
    arrived: VecDeque<(SocketAddr, Vec<u8>)>,
    sent: Vec<Sent>,
    reader: Option<Waker>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl SimSocket {
    /// A socket at `address`, of a daemon that begins now by its own clock, `offset` after the run began.
    pub(super) fn new(address: SocketAddr, begin: Instant, offset: Duration) -> Self {
        Self {
            address,
            begin,
            state: Mutex::new(State {
                offset,
                ..State::default()
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A datagram arrives.
    pub(super) fn arrive(&self, from: SocketAddr, bytes: Vec<u8>) {
        let mut state = self.state();
        if state.arrived.len() < BUFFER {
            state.arrived.push_back((from, bytes));
        }
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// What was sent since the last call.
    pub(super) fn take_sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.state().sent)
    }

    /// The daemon's clock stood still for so long.
    pub(super) fn fall_behind(&self, time: Duration) {
        self.state().offset += time;
    }

    /// How far into the run it is, by the daemon's clock. Asked within its runtime.
    pub(super) fn now(&self) -> Duration {
        self.state().offset + Instant::now().saturating_duration_since(self.begin)
    }

    /// The moment of the run that is this far from its beginning, by the daemon's clock.
    pub(super) fn local(&self, at: Duration) -> Instant {
        self.begin + at.saturating_sub(self.state().offset)
    }
}

impl AsyncUdpSocket for SimSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let at = self.now();
        let mut state = self.state();
        state.sent.push((at, transmit.destination, transmit.contents.to_vec()));
        Ok(())
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        let mut count = 0;
        for (buffer, meta) in buffers.iter_mut().zip(meta) {
            let Some((addr, bytes)) = state.arrived.pop_front() else {
                break;
            };
            let len = bytes.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..len), bytes.get(..len)) {
                to.copy_from_slice(from);
            }
            *meta = RecvMeta {
                addr,
                len,
                stride: len,
                ..RecvMeta::default()
            };
            count += 1;
        }
        if count == 0 {
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// There is always room to send.
#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Ids of connections that count upwards, so that the network can tell older connections from newer ones.
#[derive(Debug)]
pub(super) struct Ids(pub(super) Arc<AtomicU64>);

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&connection_id(self.0.fetch_add(1, Relaxed) + 1))
    }

    fn cid_len(&self) -> usize {
        connection_id(0).len()
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
