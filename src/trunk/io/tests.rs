use std::future::poll_fn;
use std::io::IoSliceMut;
use std::net::Ipv4Addr;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use std::time::Instant;

use quinn::AsyncUdpSocket as _;
use quinn::udp::RecvMeta;
use quinn::udp::Transmit;
use socket2::SockRef;
use tokio::time::timeout;

use super::datagrams::Datagrams;
use crate::trunk::SendErrors;

/// The size of the largest datagram in these tests, in bytes.
const DATAGRAM_MAX: u16 = 33_000;

const PATIENCE: Duration = Duration::from_secs(5);

fn socket() -> Arc<Datagrams> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.set_nonblocking(true).expect("a socket that does not block");
    let room = SockRef::from(&socket).set_recv_buffer_size(1 << 20);
    room.expect("room for what is not read at once");
    Arc::new(
        Datagrams::new(socket, DATAGRAM_MAX, SendErrors::default())
            .expect("a socket")
            .0,
    )
}

fn send(from: &Datagrams, to: &Datagrams, contents: &[u8], segment_size: Option<usize>) {
    let transmit = Transmit {
        destination: to.local_addr().expect("an address"),
        ecn: None,
        contents,
        segment_size,
        src_ip: None,
    };
    from.try_send(&transmit).expect("room for a datagram");
}

/// The datagrams of one read. The kernel may join several of them.
async fn receive(socket: &Datagrams) -> Vec<Vec<u8>> {
    let mut buffers = vec![vec![0; socket.max_receive_segments() * usize::from(DATAGRAM_MAX)]; 4];
    let mut meta = [RecvMeta::default(); 4];
    let count = poll_fn(|context| {
        let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        socket.poll_recv(context, &mut slices, &mut meta)
    });
    let count = timeout(PATIENCE, count)
        .await
        .expect("datagrams")
        .expect("a socket that reads");
    let datagrams = |at: usize| buffers[at][..meta[at].len].chunks(meta[at].stride.max(1));
    (0..count).flat_map(datagrams).map(<[u8]>::to_vec).collect()
}

/// After a read that returned fewer datagrams than there was room for, the socket is not read again until the kernel wakes the
/// reader. So the next datagram must wake it.
#[tokio::test]
async fn what_comes_after_a_short_read_is_seen() {
    let (near, far) = (socket(), socket());
    for number in 0..1000u32 {
        let sent = number.to_be_bytes();
        send(&near, &far, &sent, None);
        assert_eq!(receive(&far).await, [sent]);
    }
    // More datagrams than one read takes, sent before the first read.
    let sent: Vec<[u8; 2]> = (0..11u16).map(u16::to_be_bytes).collect();
    sent.iter().for_each(|bytes| send(&near, &far, bytes, None));
    let mut seen = Vec::new();
    while seen.len() < sent.len() {
        seen.extend(receive(&far).await);
    }
    assert_eq!(seen, sent);
}

/// More bytes than the kernel takes at once are sent in parts, each of whole datagrams. The last datagram is shorter.
#[tokio::test]
async fn datagrams_that_leave_together_may_be_large() {
    let (near, far) = (socket(), socket());
    for size in [1200, 6500, 6551, 16_200, usize::from(DATAGRAM_MAX)] {
        let sent: Vec<u8> = (0..10 * size - 7).map(|at| (at / size + at) as u8).collect();
        send(&near, &far, &sent, Some(size));
        let mut seen = Vec::new();
        while seen.len() < 10 {
            seen.extend(receive(&far).await);
        }
        assert!(seen.iter().all(|datagram| datagram.len() <= size), "{size}");
        assert_eq!(seen.concat(), sent, "{size}");
    }
}

/// After the kernel had no room, a sender waits until it has.
#[tokio::test]
async fn a_full_socket_is_waited_for() {
    let socket = socket();
    let mut room = Arc::clone(&socket).create_io_poller();
    let mut other = Arc::clone(&socket).create_io_poller();
    for _ in 0..3 {
        socket.is_full.store(true, Relaxed);
        let waited = poll_fn(|context| room.as_mut().poll_writable(context));
        timeout(PATIENCE, waited).await.expect("room").expect("a socket");
        assert!(!socket.is_full.load(Relaxed), "there is room now");
        let waited = poll_fn(|context| other.as_mut().poll_writable(context));
        timeout(PATIENCE, waited)
            .await
            .expect("room for all")
            .expect("a socket");
    }
}

/// The kernel refuses datagrams with `EINVAL` while there is no route, as here for port 0. quinn then sends them one by one.
#[tokio::test]
async fn segmentation_comes_back_after_a_failure() {
    let (near, far) = (socket(), socket());
    let usual = near.max_transmit_segments();
    let nowhere = |socket: &Datagrams| {
        let transmit = Transmit {
            destination: (Ipv4Addr::LOCALHOST, 0).into(),
            ecn: None,
            contents: &[0; 2400],
            segment_size: Some(1200),
            src_ip: None,
        };
        socket
            .try_send(&transmit)
            .expect("a lost datagram is no error of the socket");
    };
    for pause in [5, 10, 20] {
        nowhere(&near);
        assert_eq!(near.max_transmit_segments(), 1, "it is quinn that turns it off");
        let failed = Instant::now();
        near.restore(failed + Duration::from_secs(pause - 1));
        assert_eq!(near.max_transmit_segments(), 1, "not yet");
        near.restore(failed + Duration::from_secs(pause));
        assert_eq!(near.max_transmit_segments(), usual);
        send(&near, &far, &[7; 2400], Some(1200));
        assert_eq!(receive(&far).await.concat(), [7; 2400]);
    }
}
