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

/// A UDP socket that is waited for only where there is something to wait for.
///
/// Who waits for reading and writing at once, as quinn's own socket does, is woken for each datagram of its own that has
/// left, since the kernel has room for another then. Between idle nodes that was one wake-up in three.
#[derive(Debug)]
pub(in crate::trunk) struct Datagrams {
    socket: AsyncFd<UdpSocket>,
    state: UdpSocketState,
    /// The kernel had no room for the last one.
    pub(super) is_full: AtomicBool,
}

#[allow(
    deprecated,
    reason = "unsound for types that close or change their descriptor, which a socket of the standard library does not"
)]
fn registered(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    AsyncFd::with_interest(socket, interest)
}

impl Datagrams {
    /// Takes over a socket that does not block.
    ///
    /// # Errors
    /// What the system says.
    pub(in crate::trunk) fn new(socket: UdpSocket) -> io::Result<Self> {
        Ok(Self {
            state: UdpSocketState::new((&socket).into())?,
            socket: registered(socket, Interest::READABLE)?,
            is_full: AtomicBool::new(false),
        })
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
        let sent = self.state.send(self.socket.get_ref().into(), transmit);
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

    fn max_receive_segments(&self) -> usize {
        self.state.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }
}

/// Waits until the kernel has room for datagrams again.
#[derive(Debug)]
struct Room {
    socket: Arc<Datagrams>,
    /// The same socket, waited for in the other direction; given up as soon as there is room.
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
