//! Serves the port mapper protocol on one or more addresses.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use tracing::warn;

use super::entrance::Entrance;
use super::entrance::Place;
use super::question::Question;
use crate::epmd::EpmdError;
use crate::epmd::LOCALHOST;
use crate::epmd::NEWCOMERS;
use crate::epmd::Request;
use crate::epmd::Response;
use crate::epmd::message::REQUEST_MAX;

/// The time within which a request must be complete. Nodes and tools send it as soon as they are connected.
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// The time within which a request is answered, or the connection is closed: less than the 7 s (`net_setuptime`) after which a node
/// gives up, so that it learns the outcome.
const ANSWER_TIME: Duration = Duration::from_secs(4);

/// The connections that may wait until they are accepted. The kernel ignores those beyond, and they try again after a second.
const BACKLOG: u32 = 4096;

/// Binds an address.
///
/// # Errors
/// If the address cannot be bound, for example because a stock epmd uses it.
pub fn bind(address: SocketAddr) -> Result<TcpListener, EpmdError> {
    let listen = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // Connections of an earlier daemon that have not quite ended do not count.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source| EpmdError::Bind { address, source })
}

/// Serves connections. Never returns.
///
/// Registered nodes, limited by the registry, and all other connections, limited by [`NEWCOMERS`], have room of their own, so that
/// neither many nodes nor idle connections keep questions out.
pub async fn serve(listener: TcpListener, questions: mpsc::Sender<Question>) {
    let entrance = Entrance::new("port mapper", NEWCOMERS);
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "the port mapper cannot accept a connection; check the limit on open files");
                entrance.evict();
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let questions = questions.clone();
        let place = entrance.enter();
        tokio::spawn(async move {
            let evicted = place.evicted();
            let ended = evicted
                .run_until_cancelled(converse(stream, from, questions, place))
                .await;
            if let Some(Err(error)) = ended {
                debug!(%from, %error, "a port mapper connection ended");
            }
        });
    }
}

fn io_error(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

async fn converse(
    mut stream: TcpStream,
    from: SocketAddr,
    questions: mpsc::Sender<Question>,
    place: Place,
) -> io::Result<()> {
    // An IPv6 listener also gets connections over IPv4, from addresses such as ::ffff:127.0.0.1.
    let (far, near) = (from.ip().to_canonical(), stream.local_addr()?);
    let near = SocketAddr::new(near.ip().to_canonical(), near.port());
    let request = match timeout(REQUEST_TIME, read_request(&mut stream)).await {
        Ok(Ok(request)) => request,
        // A connection that is closed without a word is no request, and a flood of them must be no flood of lines.
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(error),
        Ok(Err(error)) => {
            warn!(%from, %error, "refused a port mapper request");
            return Ok(());
        }
        Err(_) => return Ok(()),
    };
    let is_near = far.is_loopback() || far == near.ip();
    match request {
        Request::Register(_) | Request::Dump | Request::Kill | Request::Stop if !is_near => {
            warn!(%from, "refused a port mapper request that is allowed only from this host");
            Ok(())
        }
        Request::Register(registration) => register(stream, registration, questions, place).await,
        request => match timeout(ANSWER_TIME, answer(stream, request, near, &questions)).await {
            Ok(answered) => answered,
            Err(_) => {
                warn!(%from, "a port mapper request was not answered within {ANSWER_TIME:?}: the daemon is overloaded, or the asking \
                              program does not read");
                Ok(())
            }
        },
    }
}

/// Answers any request but a registration. `near` is the address at which it arrived.
async fn answer(
    mut stream: TcpStream,
    request: Request,
    near: SocketAddr,
    questions: &mpsc::Sender<Question>,
) -> io::Result<()> {
    let arrived_on = near.ip();
    match request {
        Request::Port(name) => {
            let found = ask(questions, |answer| Question::LookUp {
                name,
                arrived_on,
                answer,
            })
            .await
            .flatten();
            stream.write_all(&Response::Port(found).encode()).await?;
            stream.shutdown().await
        }
        Request::Names(host) => list(stream, questions, host, near, false).await,
        Request::Dump => list(stream, questions, Some(LOCALHOST.to_owned()), near, true).await,
        Request::Kill => stream.write_all(b"NO").await,
        Request::Stop | Request::Register(_) => Ok(()),
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
    place: Place,
) -> io::Result<()> {
    let name = registration.name.clone();
    let is_wide = registration.versions.0 >= 6;
    let gone = CancellationToken::new();
    // However this function ends, the registration does too.
    let _unregister = gone.clone().drop_guard();
    let asked = ask(&questions, |answer| Question::Register {
        registration,
        gone,
        answer,
    });
    let Ok(creation) = timeout(ANSWER_TIME, asked).await else {
        warn!(
            node = name,
            "a node was not registered within {ANSWER_TIME:?}: the daemon is overloaded; start the node again"
        );
        return Ok(());
    };
    let creation = creation.flatten();
    let response = Response::Registered { is_wide, creation }.encode();
    timeout(ANSWER_TIME, stream.write_all(&response)).await??;
    let mut byte = [0];
    if creation.is_none() {
        // As with epmd, the node closes the connection.
        let _ = timeout(REQUEST_TIME, stream.read(&mut byte)).await;
        return Ok(());
    }
    drop(place);
    stream.read(&mut byte).await.map(drop)
}

async fn list(
    mut stream: TcpStream,
    questions: &mpsc::Sender<Question>,
    host: Option<String>,
    near: SocketAddr,
    is_dump: bool,
) -> io::Result<()> {
    let names = ask(questions, |answer| Question::Names {
        host,
        arrived_on: near.ip(),
        answer,
    })
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
    let mut bytes = u32::from(near.port()).to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}
