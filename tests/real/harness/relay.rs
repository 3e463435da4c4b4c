//! A router with address translation between two gateways: datagrams of the first one reach the second from an address
//! that can change.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// How long a thread looks at one socket.
const LOOK: Duration = Duration::from_millis(5);

pub(crate) struct Relay {
    shared: Arc<Shared>,
}

struct Shared {
    front: UdpSocket,
    back: Mutex<Arc<UdpSocket>>,
    target: SocketAddr,
    client: Mutex<Option<SocketAddr>>,
    passed: AtomicU64,
    is_over: AtomicBool,
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a UDP socket");
    socket.set_read_timeout(Some(LOOK)).expect("a timeout");
    socket
}

impl Relay {
    /// Passes datagrams on to `target` until it is dropped.
    pub(crate) fn to(target: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            front: socket(),
            back: Mutex::new(Arc::new(socket())),
            target,
            client: Mutex::new(None),
            passed: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        });
        for pass in [Shared::forth, Shared::back] {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut buffer = [0; 2048];
                while !shared.is_over.load(Ordering::Relaxed) {
                    pass(&shared, &mut buffer);
                }
            });
        }
        Self { shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.shared.front.local_addr().expect("an address")
    }

    /// From now on datagrams come from another address, and those to the former one are lost.
    pub(crate) fn rebind(&self) {
        *self.shared.back.lock().expect("no thread has panicked") = Arc::new(socket());
    }

    /// Datagrams passed on so far.
    pub(crate) fn passed(&self) -> u64 {
        self.shared.passed.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn current(&self) -> Arc<UdpSocket> {
        Arc::clone(&self.back.lock().expect("no thread has panicked"))
    }

    fn forth(&self, buffer: &mut [u8]) {
        if let Ok((length, client)) = self.front.recv_from(buffer) {
            *self.client.lock().expect("no thread has panicked") = Some(client);
            let _ = self.current().send_to(&buffer[..length], self.target);
            self.passed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn back(&self, buffer: &mut [u8]) {
        let client = *self.client.lock().expect("no thread has panicked");
        if let (Ok(length), Some(client)) = (self.current().recv(buffer), client) {
            let _ = self.front.send_to(&buffer[..length], client);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}
