//! A node's side of the port mapper protocol: registration and look-up.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::epmd::EpmdError;
#[cfg(feature = "daemon")]
use crate::epmd::LOCALHOST;
use crate::epmd::Registration;
use crate::epmd::Request;
use crate::epmd::Response;
use crate::epmd::message::RESPONSE_MAX;
#[cfg(feature = "daemon")]
use crate::epmd::message::names_in;

/// The maximum length of a list of names in bytes: a thousand nodes with the longest names.
#[cfg(feature = "daemon")]
const NAMES_MAX: usize = 2 << 20;

/// The time within which a port mapper accepts a connection and answers. Stock nodes wait 10 s for a registration.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// A registration. It ends when this is dropped.
#[derive(Debug)]
pub struct Registered {
    /// The creation that the port mapper assigned.
    pub creation: u32,
    stream: TcpStream,
}

impl Registered {
    /// Waits until the port mapper ends the registration, for example because it stops.
    pub async fn lost(&mut self) {
        let mut byte = [0];
        while matches!(self.stream.read(&mut byte).await, Ok(count) if count > 0) {}
    }
}

/// Registers a node. Returns `None` if its name is taken.
///
/// # Errors
/// If there is no port mapper at that address, or its answer is malformed or late.
pub async fn register(epmd: SocketAddr, registration: Registration) -> Result<Option<Registered>, EpmdError> {
    in_time(register_in_any_time(epmd, registration)).await
}

async fn in_time<T>(asking: impl Future<Output = Result<T, EpmdError>>) -> Result<T, EpmdError> {
    timeout(ANSWER_TIME, asking)
        .await
        .map_err(|_| EpmdError::Late(ANSWER_TIME))?
}

async fn register_in_any_time(epmd: SocketAddr, registration: Registration) -> Result<Option<Registered>, EpmdError> {
    let mut stream = TcpStream::connect(epmd).await?;
    stream.write_all(&Request::Register(registration).encode()).await?;
    let mut answer = Vec::new();
    loop {
        match Response::parse(&answer)? {
            None => {}
            Some(Response::Registered { creation, .. }) => {
                return Ok(creation.map(|creation| Registered { creation, stream }));
            }
            Some(Response::Port(_)) => return Err(EpmdError::Unknown(answer.first().copied().unwrap_or_default())),
        }
        read(&mut stream, &mut answer).await?;
    }
}

/// Asks for the registration of a node. Returns `None` if it is not registered. `name` is bare; the port mapper of a beamway gateway
/// also accepts a full name.
///
/// # Errors
/// If there is no port mapper at that address, or its answer is malformed or late.
pub async fn look_up(epmd: SocketAddr, name: &str) -> Result<Option<Registration>, EpmdError> {
    in_time(look_up_in_any_time(epmd, name)).await
}

async fn look_up_in_any_time(epmd: SocketAddr, name: &str) -> Result<Option<Registration>, EpmdError> {
    let mut stream = TcpStream::connect(epmd).await?;
    stream.write_all(&Request::Port(name.to_owned()).encode()).await?;
    let mut answer = Vec::new();
    loop {
        match Response::parse(&answer)? {
            None => {}
            Some(Response::Port(found)) => return Ok(found),
            Some(Response::Registered { .. }) => {
                return Err(EpmdError::Unknown(answer.first().copied().unwrap_or_default()));
            }
        }
        read(&mut stream, &mut answer).await?;
    }
}

/// Asks for the bare names of the nodes that are registered there, and no others, if the port mapper is that of a beamway gateway.
///
/// # Errors
/// If there is no port mapper at that address, or its answer is malformed or late.
#[cfg(feature = "daemon")]
pub async fn names(epmd: SocketAddr) -> Result<Vec<String>, EpmdError> {
    in_time(names_in_any_time(epmd)).await
}

#[cfg(feature = "daemon")]
async fn names_in_any_time(epmd: SocketAddr) -> Result<Vec<String>, EpmdError> {
    let mut stream = TcpStream::connect(epmd).await?;
    stream
        .write_all(&Request::Names(Some(LOCALHOST.to_owned())).encode())
        .await?;
    let mut answer = Vec::new();
    // The list ends where the connection ends.
    while stream.read_buf(&mut answer).await? > 0 {
        if answer.len() > NAMES_MAX {
            return Err(EpmdError::Oversized {
                length: answer.len(),
                limit: NAMES_MAX,
            });
        }
    }
    Ok(names_in(&answer))
}

async fn read(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<(), EpmdError> {
    if answer.len() > RESPONSE_MAX {
        return Err(EpmdError::Oversized {
            length: answer.len(),
            limit: RESPONSE_MAX,
        });
    }
    if stream.read_buf(answer).await? == 0 {
        return Err(EpmdError::Io(std::io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(())
}
