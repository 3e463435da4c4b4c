//! A node's side of the port mapper: it registers, and looks up others.

use std::net::SocketAddr;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::epmd::EpmdError;
use crate::epmd::Registration;
use crate::epmd::Request;
use crate::epmd::Response;
use crate::epmd::message::RESPONSE_MAX;
#[cfg(feature = "daemon")]
use crate::epmd::message::names_in;

/// A list of names is no longer: a thousand nodes with the longest names.
#[cfg(feature = "daemon")]
const NAMES_MAX: usize = 2 << 20;

/// A registration, which lasts until this is dropped.
#[derive(Debug)]
pub struct Registered {
    /// The incarnation given.
    pub creation: u32,
    stream: TcpStream,
}

impl Registered {
    /// Waits until the port mapper ends the registration, as when it stops.
    pub async fn lost(&mut self) {
        let mut byte = [0];
        while matches!(self.stream.read(&mut byte).await, Ok(count) if count > 0) {}
    }
}

/// Registers a node; `None` if its name is taken.
///
/// # Errors
/// If there is no port mapper at that address, or its answer is malformed.
pub async fn register(epmd: SocketAddr, registration: Registration) -> Result<Option<Registered>, EpmdError> {
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

/// Where a node is; `None` if it is not registered. `name` is bare; a beamway gateway understands a full one too.
///
/// # Errors
/// If there is no port mapper at that address, or its answer is malformed.
pub async fn look_up(epmd: SocketAddr, name: &str) -> Result<Option<Registration>, EpmdError> {
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

/// The bare names of the nodes that are registered.
///
/// # Errors
/// If there is no port mapper at that address, or its answer is malformed.
#[cfg(feature = "daemon")]
pub async fn names(epmd: SocketAddr) -> Result<Vec<String>, EpmdError> {
    let mut stream = TcpStream::connect(epmd).await?;
    stream.write_all(&Request::Names.encode()).await?;
    let mut answer = Vec::new();
    // It ends by the end of the connection.
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
