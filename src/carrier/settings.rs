use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::StartError;
use super::load;
use super::load::Loaded;
use super::rule::PolicyRule;
use crate::config;
use crate::config::Config;
use crate::config::Purpose;
use crate::config::Table;
use crate::config::Value;

/// The settings that a program makes. All others have the defaults of the configuration file.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    name: String,
    certs: PathBuf,
    pub(super) listen: SocketAddr,
    /// Empty: the default addresses.
    pub(super) epmd: Vec<SocketAddr>,
    pub(super) is_epmd_public: bool,
    pub(super) hosts: Option<Vec<String>>,
    peers: Vec<Peer>,
    /// Names whose addresses are those of peers, with the port of the peers.
    pub(super) discover: Vec<(String, u16)>,
    /// Whether peers tell each other of their peers.
    pub(super) exchange: bool,
    pub(super) policy: Vec<PolicyRule>,
    /// `None`: every daemon with a certificate of the authority.
    pub(super) accept: Option<Vec<String>>,
    pub(super) busy_wait: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Peer {
    name: String,
    address: String,
    allow: Option<Vec<String>>,
}

impl Settings {
    pub(super) fn new(name: &str, certs: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            certs,
            listen: (Ipv4Addr::UNSPECIFIED, 0).into(),
            epmd: Vec::new(),
            is_epmd_public: false,
            hosts: None,
            peers: Vec::new(),
            discover: Vec::new(),
            exchange: false,
            policy: Vec::new(),
            accept: None,
            busy_wait: None,
        }
    }

    pub(super) fn peer(&mut self, name: &str, address: &str, allow: Option<&[&str]>) {
        self.peers.push(Peer {
            name: name.to_owned(),
            address: address.to_owned(),
            allow: allow.map(|nodes| nodes.iter().map(|pattern| (*pattern).to_owned()).collect()),
        });
    }

    pub(super) fn load(self, purpose: Purpose) -> Result<Loaded, StartError> {
        let config = self.config(purpose).map_err(StartError::Settings)?;
        let identity = load::identity(Path::new(""), &config.gateway.certs, Some(&config.gateway.name))
            .map_err(StartError::Settings)?;
        Ok(Loaded { config, identity })
    }

    /// Checks the settings in the same way as those of a file.
    pub(super) fn config(self, purpose: Purpose) -> Result<Config, Vec<String>> {
        let mut gateway = Table::default()
            .with("name", self.name)
            .with("listen", self.listen)
            .with("certs", self.certs);
        if let Some(time) = self.busy_wait {
            gateway = gateway.with("busy_wait", time);
        }
        let mut epmd = Table::default();
        if !self.epmd.is_empty() {
            epmd = epmd.with("listen", Value::from_iter(self.epmd));
        }
        if self.is_epmd_public {
            epmd = epmd.with("public", true);
        }
        if let Some(hosts) = self.hosts {
            epmd = epmd.with("hosts", Value::from_iter(hosts));
        }
        let mut accept = Table::default();
        if let Some(names) = self.accept {
            accept = accept.with("names", Value::from_iter(names));
        }
        let peers = self.peers.into_iter().map(|peer| {
            let table = Table::default().with("name", peer.name).with("address", peer.address);
            match peer.allow {
                Some(allow) => table.with("allow", Value::from_iter(allow)),
                None => table,
            }
        });
        let found = self.discover.into_iter().map(|(name, port)| {
            let table = Table::default().with("dns", name);
            table.with("port", u64::from(port))
        });
        let exchange = self.exchange.then(|| Table::default().with("exchange", true));
        let mut settings = Table::default()
            .with("gateway", gateway)
            .with("discover", Value::from_iter(found.chain(exchange)))
            .with("accept", accept)
            .with("peer", Value::from_iter(peers));
        if !self.policy.is_empty() {
            let rules = self.policy.into_iter().map(PolicyRule::into_value);
            settings = settings.with("policy", Value::from_iter(rules));
        }
        if purpose == Purpose::Daemon {
            settings = settings.with("epmd", epmd);
        }
        config::read(&settings, purpose).map_err(|mistakes| mistakes.list.iter().map(ToString::to_string).collect())
    }
}
