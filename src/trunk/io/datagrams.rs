//! The UDP socket of a daemon as quinn wants it, with fewer wake-ups and system calls than its own.

use std::io;
use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use quinn::AsyncUdpSocket;
use quinn::UdpPoller;
use quinn::udp::RecvMeta;
use quinn::udp::Transmit;
use quinn::udp::UdpSocketState;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

/// The most that the kernel takes at once for datagrams to leave together: what one UDP datagram over IPv4 can hold.
const BURST_MAX: usize = 65_507;

/// A UDP socket that is waited for only where there is something to wait for.
///
/// Who waits for reading and writing at once, as quinn's own socket does, is woken for each datagram of its own that has
/// left, since the kernel has room for another then. Between idle nodes that was one wake-up in three.
#[derive(Debug)]
pub(in crate::trunk) struct Datagrams {
    socket: AsyncFd<UdpSocket>,
    state: UdpSocketState,
    /// Datagrams that one read may find joined.
    joined: usize,
    /// The kernel had no room for the last one.
    pub(in crate::trunk) is_full: AtomicBool,
    /// Dropped after the socket.
    _closed: oneshot::Sender<()>,
}

#[allow(
    deprecated,
    reason = "unsound for types that close or change their descriptor, which a socket of the standard library does not"
)]
fn registered(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    AsyncFd::with_interest(socket, interest)
}

impl Datagrams {
    /// Takes over a socket that does not block, for datagrams of up to `most` bytes. Gives also what ends when it is closed.
    ///
    /// # Errors
    /// What the system says.
    pub(in crate::trunk) fn new(socket: UdpSocket, most: u16) -> io::Result<(Self, oneshot::Receiver<()>)> {
        let state = UdpSocketState::new((&socket).into())?;
        let (sender, closed) = oneshot::channel();
        let datagrams = Self {
            joined: state.gro_segments().min(BURST_MAX.div_ceil(usize::from(most.max(1)))),
            state,
            socket: registered(socket, Interest::READABLE)?,
            is_full: AtomicBool::new(false),
            _closed: sender,
        };
        Ok((datagrams, closed))
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
        let sent = bursts(transmit).try_for_each(|burst| self.state.send(self.socket.get_ref().into(), &burst));
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
            let Ok(received) = ready.try_io(|socket| self.state.recv(socket.get_ref().into(), buffers, meta)) else {
                continue;
            };
            // Fewer than there was room for: that was all, and for what comes now the kernel wakes us again.
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
        self.state.max_gso_segments()
    }

    /// quinn reads into room for 32 times as many of the largest size: 64 of them each, as the kernel may join of small ones,
    /// would take 33 MB.
    fn max_receive_segments(&self) -> usize {
        self.joined
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }
}

/// Datagrams that are to leave together, in as few parts as the kernel takes. quinn counts ten datagrams, whatever their size;
/// it sends all of them again if the kernel had no room for one, and whoever has one twice drops it.
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
    /// The same socket, waited for in the other direction; closed as soon as there is room.
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
