//! The address of a peer, as the name service has it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::debug;

use crate::trunk::TrunkError;

/// How long a look-up is waited for if no address is known, and if one is.
const FIRST_TIME: Duration = Duration::from_secs(5);
const LATER_TIME: Duration = Duration::from_millis(300);

/// Resolves the address of one peer. At most one look-up is in progress, however long the name service takes; until it has
/// answered, and when it fails, the last good addresses are used.
#[derive(Debug)]
pub struct Resolver {
    address: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pending: Option<JoinHandle<io::Result<Vec<SocketAddr>>>>,
    last: Vec<SocketAddr>,
}

impl Resolver {
    /// Creates a resolver of `address`, in the form `host:port`.
    pub fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            state: Mutex::default(),
        }
    }

    /// A resolver that knows the addresses: there are no others.
    pub fn of(addresses: Vec<SocketAddr>) -> Self {
        Self {
            address: String::new(),
            state: Mutex::new(State {
                pending: None,
                last: addresses,
            }),
        }
    }

    /// The addresses of the peer, at least one.
    ///
    /// # Errors
    /// If the name service gives none, and never has.
    pub async fn resolve(&self) -> Result<Vec<SocketAddr>, TrunkError> {
        if let Ok(address) = self.address.parse() {
            return Ok(vec![address]);
        }
        let mut state = self.state.lock().await;
        if self.address.is_empty() {
            return Ok(state.last.clone());
        }
        let State { pending, last } = &mut *state;
        let address = self.address.clone();
        #[expect(clippy::disallowed_methods, reason = "this is the place that gives it a deadline")]
        let look_up = pending
            .get_or_insert_with(|| tokio::spawn(async move { lookup_host(address).await.map(Iterator::collect) }));
        let time = if last.is_empty() { FIRST_TIME } else { LATER_TIME };
        let reason = match timeout(time, look_up).await {
            Ok(found) => {
                *pending = None;
                match found.map_err(io::Error::other).and_then(|found| found) {
                    Ok(found) if found.is_empty() => "the name has no address".to_owned(),
                    Ok(found) => {
                        last.clone_from(&found);
                        return Ok(found);
                    }
                    Err(error) => error.to_string(),
                }
            }
            Err(_) => format!("no answer within {time:?}"),
        };
        if last.is_empty() {
            return Err(TrunkError::Resolve {
                address: self.address.clone(),
                reason,
            });
        }
        debug!(
            address = self.address,
            reason, "cannot resolve the address of a peer; using the last one"
        );
        Ok(last.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_good_address_outlives_the_name_service() {
        let resolver = Resolver::new("localhost:4471");
        let found = resolver.resolve().await.unwrap();
        assert!(
            !found.is_empty()
                && found
                    .iter()
                    .all(|address| address.ip().is_loopback() && address.port() == 4471)
        );
        // The name service hangs: one look-up is in progress, and stays the only one.
        let hangs = tokio::spawn(std::future::pending());
        let id = hangs.id();
        resolver.state.lock().await.pending = Some(hangs);
        for _ in 0..2 {
            assert_eq!(resolver.resolve().await.unwrap(), found);
        }
        assert_eq!(
            resolver.state.lock().await.pending.as_ref().map(JoinHandle::id),
            Some(id)
        );
        // It fails.
        resolver.state.lock().await.pending = Some(tokio::spawn(async { Err(io::ErrorKind::NotFound.into()) }));
        assert_eq!(resolver.resolve().await.unwrap(), found);
        assert!(resolver.state.lock().await.pending.is_none());
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_an_error() {
        let error = Resolver::new("no-such-host.invalid:1").resolve().await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("cannot resolve no-such-host.invalid:1: "), "{text}");
    }
}
