//! Connecting to other nodes.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio::time::timeout;
use tracing::warn;

use super::circuit as circuits;
use super::circuit::Circuit;
use super::node::Shared;
use super::tcp::Wire;
use super::ways::Ways;
use crate::dist::case_hint;
use crate::dist::list_nodes;
use crate::endpoint::io::near;
use crate::epmd::EpmdError;
use crate::epmd::io::registration::look_up;
use crate::etf::Atom;
use crate::hub::io::directory::Place;
use crate::node::ConnectionError;
use crate::node::FarIdentity;
use crate::node::handshake::Handshake;

/// Polling interval of an attempt that gave way to the other node's attempt: whether that one has succeeded.
const LOOK: Duration = Duration::from_millis(20);

/// An established connection of either kind.
enum Carrier {
    Tcp(Wire),
    Lanes(Circuit),
}

/// Connects to a node in a new task.
pub(in crate::node) fn dial(shared: &Arc<Shared>, node: Atom, attempt: u64) {
    shared
        .tasks
        .spawn_on(connect(Arc::clone(shared), node, attempt), &shared.runtime);
}

/// Connects to a node, and runs the connection if it is established.
async fn connect(shared: Arc<Shared>, node: Atom, attempt: u64) {
    let limit = shared.config.setup_time;
    let setting_up = async {
        match call(&shared, &node, attempt).await {
            // The attempt of the other node goes on: it arrives at our listener.
            Err(ConnectionError::Refused { status: "nok", .. }) => loop {
                sleep(LOOK).await;
                if !shared.apply(|machine| machine.is_current(&node, attempt)) {
                    return Ok(None);
                }
            },
            other => other.map(Some),
        }
    };
    let outcome = tokio::select! {
        outcome = timeout(limit, setting_up) => outcome.unwrap_or(Err(ConnectionError::Late(limit))),
        () = shared.stopping.cancelled() => Err(ConnectionError::Local("this node is stopping".to_owned())),
    };
    match outcome {
        Ok(None) => {}
        Ok(Some((Carrier::Tcp(wire), far))) => wire.carry(shared, far).await,
        Ok(Some((Carrier::Lanes(circuit), far))) => circuit.carry(shared, far).await,
        Err(error) => shared.apply(|machine| machine.failed(&node, attempt, &error.to_string())),
    }
}

async fn call(shared: &Arc<Shared>, node: &Atom, attempt: u64) -> Result<(Carrier, FarIdentity), ConnectionError> {
    let stream = match &shared.ways {
        Ways::PortMapper(epmd) => TcpStream::connect(find(*epmd, node).await?).await?,
        Ways::Daemon(daemon) => match circuits::find(daemon, node).await? {
            Place::Here { port } => near::connect(node.as_str(), port, new_socket)
                .await
                .map_err(|error| ConnectionError::Local(error.to_string()))?,
            Place::Peer { session, policy } => {
                if let Err(denied) = policy.check_pair(&shared.name, node.as_str()) {
                    let reason = denied.to_string();
                    warn!(peer = %session.peer, reason, "a connection of this node was refused");
                    session.deny(node.as_str().to_owned(), reason.clone()).await;
                    return Err(ConnectionError::Local(reason));
                }
                let (circuit, far) = Circuit::call(shared, node, attempt, session, policy).await?;
                return Ok((Carrier::Lanes(circuit), far));
            }
            Place::Unknown { known, .. } => {
                let hint = case_hint(node.as_str(), known.iter().flatten().map(String::as_str));
                let (node, known) = (node.as_str().to_owned(), list_nodes(&known));
                return Err(ConnectionError::Nowhere { node, hint, known });
            }
        },
    };
    let mut wire = Wire::new(stream, attempt);
    let party = Handshake::initiate(shared.own.clone(), node, rand::random());
    let far = wire.shake(shared, party).await?;
    Ok((Carrier::Tcp(wire), far))
}

fn new_socket(ip: IpAddr) -> std::io::Result<TcpSocket> {
    match ip {
        IpAddr::V4(_) => TcpSocket::new_v4(),
        IpAddr::V6(_) => TcpSocket::new_v6(),
    }
}

/// Asks the port mapper where a node listens on this host: plain distribution never leaves the host.
async fn find(epmd: SocketAddr, node: &Atom) -> Result<SocketAddr, ConnectionError> {
    let unknown = || ConnectionError::Unknown(epmd.to_string(), node.as_str().to_owned());
    let (name, host) = node.split_once('@').ok_or_else(unknown)?;
    // For a name with a loopback address as its host part, that address is asked. Any other host part means this host, at ::1 if
    // the port mapper is there.
    let host = host.parse::<IpAddr>().ok().filter(IpAddr::is_loopback);
    let is_v6 = epmd.ip() == Ipv6Addr::LOCALHOST;
    let own = if is_v6 { epmd.ip() } else { Ipv4Addr::LOCALHOST.into() };
    let ip = host.unwrap_or(own);
    let epmd = SocketAddr::new(if epmd.ip().is_loopback() { ip } else { epmd.ip() }, epmd.port());
    // A gateway's port mapper knows full names, a stock one only names without host.
    for name in [node.as_str(), name] {
        match look_up(epmd, name).await {
            Ok(Some(found)) => return Ok(SocketAddr::new(ip, found.port)),
            Ok(None) => {}
            Err(EpmdError::Io(error)) => return Err(error.into()),
            Err(error) => return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, error).into()),
        }
    }
    Err(unknown())
}
