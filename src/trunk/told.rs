use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::SocketAddr;

use crate::tls::daemon_name;
use crate::wire::KnownPeer;

/// Daemons and the addresses at which they listen, by their names in lower case.
pub type Known = BTreeMap<String, Vec<SocketAddr>>;

/// The maximum number of daemons of which one peer may tell: as many as a configuration may have.
pub const PEERS_OF_A_PEER: usize = 1024;

/// The maximum number of daemons of which all peers together may tell.
const DAEMONS: usize = 2048;

/// The maximum number of addresses of one daemon.
const ADDRESSES: usize = 8;

/// The peers in one notice, so that it stays below its maximum length.
const PEERS_OF_A_NOTICE: usize = 256;

/// What peers have told of other daemons. In a large cluster each of many peers tells of nearly all others, so a daemon is kept once.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// By the names of the daemons.
    daemons: BTreeMap<String, Daemon>,
    /// The peers that have told, by their names in lower case.
    tellers: BTreeMap<String, Teller>,
    /// Tellers that there have been.
    count: u64,
}

/// A daemon of which peers have told.
#[derive(Debug, Default)]
struct Daemon {
    /// What was told last comes first.
    addresses: Vec<SocketAddr>,
    tellers: BTreeSet<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Teller {
    number: u64,
    /// How many daemons it has told of.
    daemons: usize,
}

impl Told {
    /// A peer at `from` tells. Returns whether anything has changed. Names that no daemon may have are left out, and so are addresses that
    /// mean another machine here than there.
    pub(super) fn tell(&mut self, teller: &str, from: IpAddr, peers: Vec<KnownPeer>) -> bool {
        let next = self.count + 1;
        let new = Teller {
            number: next,
            daemons: 0,
        };
        let teller = self.tellers.entry(teller.to_ascii_lowercase()).or_insert(new);
        self.count = self.count.max(teller.number);
        let mut has_changed = false;
        for peer in peers {
            let Ok(name) = daemon_name(&peer.name) else {
                continue;
            };
            let addresses = peer.addresses.into_iter().filter(|address| is_shared(*address, from));
            let addresses: Vec<_> = addresses.take(ADDRESSES).collect();
            let told = self.daemons.get(&name);
            let is_told = told.is_some_and(|daemon| daemon.tellers.contains(&teller.number));
            if addresses.is_empty() {
                if is_told {
                    teller.daemons -= 1;
                    has_changed |= forget(&mut self.daemons, &name, teller.number);
                }
            } else if is_told || (teller.daemons < PEERS_OF_A_PEER && (told.is_some() || self.daemons.len() < DAEMONS))
            {
                let daemon = self.daemons.entry(name).or_default();
                teller.daemons += usize::from(daemon.tellers.insert(teller.number));
                has_changed |= daemon.is_at(&addresses);
            }
        }
        has_changed
    }

    /// There is no session with this peer any more. Returns whether anything has changed.
    pub(super) fn forget(&mut self, teller: &str) -> bool {
        let Some(teller) = self.tellers.remove(&teller.to_ascii_lowercase()) else {
            return false;
        };
        let told = self
            .daemons
            .iter()
            .filter(|(_, daemon)| daemon.tellers.contains(&teller.number));
        let names: Vec<_> = told.map(|(name, _)| name.clone()).collect();
        let mut has_changed = false;
        for name in names {
            has_changed |= forget(&mut self.daemons, &name, teller.number);
        }
        has_changed
    }

    /// All that is known from peers.
    pub(super) fn all(&self) -> Known {
        let daemons = self.daemons.iter();
        daemons
            .map(|(name, daemon)| (name.clone(), daemon.addresses.clone()))
            .collect()
    }
}

impl Daemon {
    /// It was told to be at these addresses. Returns whether one of them is new.
    fn is_at(&mut self, addresses: &[SocketAddr]) -> bool {
        let is_new = addresses.iter().any(|address| !self.addresses.contains(address));
        if is_new {
            let before = std::mem::take(&mut self.addresses);
            for address in addresses.iter().chain(&before) {
                if self.addresses.len() < ADDRESSES && !self.addresses.contains(address) {
                    self.addresses.push(*address);
                }
            }
        }
        is_new
    }
}

/// A teller takes back that there is a daemon. Returns whether nobody else has told of it.
fn forget(daemons: &mut BTreeMap<String, Daemon>, name: &str, teller: u64) -> bool {
    let Some(daemon) = daemons.get_mut(name) else {
        return false;
    };
    daemon.tellers.remove(&teller);
    let is_gone = daemon.tellers.is_empty();
    if is_gone {
        daemons.remove(name);
    }
    is_gone
}

/// What a peer with this name, at `to`, is to be told, if it was told `before` what is `now` different.
pub(super) fn news(peer: &str, to: IpAddr, before: &Known, now: &Known) -> Vec<Vec<KnownPeer>> {
    let gone = before.iter().filter(|(name, _)| !now.contains_key(*name));
    let gone = gone.map(|(name, _)| (name, [].as_slice()));
    let changed = now
        .iter()
        .filter(|(name, addresses)| before.get(*name) != Some(*addresses));
    let changed = changed.map(|(name, addresses)| (name, addresses.as_slice()));
    let told: Vec<_> = gone
        .chain(changed)
        .filter(|(name, _)| !name.eq_ignore_ascii_case(peer))
        .map(|(name, addresses)| KnownPeer {
            name: name.clone(),
            addresses: addresses
                .iter()
                .copied()
                .filter(|address| is_shared(*address, to))
                .collect(),
        })
        .collect();
    told.chunks(PEERS_OF_A_NOTICE).map(<[KnownPeer]>::to_vec).collect()
}

/// Whether an address means the same machine here and for a peer at `other`. An address of loopback does if the peer is on this machine; a
/// link-local one never can be told from that of another link.
fn is_shared(address: SocketAddr, other: IpAddr) -> bool {
    let ip = address.ip().to_canonical();
    let is_link_local = match ip {
        IpAddr::V4(four) => four.is_link_local() || four.is_broadcast(),
        IpAddr::V6(six) => six.is_unicast_link_local(),
    };
    let is_usual = address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_link_local;
    is_usual && (!ip.is_loopback() || other.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn peer(name: &str, addresses: &[&str]) -> KnownPeer {
        KnownPeer {
            name: name.to_owned(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        }
    }

    const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn what_several_peers_tell_is_put_together_and_forgotten_with_them() {
        let mut told = Told::default();
        assert!(told.tell("A", FAR, vec![peer("X", &["10.0.0.9:1"]), peer("y", &["10.0.0.8:1"])]));
        assert!(
            !told.tell("a", FAR, vec![peer("x", &["10.0.0.9:1"])]),
            "that is no news"
        );
        assert!(told.tell("b", FAR, vec![peer("x", &["10.0.0.9:1", "10.1.0.9:1"])]));
        assert_eq!(told.all()["x"].len(), 2);
        assert!(!told.tell("a", FAR, vec![peer("x", &[])]), "another one tells it too");
        assert!(told.tell("b", FAR, vec![peer("x", &[])]));
        assert_eq!(told.all().keys().collect::<Vec<_>>(), ["y"]);
        assert!(!told.forget("B"));
        assert!(told.forget("A") && told.all().is_empty());
        assert!(!told.forget("a"));
    }

    #[test]
    fn addresses_that_mean_another_machine_elsewhere_are_left_out() {
        for address in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            let mut told = Told::default();
            assert!(!told.tell("a", FAR, vec![peer("x", &[address])]), "{address}");
            assert!(told.tell("a", HERE, vec![peer("x", &[address])]), "{address}");
        }
        for address in [
            "0.0.0.0:1",
            "10.0.0.1:0",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "169.254.0.1:1",
            "[fe80::1]:1",
            "[::]:1",
        ] {
            let mut told = Told::default();
            assert!(!told.tell("a", HERE, vec![peer("x", &[address])]), "{address}");
        }
        let mut told = Told::default();
        let odd = vec![
            peer("*", &["10.0.0.1:1"]),
            peer("a b", &["10.0.0.1:1"]),
            peer("10.0.0.1", &["10.0.0.1:1"]),
        ];
        assert!(!told.tell("a", FAR, odd));
    }

    #[test]
    fn what_peers_tell_is_bounded() {
        let mut told = Told::default();
        let addresses: Vec<_> = (1..20).map(|port| format!("10.0.0.1:{port}")).collect();
        let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
        for (teller, expected) in [("a", 1), ("a", 1), ("b", 2), ("c", 2)] {
            for number in 0..2 * PEERS_OF_A_PEER {
                told.tell(teller, FAR, vec![peer(&format!("{teller}{number}"), &addresses)]);
            }
            assert_eq!(told.all().len(), expected * PEERS_OF_A_PEER);
        }
        assert!(told.all().values().all(|addresses| addresses.len() == ADDRESSES));
        // Whoever takes something back may tell something else.
        assert!(told.tell("a", FAR, vec![peer("a0", &[]), peer("new", &["10.0.0.1:1"])]));
        assert!(told.all().contains_key("new"));
    }

    proptest! {
        /// Whoever takes each piece of news knows at the end what the teller knows, but for itself.
        #[test]
        fn news_add_up(states in proptest::collection::vec(
            proptest::collection::btree_map("[a-f]", proptest::collection::vec(1_u16..5, 1..3), 0..6), 1..6)
        ) {
            let mut told = Told::default();
            let mut before = Known::new();
            for state in states {
                let now: Known = state
                    .into_iter()
                    .map(|(name, ports)| (name, ports.into_iter().map(|port| (FAR, port).into()).collect()))
                    .collect();
                for notice in news("c", FAR, &before, &now) {
                    prop_assert!(!notice.is_empty() && notice.len() <= PEERS_OF_A_NOTICE);
                    told.tell("teller", FAR, notice);
                }
                before = now;
                let all = told.all();
                let names: Vec<_> = before.keys().filter(|name| *name != "c").collect();
                prop_assert_eq!(all.keys().collect::<Vec<_>>(), names);
                for (name, addresses) in &all {
                    prop_assert!(before[name].iter().all(|address| addresses.contains(address)));
                }
            }
        }
    }
}
