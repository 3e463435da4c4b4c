//! Circuits opened by a peer: the gateway connects to the local node.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tracing::warn;

use super::leg::Leg;
use crate::dist::Party;
use crate::dist::Relay;
use crate::dist::handshake;
use crate::endpoint::Follower;
use crate::endpoint::io::endpoint::Endpoint;
use crate::endpoint::io::near;
use crate::endpoint::io::session::SessionHandle;
use crate::gateway::GatewayConfig;
use crate::gateway::LegError;
use crate::router::Policy;
use crate::wire::CircuitId;
use crate::wire::Open;

/// Connects a circuit to the local node that listens on `port`, and runs its leg.
pub(in crate::gateway) async fn accept(
    open: Open,
    port: u16,
    session: SessionHandle,
    policy: Policy,
    config: Arc<GatewayConfig>,
) {
    let circuit = open.circuit;
    let relay = match Relay::new(&open.send_name) {
        Ok(relay) => relay,
        Err(error) => return refuse(&session, circuit, &error.into()).await,
    };
    let stream = match connect(&open.target, port, &relay, &config).await {
        Ok(stream) => stream,
        Err(error) => return refuse(&session, circuit, &error).await,
    };
    let Ok(endpoint) = Endpoint::accept(&session, circuit).await else {
        return;
    };
    tune(&stream, &config);
    let leg = Leg {
        stream,
        input: BytesMut::new(),
        handshake: Follower::new(relay, Party::Acceptor, Arc::clone(&session.peer), policy),
        endpoint,
        target: open.target,
        config,
    };
    leg.run(|| {}).await;
}

/// Ends a circuit that has no leg.
pub(in crate::gateway) async fn refuse(session: &SessionHandle, circuit: CircuitId, error: &LegError) {
    warn!(peer = %session.peer, %circuit, %error, "a circuit was refused");
    session.refuse(circuit, error.for_peer()).await;
}

/// Connects to a local node, and sends the first message of the handshake.
async fn connect(target: &str, port: u16, relay: &Relay, config: &GatewayConfig) -> Result<TcpStream, LegError> {
    let mut stream = near::connect(target, port, |ip| socket(ip, config)).await?;
    let mut framed = BytesMut::new();
    handshake::encode(&relay.send_name(), &mut framed);
    // The message fits into the buffer of a new connection, so this does not wait.
    stream.write_all(&framed).await?;
    Ok(stream)
}

/// A socket for a leg, or for the listener of a persona. The receive buffer must be set before the connection exists.
pub(in crate::gateway) fn socket(ip: IpAddr, config: &GatewayConfig) -> std::io::Result<TcpSocket> {
    let socket = match ip {
        IpAddr::V4(_) => TcpSocket::new_v4(),
        IpAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    let _ = socket.set_recv_buffer_size(config.receive_buffer);
    Ok(socket)
}

/// Disables Nagle's algorithm and limits the send buffer in the kernel.
pub(in crate::gateway) fn tune(stream: &TcpStream, config: &GatewayConfig) {
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_send_buffer_size(config.send_buffer);
}
