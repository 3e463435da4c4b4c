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
use tracing::warn;

use super::accept::socket;
use super::accept::tune;
use super::leg::Leg;
use super::leg::NAMELESS;
use super::leg::refuse;
use crate::dist::Party;
use crate::dist::Relay;
use crate::dist::handshake;
use crate::endpoint::Follower;
use crate::endpoint::io::endpoint::Endpoint;
use crate::endpoint::io::session::SessionHandle;
use crate::epmd::io::entrance::Entrance;
use crate::epmd::io::entrance::Place;
use crate::gateway::GatewayConfig;
use crate::gateway::LegError;
use crate::hub::io::directory::Initiator;
use crate::hub::io::directory::Request;
use crate::router::Denied;
use crate::router::Policy;

/// Maximum number of connections to one persona that have shaken hands: one for each local node.
const CONNECTIONS: usize = 1024;

/// Maximum number of connections to one persona that have not. A handshake takes two round trips to the peer.
const NEWCOMERS: usize = 128;

/// Connections that may wait until they are accepted. The kernel ignores those beyond, and they try again after a second.
const BACKLOG: u32 = 4096;

/// Time-out for the first message of a connection, which says the name of the local node. A node sends it at once.
const NAME_TIME: Duration = Duration::from_secs(5);

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
    let listener = listener.listen(BACKLOG)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Accepts connections of local nodes until the task is cancelled.
///
/// Connections that say nothing, or do not go on with the handshake, have room of their own and make room for newer ones. So they do not
/// keep real nodes out.
pub(in crate::gateway) async fn serve(listener: TcpListener, persona: Persona) {
    let entrance = Entrance::new(&format!("persona of {}", persona.target), NEWCOMERS);
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (persona, connections, place) = (persona.clone(), Arc::clone(&connections), entrance.enter());
                tokio::spawn(async move {
                    let evicted = place.evicted();
                    evicted
                        .run_until_cancelled(open(stream, persona, place, connections))
                        .await;
                });
            }
            Err(error) => {
                warn!(
                    node = persona.target,
                    %error,
                    "a persona cannot accept a connection; is the limit of open files too low?"
                );
                entrance.evict();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Opens a circuit for a local node and runs the leg.
async fn open(mut stream: TcpStream, persona: Persona, place: Place, connections: Arc<Semaphore>) {
    let Persona {
        target,
        hub,
        session,
        policy,
        config,
    } = persona;
    let evicted = place.evicted();
    let mut input = BytesMut::new();
    let named = timeout(NAME_TIME, read_name(&mut stream, &mut input));
    let Some(named) = evicted.run_until_cancelled(named).await else {
        return;
    };
    let relay = match named {
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
    if is_denied(&mut stream, &relay, &target, &session, &policy).await {
        return;
    }
    let Ok(_permit) = connections.try_acquire_owned() else {
        warn!(
            from = relay.initiator_name().unwrap_or(NAMELESS),
            to = target,
            max = CONNECTIONS,
            "the connection of a local node was refused: too many"
        );
        return;
    };
    let opening = Endpoint::open(&session, target.clone(), relay.send_name());
    let Ok(Ok(endpoint)) = timeout(config.handshake_time, opening).await else {
        return;
    };
    let circuit = endpoint.circuit().clone();
    tune(&stream, &config);
    let leg = Leg {
        stream,
        input,
        handshake: Follower::new(relay, Party::Initiator, Arc::clone(circuit.peer()), policy),
        endpoint,
        target,
        config,
    };
    if evicted
        .run_until_cancelled(leg.run(move || drop(place)))
        .await
        .is_none()
    {
        circuit
            .close("the local node did not go on with the handshake".to_owned())
            .await;
    }
}

/// Whether the policy denies the connection. The local node is told as a node tells it that does not let another one connect, and the
/// peer's log has it too. The far node hears nothing.
async fn is_denied(
    stream: &mut TcpStream,
    relay: &Relay,
    target: &str,
    session: &SessionHandle,
    policy: &Policy,
) -> bool {
    let pair = relay.initiator_name().map(|from| policy.check_pair(from, target));
    let Some(Err(denied)) = pair else {
        return false;
    };
    let Denied { from, to, rule, .. } = &denied;
    warn!(peer = %session.peer, from, to, rule, reason = %denied, "the connection of a local node was refused");
    refuse(stream).await;
    session.deny(target.to_owned(), denied.to_string()).await;
    true
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
