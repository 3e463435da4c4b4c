//! Personas: listeners that present remote nodes to the local ones.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio::time::timeout;
use tracing::info;
use tracing::warn;

use super::accept::socket;
use super::accept::tune;
use super::leg::Leg;
use crate::dist::Party;
use crate::dist::Relay;
use crate::dist::handshake;
use crate::endpoint::io::endpoint::Endpoint;
use crate::endpoint::io::session::SessionHandle;
use crate::gateway::GatewayConfig;
use crate::gateway::LegError;
use crate::hub::io::directory::Initiator;
use crate::hub::io::directory::Request;
use crate::router::Policy;

/// Maximum number of connections to one persona: of local nodes, and their attempts.
const CONNECTIONS: usize = 1024;

/// Time-out for the first message of a connection, which says the name of the local node.
const NAME_TIME: Duration = Duration::from_secs(10);

/// How long a visible node may take to register. It gives up its attempt to connect after 7 s.
const REGISTER_TIME: Duration = Duration::from_secs(4);

/// Interval of looks whether a node has registered.
const REGISTER_LOOK: Duration = Duration::from_millis(50);

/// The remote node that a persona presents.
#[derive(Clone)]
pub(in crate::gateway) struct Persona {
    /// The remote node, `name@host`.
    pub(in crate::gateway) target: String,
    /// Knows which nodes there are.
    pub(in crate::gateway) hub: mpsc::Sender<Request>,
    pub(in crate::gateway) session: SessionHandle,
    pub(in crate::gateway) policy: Policy,
    pub(in crate::gateway) config: Arc<GatewayConfig>,
}

/// Binds a listener at the address where local nodes look for the remote one.
pub(in crate::gateway) fn bind(ip: IpAddr, config: &GatewayConfig) -> std::io::Result<(TcpListener, u16)> {
    let listener = socket(ip, config)?;
    listener.bind((ip, 0).into())?;
    let listener = listener.listen(CONNECTIONS as u32)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Accepts connections of local nodes until the task is cancelled.
pub(in crate::gateway) async fn serve(listener: TcpListener, persona: Persona) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let persona = persona.clone();
                tokio::spawn(async move {
                    open(stream, persona).await;
                    drop(permit);
                });
            }
            Err(error) => {
                warn!(
                    node = persona.target,
                    %error,
                    "a persona cannot accept a connection; is the limit of open files too low?"
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Opens a circuit for a local node and runs the leg.
async fn open(mut stream: TcpStream, persona: Persona) {
    let Persona {
        target,
        hub,
        session,
        policy,
        config,
    } = persona;
    let peer = session.peer.clone();
    let mut input = BytesMut::new();
    let relay = match timeout(NAME_TIME, read_name(&mut stream, &mut input)).await {
        Ok(Ok(name)) => Relay::new(&name).map_err(LegError::from),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(LegError::Late("the local node did not send its name", NAME_TIME)),
    };
    let checked = match relay {
        Ok(relay) => check_initiator(&hub, &relay).await.map(|()| relay),
        Err(error) => Err(error),
    };
    let relay = match checked {
        Ok(relay) => relay,
        Err(error) => {
            warn!(to = target, %error, "the connection of a local node was refused");
            return;
        }
    };
    let from = relay.initiator_name().unwrap_or("a node without a name").to_owned();
    let Ok(endpoint) = Endpoint::open(&session, target.clone(), relay.send_name()).await else {
        return;
    };
    let circuit = endpoint.circuit().id();
    tune(&stream, &config);
    let leg = Leg {
        stream,
        input,
        relay,
        local: Party::Initiator,
        endpoint,
        policy,
        config,
    };
    let reason = leg.run().await;
    info!(%peer, %circuit, from, to = target, %reason, "a circuit has ended");
}

/// Checks that the connection can be that of a local node with the name that it claims.
///
/// A visible node is registered at this port mapper, or it could not be found by others. A hidden one need not be: nodes with
/// `-dist_listen false`, remote shells and C nodes never register. Such a node may have any name that no other node has. A node
/// without a name gets one from the node that it connects to. Registration may also come a moment later: after a restart of the
/// gateway nodes register again within two seconds.
async fn check_initiator(hub: &mpsc::Sender<Request>, relay: &Relay) -> Result<(), LegError> {
    let Some(node) = relay.initiator_name() else {
        return Ok(());
    };
    let until = Instant::now() + REGISTER_TIME;
    loop {
        let (answer, answered) = oneshot::channel();
        let request = Request::FindInitiator {
            node: node.to_owned(),
            answer,
        };
        hub.send(request).await.map_err(|_| LegError::NoSession)?;
        match answered.await.map_err(|_| LegError::NoSession)? {
            Initiator::Registered => return Ok(()),
            Initiator::Elsewhere(peer) => {
                let node = node.to_owned();
                return Err(LegError::Elsewhere { node, peer });
            }
            Initiator::Unregistered if !relay.initiator_is_visible() => return Ok(()),
            Initiator::Unregistered if Instant::now() >= until => return Err(LegError::Unregistered(node.to_owned())),
            Initiator::Unregistered => sleep(REGISTER_LOOK).await,
        }
    }
}

async fn read_name(stream: &mut TcpStream, input: &mut BytesMut) -> Result<Bytes, LegError> {
    loop {
        if let Some(message) = handshake::decode(input)? {
            return Ok(message);
        }
        if stream.read_buf(input).await? == 0 {
            return Err(LegError::Closed);
        }
    }
}
