//! The load over one QUIC connection, as a trunk is set up, without a session.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use std::time::SystemTime;

use anyhow::Context as _;
use anyhow::ensure;
use beamway::internals::congestion::Algorithm;
use beamway::internals::tls::Authority;
use beamway::internals::tls::Identity;
use beamway::internals::tls::PemFiles;
use beamway::internals::tls::client_config;
use beamway::internals::tls::reset_key;
use beamway::internals::tls::server_config;
use beamway::internals::trunk::SendErrors;
use beamway::internals::trunk::TrunkConfig;
use beamway::internals::trunk::io::udp::bind;
use bytes::Bytes;
use quinn::Connection;
use quinn::Endpoint;
use quinn::RecvStream;
use quinn::SendStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::Instant as TokioInstant;

use crate::cell;
use crate::cell::CALLS;
use crate::cell::EndThread;
use crate::cell::PATTERN;
use crate::cell::Setting;
use crate::cell::Tally;
use crate::cell::within;

pub(crate) const PORT: u16 = 7000;
pub(crate) const PORT_BESIDE: u16 = 7003;

/// The threads of both ends, sending end second.
pub(crate) fn start(
    namespaces: &[String; 2],
    tally: &Arc<Tally>,
    algorithm: Algorithm,
    port: u16,
    setting: Setting,
) -> anyhow::Result<[EndThread; 2]> {
    let config = TrunkConfig {
        lanes: setting.streams,
        stream_window: setting.window(),
        congestion: algorithm,
        ..TrunkConfig::default()
    };
    let authority = Authority::create(SystemTime::now())?;
    let [receiver, sender] = ["receiver", "sender"].map(|name| identity(&authority, name));
    let (receiver, sender) = (receiver?, sender?);
    let (ready_in, ready) = std::sync::mpsc::channel();
    let receiving = {
        let (config, tally) = (config.clone(), tally.clone());
        within(&namespaces[1], move || {
            run(async {
                let endpoint = endpoint(&config, &receiver, port)?;
                ready_in.send(())?;
                let incoming = endpoint.accept().await.context("an endpoint that is open")?;
                let sent = receive(incoming.await?, &tally, setting.back()).await?;
                endpoint.wait_idle().await;
                Ok(sent)
            })
        })
    };
    let sending = {
        let tally = tally.clone();
        within(&namespaces[0], move || {
            ready.recv().context("the receiving end")?;
            run(async {
                let endpoint = endpoint(&config, &sender, 0)?;
                let tls = Arc::new(client_config(&sender)?);
                let client = config.client(tls).map_err(anyhow::Error::msg)?;
                let to = SocketAddr::new(cell::RECEIVER.parse()?, port);
                let connection = endpoint.connect_with(client, to, "receiver")?.await?;
                let sent = send(&connection, &tally, setting.streams, setting.back()).await?;
                connection.close(0u8.into(), b"");
                endpoint.wait_idle().await;
                Ok(sent)
            })
        })
    };
    Ok([receiving, sending])
}

fn run(work: impl Future<Output = anyhow::Result<u64>>) -> anyhow::Result<u64> {
    Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn identity(authority: &Authority, name: &str) -> anyhow::Result<Identity> {
    let now = SystemTime::now();
    let issued = authority.issue(name, 1, now)?;
    let files = PemFiles {
        authorities: authority.certificate_pem().as_bytes(),
        certificate: issued.certificate_pem.as_bytes(),
        key: issued.key_pem.as_bytes(),
        revoked: b"",
    };
    Ok(Identity::load(&files, name, now)?)
}

fn endpoint(config: &TrunkConfig, identity: &Identity, port: u16) -> anyhow::Result<Endpoint> {
    let tls = config
        .server(Arc::new(server_config(identity)?))
        .map_err(anyhow::Error::msg)?;
    let address = SocketAddr::from(([0, 0, 0, 0], port));
    Ok(bind(
        address,
        config,
        Some(tls),
        Arc::new(reset_key(identity)),
        SendErrors::default(),
    )?
    .endpoint)
}

/// Streams that end when told to, `back` of them towards here, and calls; gives the bytes of bulk that were sent.
async fn send(connection: &Connection, tally: &Arc<Tally>, streams: u8, back: u8) -> anyhow::Result<u64> {
    let (calls, answers) = connection.open_bi().await?;
    let bulk = bulk(connection, tally, streams).await?;
    let back = {
        let (connection, tally) = (connection.clone(), tally.clone());
        tokio::spawn(async move {
            let mut tasks = JoinSet::new();
            for _ in 0..back {
                tasks.spawn(receive_bulk(connection.accept_uni().await?, tally.clone()));
            }
            while let Some(task) = tasks.join_next().await {
                task??;
            }
            anyhow::Ok(())
        })
    };
    let answers = tokio::spawn(answers_of(answers, tally.clone(), Instant::now()));
    call(calls, tally, answers).await?;
    back.await??;
    sum(bulk).await
}

type Bulk = JoinSet<anyhow::Result<u64>>;

async fn bulk(connection: &Connection, tally: &Arc<Tally>, streams: u8) -> anyhow::Result<Bulk> {
    let mut bulk = JoinSet::new();
    for _ in 0..streams {
        bulk.spawn(send_bulk(connection.open_uni().await?, tally.clone()));
    }
    Ok(bulk)
}

async fn sum(mut bulk: Bulk) -> anyhow::Result<u64> {
    let mut sent = 0;
    while let Some(stream) = bulk.join_next().await {
        sent += stream??;
    }
    Ok(sent)
}

async fn send_bulk(mut stream: SendStream, tally: Arc<Tally>) -> anyhow::Result<u64> {
    let pattern = Bytes::from(cell::pattern());
    let mut sent = 0;
    while !tally.is_over() {
        stream.write_chunk(pattern.clone()).await?;
        sent += PATTERN as u64;
    }
    stream.finish()?;
    // Everything was acknowledged then.
    stream.stopped().await?;
    Ok(sent)
}

/// Sends the number of each call when it is due, until told to end; then waits for the answers.
async fn call(
    mut stream: SendStream,
    tally: &Tally,
    answers: tokio::task::JoinHandle<anyhow::Result<u64>>,
) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval_at(TokioInstant::now() + CALLS, CALLS);
    let mut number = 0u64;
    while !tally.is_over() {
        ticks.tick().await;
        number += 1;
        stream.write_all(&number.to_be_bytes()).await?;
    }
    stream.finish()?;
    ensure!(answers.await?? == number, "an answer is missing");
    Ok(())
}

/// Calls are due at fixed times from `began` on. Gives how many were answered.
async fn answers_of(mut stream: RecvStream, tally: Arc<Tally>, began: Instant) -> anyhow::Result<u64> {
    let mut number = 0u64;
    let mut answer = [0; 8];
    while stream.read_exact(&mut answer).await.is_ok() {
        number += 1;
        ensure!(answer == number.to_be_bytes(), "another answer was due");
        tally.answered(began + CALLS * u32::try_from(number)?);
    }
    Ok(number)
}

/// Receives all, answers calls and sends on `back` streams; gives the bytes of bulk that were sent.
async fn receive(connection: Connection, tally: &Arc<Tally>, back: u8) -> anyhow::Result<u64> {
    let mut tasks = JoinSet::new();
    let (mut answers, mut calls) = connection.accept_bi().await?;
    let bulk = tokio::spawn(sum(bulk(&connection, tally, back).await?));
    tasks.spawn(async move {
        let mut call = [0; 8];
        while calls.read_exact(&mut call).await.is_ok() {
            answers.write_all(&call).await?;
        }
        answers.finish()?;
        anyhow::Ok(())
    });
    while let Ok(stream) = connection.accept_uni().await {
        tasks.spawn(receive_bulk(stream, tally.clone()));
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    bulk.await?
}

async fn receive_bulk(mut stream: RecvStream, tally: Arc<Tally>) -> anyhow::Result<()> {
    let pattern = cell::pattern();
    let mut offset = 0;
    while let Some(chunk) = stream.read_chunk(usize::MAX, true).await? {
        ensure!(
            cell::is_pattern(&pattern, offset, &chunk.bytes),
            "bulk has changed on the way"
        );
        offset += chunk.bytes.len() as u64;
        tally.bulk.fetch_add(chunk.bytes.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}
