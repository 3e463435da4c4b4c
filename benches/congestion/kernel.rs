//! The load over one TCP connection of the kernel's, and a flow of TCP beside another load.

use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::ensure;
use socket2::SockRef;

use crate::cell;
use crate::cell::CALLS;
use crate::cell::EndThread;
use crate::cell::PATTERN;
use crate::cell::Tally;
use crate::cell::within;

const PORT: u16 = 7001;
const PORT_BESIDE: u16 = 7002;

/// A header in front of a piece of bulk: no call has that number.
const BULK: u64 = 0;

/// Listens, and starts both ends.
fn ends(
    namespaces: &[String; 2],
    port: u16,
    congestion: &'static str,
    receive: impl FnOnce(TcpStream) -> anyhow::Result<u64> + Send + 'static,
    send: impl FnOnce(TcpStream) -> anyhow::Result<u64> + Send + 'static,
) -> [EndThread; 2] {
    let (ready_in, ready) = std::sync::mpsc::channel();
    let receiving = within(&namespaces[1], move || {
        let listener = TcpListener::bind((cell::RECEIVER, port))?;
        ready_in.send(())?;
        receive(listener.accept()?.0)
    });
    let sending = within(&namespaces[0], move || {
        ready.recv()?;
        let stream = TcpStream::connect(SocketAddr::new(cell::RECEIVER.parse()?, port))?;
        SockRef::from(&stream).set_tcp_congestion(congestion.as_bytes())?;
        stream.set_nodelay(true)?;
        send(stream)
    });
    [receiving, sending]
}

/// One TCP connection that sends bulk only.
pub(crate) fn flow_beside(namespaces: &[String; 2], tally: &Arc<Tally>, congestion: &'static str) -> [EndThread; 2] {
    let [arrived, asked] = [tally.clone(), tally.clone()];
    ends(
        namespaces,
        PORT_BESIDE,
        congestion,
        move |mut stream| {
            let (pattern, mut buffer, mut offset) = (cell::pattern(), vec![0; 1 << 16], 0);
            loop {
                let size = stream.read(&mut buffer)?;
                let bytes = buffer.get(..size).unwrap_or_default();
                ensure!(cell::is_pattern(&pattern, offset, bytes), "TCP has changed on the way");
                offset += size as u64;
                arrived.bulk.fetch_add(size as u64, Ordering::Relaxed);
                if size == 0 {
                    return Ok(0);
                }
            }
        },
        move |mut stream| {
            let (pattern, mut sent) = (cell::pattern(), 0);
            while !asked.is_over() {
                stream.write_all(&pattern)?;
                sent += PATTERN as u64;
            }
            stream.shutdown(Shutdown::Write)?;
            Ok(sent)
        },
    )
}

/// Bulk and calls in one connection, as between two nodes: a call that is due goes before the next piece of bulk.
pub(crate) fn start(namespaces: &[String; 2], tally: &Arc<Tally>, congestion: &'static str) -> [EndThread; 2] {
    let [arrived, asked] = [tally.clone(), tally.clone()];
    ends(
        namespaces,
        PORT,
        congestion,
        move |stream| receive(stream, &arrived),
        move |stream| send(stream, &asked),
    )
}

fn receive(stream: TcpStream, tally: &Tally) -> anyhow::Result<u64> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(1 << 17, stream.try_clone()?);
    let (mut answers, pattern) = (stream, cell::pattern());
    let (mut header, mut piece) = ([0; 8], vec![0; PATTERN]);
    while reader.read_exact(&mut header).is_ok() {
        if u64::from_be_bytes(header) != BULK {
            answers.write_all(&header)?;
            continue;
        }
        // In small steps, so that the count is of this moment.
        for (index, part) in piece.chunks_mut(4096).enumerate() {
            reader.read_exact(part)?;
            ensure!(
                cell::is_pattern(&pattern, index as u64 * 4096, part),
                "bulk has changed on the way"
            );
            tally.bulk.fetch_add(part.len() as u64, Ordering::Relaxed);
        }
    }
    answers.shutdown(Shutdown::Write)?;
    Ok(0)
}

fn send(mut stream: TcpStream, tally: &Arc<Tally>) -> anyhow::Result<u64> {
    let began = Instant::now();
    let answers = {
        let (stream, tally) = (stream.try_clone()?, tally.clone());
        thread::spawn(move || answers_of(stream, &tally, began))
    };
    let pattern = cell::pattern();
    let (mut sent, mut number) = (0, 0u64);
    while !tally.is_over() {
        while began + CALLS * u32::try_from(number + 1)? <= Instant::now() {
            number += 1;
            stream.write_all(&number.to_be_bytes())?;
        }
        stream.write_all(&BULK.to_be_bytes())?;
        stream.write_all(&pattern)?;
        sent += PATTERN as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    let answered = answers
        .join()
        .map_err(|_| anyhow::anyhow!("the reader of answers has panicked"))??;
    ensure!(answered == number, "an answer is missing");
    Ok(sent)
}

fn answers_of(mut stream: TcpStream, tally: &Tally, began: Instant) -> anyhow::Result<u64> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let (mut number, mut answer) = (0u64, [0; 8]);
    while stream.read_exact(&mut answer).is_ok() {
        number += 1;
        ensure!(answer == number.to_be_bytes(), "another answer was due");
        tally.answered(began + CALLS * u32::try_from(number)?);
    }
    Ok(number)
}
