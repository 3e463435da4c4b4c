//! Peers that the daemon dials.

use std::net::SocketAddr;
use std::time::Duration;

use quinn::Endpoint;

use super::greet::Greeted;
use super::greet::greet;
use crate::trunk::Held;
use crate::trunk::LocalDaemon;
use crate::trunk::TrunkError;

/// An attempt that takes longer fails, and the peer is tried again later.
const DIAL_TIME: Duration = Duration::from_secs(10);

/// Dials a peer at `address`, in the form `host:port`. The peer's certificate must contain `name`.
///
/// # Errors
/// If the address cannot be resolved, no peer answers there, or the peer that answers has another name.
pub async fn dial(
    endpoint: &Endpoint,
    config: quinn::ClientConfig,
    daemon: &LocalDaemon,
    held: &Held,
    name: &str,
    address: &str,
) -> Result<Greeted, TrunkError> {
    let resolve = |reason: String| TrunkError::Resolve {
        address: address.to_owned(),
        reason,
    };
    let local_is_v4 = endpoint.local_addr().is_ok_and(|local| local.is_ipv4());
    let found = tokio::net::lookup_host(address)
        .await
        .map_err(|error| resolve(error.to_string()))?;
    let found: Vec<SocketAddr> = found.filter(|found| found.is_ipv4() == local_is_v4).collect();
    let mut last = resolve("no address of the IP family of [gateway] listen".into());
    for remote in found {
        let attempt = async {
            let connecting = endpoint.connect_with(config.clone(), remote, name);
            let connection = connecting
                .map_err(|error| TrunkError::Connection(error.to_string()))?
                .await?;
            let (control, receiving) = connection.open_bi().await?;
            greet(connection, control, receiving, daemon, held, Some(name)).await
        };
        match tokio::time::timeout(DIAL_TIME, attempt).await {
            Ok(Ok(greeted)) => return Ok(greeted),
            Ok(Err(error)) => last = error,
            Err(_) => last = TrunkError::Late("answer"),
        }
    }
    Err(last)
}
