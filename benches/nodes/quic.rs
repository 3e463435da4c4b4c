//! Raw QUIC, with the settings of trunks and with quinn's own: what the lanes are compared with.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use bytes::Bytes;
use quinn::Connection;
use quinn::RecvStream;
use quinn::SendStream;
use tokio::task::JoinSet;
use xxhash_rust::xxh3::Xxh3;

use crate::load::pattern;
use crate::site::Site;

/// Bytes written at once.
const CHUNK: usize = 16 * 1024;

/// Chunks taken at once, as a trunk takes them.
const CHUNKS: usize = 64;

/// The second process: counts what streams bring, and echoes what a connection's stream both ways brings.
pub(crate) async fn serve(site: &Site, port: u16, is_default: bool) -> anyhow::Result<()> {
    let (endpoint, _) = site.endpoint(port, is_default)?;
    while let Some(incoming) = endpoint.accept().await {
        let connection = incoming.await?;
        let calling = connection.clone();
        tokio::spawn(async move {
            let (answers, calls) = calling.accept_bi().await?;
            echo(answers, calls).await
        });
        tokio::spawn(async move {
            while let Ok(stream) = connection.accept_uni().await {
                tokio::spawn(count(stream, connection.clone()));
            }
        });
    }
    Ok(())
}

async fn echo(mut answers: SendStream, mut calls: RecvStream) -> anyhow::Result<()> {
    while let Some(chunk) = calls.read_chunk(usize::MAX, true).await? {
        answers.write_chunk(chunk.bytes).await?;
    }
    Ok(())
}

/// Says on a stream of its own how many bytes came, and their digest.
async fn count(mut stream: RecvStream, connection: Connection) -> anyhow::Result<()> {
    let mut digest = Xxh3::new();
    let mut bytes = 0u64;
    let mut chunks = vec![Bytes::new(); CHUNKS];
    while let Some(count) = stream.read_chunks(&mut chunks).await? {
        for chunk in chunks.iter().take(count) {
            digest.update(chunk);
            bytes += chunk.len() as u64;
        }
    }
    let mut answer = connection.open_uni().await?;
    let seen = [bytes.to_be_bytes(), digest.digest().to_be_bytes()].concat();
    answer.write_all(&seen).await?;
    answer.finish()?;
    let _ = answer.stopped().await;
    Ok(())
}

/// The first process's connection.
pub(crate) struct Raw {
    connection: Connection,
    calls: SendStream,
    answers: RecvStream,
}

impl Raw {
    pub(crate) async fn connect(site: &Site, port: u16, is_default: bool) -> anyhow::Result<Self> {
        let (endpoint, client) = site.endpoint(0, is_default)?;
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let connection = endpoint.connect_with(client, to, "far")?.await?;
        let (calls, answers) = connection.open_bi().await?;
        Ok(Self {
            connection,
            calls,
            answers,
        })
    }

    /// Time for `bytes` on each of `streams`, counted by the receiver.
    pub(crate) async fn flood(&self, streams: usize, bytes: usize) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let mut sent = JoinSet::new();
        for _ in 0..streams {
            sent.spawn(send(self.connection.open_uni().await?, bytes));
        }
        for _ in 0..streams {
            let mut answer = self.connection.accept_uni().await?;
            let seen = answer.read_to_end(16).await?;
            let count = seen.first_chunk().map(|count| u64::from_be_bytes(*count));
            ensure!(count == Some(bytes as u64), "{count:?} bytes came of {bytes}");
            let digest = sent_digest(bytes).to_be_bytes();
            ensure!(seen.last_chunk() == Some(&digest), "other bytes came");
        }
        let took = started.elapsed();
        while let Some(task) = sent.join_next().await {
            task??;
        }
        Ok(took)
    }

    /// Round trips of `size` bytes, one after another.
    pub(crate) async fn round_trips(&mut self, count: usize, size: usize) -> anyhow::Result<Vec<Duration>> {
        let call = pattern().slice(..size);
        let mut answer = vec![0; size];
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let started = Instant::now();
            self.calls.write_chunk(call.clone()).await?;
            self.answers.read_exact(&mut answer).await?;
            times.push(started.elapsed());
            ensure!(answer == call, "another answer came");
        }
        Ok(times)
    }
}

fn chunks(mut bytes: usize) -> impl Iterator<Item = Bytes> {
    let pattern = pattern();
    std::iter::from_fn(move || {
        let length = bytes.min(CHUNK);
        bytes -= length;
        (length > 0).then(|| pattern.slice(..length))
    })
}

fn sent_digest(bytes: usize) -> u64 {
    let mut digest = Xxh3::new();
    chunks(bytes).for_each(|chunk| digest.update(&chunk));
    digest.digest()
}

async fn send(mut stream: SendStream, bytes: usize) -> anyhow::Result<()> {
    for chunk in chunks(bytes) {
        stream.write_chunk(chunk).await.context("a stream")?;
    }
    stream.finish()?;
    Ok(())
}
