//! Serves the port mapper protocol on one or more addresses.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tracing::debug;
use tracing::warn;

use super::question::Question;
use crate::epmd::EpmdError;
use crate::epmd::Request;
use crate::epmd::Response;
use crate::epmd::message::REQUEST_MAX;

/// The maximum number of connections: as many as a stock epmd can hold, most of them registered nodes.
const CONNECTIONS: usize = 1024;

/// The time within which a request must be complete. After it has registered, a node's connection may stay open.
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// Binds an address.
///
/// # Errors
/// If the address cannot be bound, for example because a stock epmd uses it.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, EpmdError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| EpmdError::Bind { address, source })
}

/// Serves connections. Never returns.
pub async fn serve(listener: TcpListener, questions: mpsc::Sender<Question>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "the port mapper cannot accept a connection; check the limit on open files");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let questions = questions.clone();
        tokio::spawn(async move {
            if let Err(error) = converse(stream, from, questions).await {
                debug!(%from, %error, "a port mapper connection ended");
            }
            drop(permit);
        });
    }
}

fn io_error(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

async fn converse(mut stream: TcpStream, from: SocketAddr, questions: mpsc::Sender<Question>) -> io::Result<()> {
    let local = stream.local_addr()?;
    let request = match tokio::time::timeout(REQUEST_TIME, read_request(&mut stream)).await {
        Ok(Ok(request)) => request,
        Ok(Err(error)) => {
            warn!(%from, %error, "refused a port mapper request");
            return Ok(());
        }
        Err(_) => return Ok(()),
    };
    let is_near = from.ip().is_loopback() || from.ip() == local.ip();
    match request {
        Request::Register(_) | Request::Dump | Request::Kill | Request::Stop if !is_near => {
            warn!(%from, "refused a port mapper request that is allowed only from this host");
            Ok(())
        }
        Request::Register(registration) => register(stream, registration, questions).await,
        Request::Port(name) => {
            let found = ask(&questions, |answer| Question::LookUp {
                name,
                arrived_on: local.ip(),
                answer,
            })
            .await
            .flatten();
            stream.write_all(&Response::Port(found).encode()).await?;
            stream.shutdown().await
        }
        Request::Names => list(stream, &questions, local.port(), false).await,
        Request::Dump => list(stream, &questions, local.port(), true).await,
        Request::Kill => stream.write_all(b"NO").await,
        Request::Stop => Ok(()),
    }
}

async fn read_request(stream: &mut TcpStream) -> io::Result<Request> {
    let length = usize::from(stream.read_u16().await?);
    if length > REQUEST_MAX {
        return Err(io_error(EpmdError::Oversized {
            length,
            limit: REQUEST_MAX,
        }));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Request::parse(&bytes).map_err(io_error)
}

async fn ask<T>(
    questions: &mpsc::Sender<Question>,
    question: impl FnOnce(oneshot::Sender<T>) -> Question,
) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    questions.send(question(answer)).await.ok()?;
    answered.await.ok()
}

/// Registers a node. The registration ends when the node sends any byte or closes the connection.
async fn register(
    mut stream: TcpStream,
    registration: crate::epmd::Registration,
    questions: mpsc::Sender<Question>,
) -> io::Result<()> {
    let name = registration.name.clone();
    let is_wide = registration.versions.0 >= 6;
    let creation = ask(&questions, |answer| Question::Register { registration, answer })
        .await
        .flatten();
    let answered = stream
        .write_all(&Response::Registered { is_wide, creation }.encode())
        .await;
    let mut byte = [0];
    if creation.is_none() {
        // As with epmd, the node closes the connection.
        let _ = tokio::time::timeout(REQUEST_TIME, stream.read(&mut byte)).await;
        return answered;
    }
    let ended = match answered {
        Ok(()) => stream.read(&mut byte).await.map(drop),
        Err(error) => Err(error),
    };
    let _ = questions.send(Question::Unregister { name }).await;
    ended
}

async fn list(mut stream: TcpStream, questions: &mpsc::Sender<Question>, port: u16, is_dump: bool) -> io::Result<()> {
    let names = ask(questions, |answer| Question::Names { answer })
        .await
        .unwrap_or_default();
    let mut text = String::new();
    for node in names {
        let _ = if is_dump {
            writeln!(text, "active name     <{}> at port {}, fd = 0", node.name, node.port)
        } else {
            writeln!(text, "name {} at port {}", node.name, node.port)
        };
    }
    // One write, because a node that lists names expects the port in the first packet.
    let mut bytes = u32::from(port).to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}
