use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::router::daemon_of;

/// The maximum number of peers, and of addresses of each: as many as a configuration may have, and more than a host has.
const PEERS: usize = 2048;
const ADDRESSES: usize = 16;

/// Where peers were reached last, or dialled from, by name. Handshakes from there go before those of strangers.
#[derive(Clone, Debug, Default)]
pub struct KnownAddresses(Arc<Mutex<BTreeMap<String, Vec<SocketAddr>>>>);

impl KnownAddresses {
    fn map(&self) -> MutexGuard<'_, BTreeMap<String, Vec<SocketAddr>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A peer has shown its certificate at this address.
    pub fn add(&self, peer: &str, address: SocketAddr) {
        let mut map = self.map();
        let name = daemon_of(peer).to_ascii_lowercase();
        if map.len() >= PEERS && !map.contains_key(&name) {
            return;
        }
        let addresses = map.entry(name).or_default();
        addresses.retain(|other| other.ip() != address.ip());
        addresses.insert(0, address);
        addresses.truncate(ADDRESSES);
    }

    /// Whether a peer has this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.map()
            .values()
            .flatten()
            .any(|known| known.ip().to_canonical() == address)
    }
}
