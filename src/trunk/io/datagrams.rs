//! A UDP socket for quinn that needs fewer wake-ups and system calls than quinn's own.

use std::io;
use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;
use std::time::Instant;

use quinn::AsyncUdpSocket;
use quinn::UdpPoller;
use quinn::udp::RecvMeta;
use quinn::udp::Transmit;
use quinn::udp::UdpSocketState;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tracing::warn;

use crate::trunk::SendErrors;

/// The maximum number of bytes in one call that sends several datagrams (GSO): the payload of one UDP datagram over IPv4.
const BURST_MAX: usize = 65_507;

/// A UDP socket that is polled for writing only while the kernel has no room.
///
/// quinn's own socket waits for reading and writing at once. So it is woken for each datagram that it has sent, since the kernel
/// then has room for another one. Between idle nodes that was one wake-up in three.
#[derive(Debug)]
pub(in crate::trunk) struct Datagrams {
    socket: AsyncFd<UdpSocket>,
    offload: RwLock<Offload>,
    /// The number of datagrams that the kernel splits for us (GSO), unless it has failed to.
    segments: usize,
    /// The maximum number of datagrams that the kernel may join in one read (GRO).
    joined: usize,
    /// Whether the kernel had no room for the last datagram.
    pub(in crate::trunk) is_full: AtomicBool,
    errors: SendErrors,
    /// Dropped after the socket, which tells the receiver that it is closed.
    _closed: oneshot::Sender<()>,
}

/// The options of the socket, and what is known of them.
#[derive(Debug)]
struct Offload {
    state: UdpSocketState,
    /// When they may be tried again, if quinn has turned some off.
    again: Option<Instant>,
    pause: Duration,
}

/// After a failure, options of the socket are tried again after this time, and twice as long each time that they fail again.
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(600);

#[allow(
    deprecated,
    reason = "unsound for types that close or change their descriptor, which a socket of the standard library does not"
)]
fn registered(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    AsyncFd::with_interest(socket, interest)
}

impl Datagrams {
    /// Takes over a non-blocking socket, for datagrams of up to `most` bytes. What the kernel does not send is recorded in `errors`.
    /// The receiver completes when the socket is closed.
    ///
    /// # Errors
    /// If the operating system does not accept the options or the registration of the socket.
    pub(in crate::trunk) fn new(
        socket: UdpSocket,
        most: u16,
        errors: SendErrors,
    ) -> io::Result<(Self, oneshot::Receiver<()>)> {
        let state = UdpSocketState::new((&socket).into())?;
        let (sender, closed) = oneshot::channel();
        let datagrams = Self {
            joined: state.gro_segments().min(BURST_MAX.div_ceil(usize::from(most.max(1)))),
            segments: state.max_gso_segments(),
            offload: RwLock::new(Offload {
                state,
                again: None,
                pause: PAUSE,
            }),
            socket: registered(socket, Interest::READABLE)?,
            is_full: AtomicBool::new(false),
            errors,
            _closed: sender,
        };
        Ok((datagrams, closed))
    }

    fn offload(&self) -> RwLockReadGuard<'_, Offload> {
        self.offload.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To QUIC a datagram that the kernel does not send is a lost one. A person wants to know: the library would log an error of the
    /// system, raw.
    fn lost(&self, to: SocketAddr, error: &io::Error) {
        // Probes for larger datagrams meet this limit.
        if error.raw_os_error() == Some(nix::libc::EMSGSIZE) {
            return;
        }
        if let Some(reason) = self.errors.failed(to, error, Instant::now()) {
            warn!(%to, reason, "this host does not send UDP packets to a peer");
        }
    }

    /// quinn turns segmentation and ECN off for ever when the kernel refuses a datagram with `EINVAL`, which it also does while
    /// there is no route. So they are turned on again after a while.
    pub(in crate::trunk) fn restore(&self, now: Instant) {
        let mut offload = self.offload.write().unwrap_or_else(PoisonError::into_inner);
        match offload.again {
            None => {
                offload.again = Some(now + offload.pause);
                offload.pause = (offload.pause * 2).min(PAUSE_MAX);
            }
            Some(again) if again <= now => {
                if let Ok(state) = UdpSocketState::new(self.socket.get_ref().into()) {
                    offload.state = state;
                }
                offload.again = None;
            }
            Some(_) => {}
        }
    }
}

impl AsyncUdpSocket for Datagrams {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Room {
            socket: self,
            waits: None,
        })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let offload = self.offload();
        let sent =
            bursts(transmit).try_for_each(
                |burst| match offload.state.try_send(self.socket.get_ref().into(), &burst) {
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                        self.lost(transmit.destination, &error);
                        Ok(())
                    }
                    sent => sent,
                },
            );
        let is_reduced = offload.state.max_gso_segments() < self.segments;
        drop(offload);
        if is_reduced {
            self.restore(Instant::now());
        }
        if matches!(&sent, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            self.is_full.store(true, Relaxed);
        }
        sent
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(context))?;
            let Ok(received) = ready.try_io(|socket| self.offload().state.recv(socket.get_ref().into(), buffers, meta))
            else {
                continue;
            };
            // Fewer than there was room for: the socket is empty, and the kernel wakes the task for the next datagram.
            if matches!(received, Ok(count) if count < buffers.len()) {
                ready.clear_ready();
            }
            return Poll::Ready(received);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get_ref().local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.offload().state.max_gso_segments()
    }

    /// quinn allocates a buffer for 32 times as many datagrams of the largest size. The kernel may join 64 small datagrams, but
    /// room for 64 of the largest size would take 33 MB.
    fn max_receive_segments(&self) -> usize {
        self.joined
    }

    fn may_fragment(&self) -> bool {
        self.offload().state.may_fragment()
    }
}

/// Splits datagrams that are sent together into as few parts as the kernel takes. quinn always joins up to ten datagrams, whatever
/// their size. If the kernel has no room for one part, quinn sends all of them again, and the peer drops the duplicates.
fn bursts<'a>(transmit: &Transmit<'a>) -> impl Iterator<Item = Transmit<'a>> {
    let (whole, destination) = (transmit.contents.len(), transmit.destination);
    let (ecn, src_ip) = (transmit.ecn, transmit.src_ip);
    let size = transmit.segment_size.unwrap_or(whole).max(1);
    let most = (BURST_MAX / size).max(1) * size;
    transmit.contents.chunks(most).map(move |contents| Transmit {
        destination,
        ecn,
        contents,
        segment_size: (contents.len() > size).then_some(size),
        src_ip,
    })
}

/// Waits until the kernel has room for datagrams again.
#[derive(Debug)]
struct Room {
    socket: Arc<Datagrams>,
    /// A duplicate of the socket, registered for writing. It is closed as soon as there is room.
    waits: Option<AsyncFd<UdpSocket>>,
}

impl UdpPoller for Room {
    fn poll_writable(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.socket.is_full.load(Relaxed) {
            self.waits = None;
            return Poll::Ready(Ok(()));
        }
        let waits = match self.waits.take() {
            Some(waits) => waits,
            None => registered(self.socket.socket.get_ref().try_clone()?, Interest::WRITABLE)?,
        };
        match waits.poll_write_ready(context) {
            Poll::Pending => {
                self.waits = Some(waits);
                Poll::Pending
            }
            Poll::Ready(ready) => {
                let _ = ready?;
                self.socket.is_full.store(false, Relaxed);
                Poll::Ready(Ok(()))
            }
        }
    }
}
