//! Circuits opened by a peer: the gateway connects to the local node.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tracing::info;
use tracing::warn;

use super::leg::Leg;
use crate::dist::Party;
use crate::dist::Relay;
use crate::dist::handshake;
use crate::endpoint::io::endpoint::Endpoint;
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
    let peer = session.peer.clone();
    let relay = match Relay::new(&open.send_name) {
        Ok(relay) => relay,
        Err(error) => return refuse(&session, circuit, &error.into()).await,
    };
    let initiator = relay.initiator_name().unwrap_or("a node without a name").to_owned();
    let stream = match connect(&open.target, port, &relay, &config).await {
        Ok(stream) => stream,
        Err(error) => return refuse(&session, circuit, &error.into()).await,
    };
    let Ok(endpoint) = Endpoint::accept(&session, circuit).await else {
        return;
    };
    tune(&stream, &config);
    let leg = Leg {
        stream,
        input: BytesMut::new(),
        relay,
        local: Party::Acceptor,
        endpoint,
        policy,
        config,
    };
    let reason = leg.run().await;
    info!(%peer, %circuit, from = initiator, to = open.target, %reason, "a circuit has ended");
}

/// Ends a circuit that has no leg.
pub(in crate::gateway) async fn refuse(session: &SessionHandle, circuit: CircuitId, error: &LegError) {
    warn!(peer = %session.peer, %circuit, %error, "a circuit was refused");
    session.refuse(circuit, error.to_string()).await;
}

/// Connects to a local node. By default a node listens on all addresses; otherwise most likely on the one in its name.
async fn connect(target: &str, port: u16, relay: &Relay, config: &GatewayConfig) -> std::io::Result<TcpStream> {
    let host = target.split_once('@').and_then(|(_, host)| host.parse::<IpAddr>().ok());
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for ip in [host, Some(Ipv4Addr::LOCALHOST.into())].into_iter().flatten() {
        match socket(ip, config)?.connect((ip, port).into()).await {
            Ok(mut stream) => {
                let mut framed = BytesMut::new();
                handshake::encode(&relay.send_name(), &mut framed);
                stream.write_all(&framed).await?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
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
