use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use quinn::Endpoint;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::MissedTickBehavior;
use tracing::error;
use tracing::info;
use tracing::warn;

use super::StartError;
use super::changes;
use super::changes::keep_what_needs_restart;
use super::expiry::Expiry;
use super::load::Loaded;
use super::log::LogControl;
use super::source::Source;
use super::stamp::Stamp;
use crate::cluster::Discovery;
use crate::cluster::Query;
use crate::cluster::StaticPeer;
use crate::cluster::io::control::Change;
use crate::cluster::io::control::Control;
use crate::config::Config;
use crate::fields::List;
use crate::hub::io::directory::Request;
use crate::observe::io::reload::Record;
use crate::observe::io::reload::Reload;
use crate::observe::io::reload::Reloaded;
use crate::router::Acceptance;
use crate::router::Policies;
use crate::router::Policy;
use crate::router::Rules;
use crate::session::Bounds;
use crate::session::Memory;
use crate::tls::Identity;
use crate::tls::client_config;
use crate::tls::client_config_for_any;
use crate::tls::server_config;
use crate::trunk::TrunkConfig;
use crate::trunk::io::dial::Clients;

/// How often the files are looked at. A change is applied once they have not changed from one look to the next, so that no half of a
/// change is.
const WATCH_TIME: Duration = Duration::from_secs(2);

/// How often certificates are compared with the time, for warnings.
const EXPIRY_TIME: Duration = Duration::from_secs(3600);

/// What a reload changes.
pub(super) struct Reloader {
    pub(super) source: Source,
    pub(super) config: Config,
    pub(super) identity: Identity,
    pub(super) trunk: TrunkConfig,
    /// The UDP endpoint that listens.
    pub(super) endpoint: Endpoint,
    pub(super) memory: Memory,
    pub(super) accepts: Acceptance,
    /// What holds between nodes.
    pub(super) rules: Rules,
    pub(super) cluster: mpsc::Sender<Control>,
    pub(super) hub: mpsc::Sender<Request>,
    /// Who is told of the level of the log, if anybody.
    pub(super) log: Option<LogControl>,
    /// Where it is told how a reload went.
    pub(super) record: Record,
}

/// The policies of peers, as the configuration has them, with the rules for pairs of nodes.
pub(super) fn policies(config: &Config, rules: &Rules) -> Policies {
    let peers = config.peers.iter();
    let peers: Policies = peers
        .map(|peer| (&peer.name, peer.allow.clone().map(Policy::of)))
        .collect();
    peers.with(rules)
}

/// The peers that are dialled.
pub(super) fn static_peers(config: &Config) -> Vec<StaticPeer> {
    let peers = config.peers.iter().map(|peer| StaticPeer {
        name: peer.name.clone(),
        address: peer.address.to_string(),
    });
    peers.collect()
}

/// How other peers are found.
pub(super) fn discoveries(config: &Config) -> Vec<Discovery> {
    let discoveries = config.discover.iter().map(|discover| Discovery {
        query: discover.lookup.as_ref().map(|lookup| Query {
            name: lookup.name.clone(),
            port: lookup.port,
            server: lookup.server,
        }),
        exchange: discover.exchange,
        names: discover.names.clone(),
        forget: discover.forget,
    });
    discoveries.collect()
}

/// QUIC's settings for dialling.
///
/// # Errors
/// If TLS or QUIC refuses the certificates.
pub(super) fn clients(identity: &Identity, trunk: &TrunkConfig) -> Result<Clients, StartError> {
    let outgoing = || StartError::tls("TLS for outgoing connections");
    let named = client_config(identity).map_err(outgoing())?;
    let any = client_config_for_any(identity).map_err(outgoing())?;
    Ok(Clients {
        named: trunk.client(Arc::new(named)).map_err(StartError::Other)?,
        any: trunk.client(Arc::new(any)).map_err(StartError::Other)?,
    })
}

/// The bounds of sessions.
pub(super) fn bounds(config: &Config) -> Bounds {
    Bounds {
        circuit_budget: config.gateway.circuit_budget,
        backlog: config.session.replay_budget,
        close_deadline: config.gateway.close_deadline,
    }
}

/// The record of settings that were read just now.
pub(super) fn record(identity: &Identity) -> Record {
    Record::new(
        SystemTime::now(),
        identity.valid_until(),
        identity.authorities_valid_until(),
    )
}

impl Reloader {
    /// Reloads when it is asked for, and when a file has changed. It never ends.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Reload>) {
        let mut watch = tokio::time::interval(WATCH_TIME);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut expiry_tick = tokio::time::interval(EXPIRY_TIME);
        let mut expiry = Expiry::default();
        let mut applied = self.stamp().await;
        let mut last = applied.clone();
        loop {
            tokio::select! {
                biased;
                Some(answer) = requests.recv() => {
                    applied = self.stamp().await;
                    let _ = answer.send(self.reload("it was asked for").await);
                }
                _ = watch.tick() => {
                    let now = self.stamp().await;
                    if now != applied && now == last {
                        applied = now.clone();
                        self.reload("a file has changed").await;
                    }
                    last = now;
                }
                _ = expiry_tick.tick() => {
                    let (own, authorities) = (self.identity.valid_until(), self.identity.authorities_valid_until());
                    expiry.warn(own, authorities, SystemTime::now());
                    expiry.warn_of_peers(&self.cluster, SystemTime::now()).await;
                }
            }
        }
    }

    /// How the files look now. Files may be slow, so others do not wait for them.
    async fn stamp(&self) -> Stamp {
        let files = self.source.files(&self.config.gateway.certs);
        spawn_blocking(move || Stamp::of(&files)).await.unwrap_or_default()
    }

    /// Reads everything again, and applies it if there is no mistake.
    async fn reload(&mut self, why: &str) -> Reloaded {
        let source = self.source.clone();
        let loaded = spawn_blocking(move || source.load()).await;
        let loaded = loaded.unwrap_or_else(|error| Err(vec![error.to_string()]));
        let reloaded = match loaded {
            Ok(loaded) => self.apply(loaded).await,
            Err(mistakes) => Err(mistakes),
        };
        let reloaded = reloaded.unwrap_or_else(|mistakes| Reloaded {
            mistakes,
            ..Reloaded::default()
        });
        self.tell(why, &reloaded);
        reloaded
    }

    fn tell(&self, why: &str, reloaded: &Reloaded) {
        let mut read = self.record.lock();
        if !reloaded.mistakes.is_empty() {
            read.refused += 1;
            read.last.mistakes.clone_from(&reloaded.mistakes);
            for mistake in &reloaded.mistakes {
                error!("{mistake}");
            }
            error!(
                why,
                "the configuration was read again and has mistakes: nothing has changed"
            );
            return;
        }
        read.applied += 1;
        read.at = SystemTime::now();
        read.last = reloaded.clone();
        (read.own, read.authorities) = (self.identity.valid_until(), self.identity.authorities_valid_until());
        let changed = List::of(&reloaded.changed);
        info!(why, changed = changed.value(), "the configuration was read again");
        if !reloaded.needs_restart.is_empty() {
            let keys = List::of(&reloaded.needs_restart);
            warn!(
                keys = keys.value(),
                "these settings have changed, and have no effect before a restart"
            );
        }
    }

    async fn apply(&mut self, loaded: Loaded) -> Result<Reloaded, Vec<String>> {
        let Loaded { config, identity } = loaded;
        if config.gateway.name != self.config.gateway.name {
            let file = self.source.file().unwrap_or(Path::new("")).display().to_string();
            let name = &self.config.gateway.name;
            return Err(vec![format!(
                "{file}: gateway.name: the name of a daemon that runs stays {name:?}; restart it to change the name"
            )]);
        }
        let (mut changed, needs_restart) = changes::of(&self.config, &config);
        if !identity.is_same(&self.identity) {
            changed.push("certificates".to_owned());
        }
        let refused = |error: StartError| vec![error.to_string()];
        let server = server_config(&identity).map_err(StartError::tls("TLS for incoming connections"));
        let server = self
            .trunk
            .server(Arc::new(server.map_err(refused)?))
            .map_err(|error| vec![error])?;
        let clients = clients(&identity, &self.trunk).map_err(refused)?;
        let trust = identity.trust().map_err(StartError::tls("TLS")).map_err(refused)?;
        let is_renewed = !identity.presents_same(&self.identity);
        // From here on nothing fails.
        self.endpoint.set_server_config(Some(server));
        let names = config.peers.iter().map(|peer| peer.name.clone());
        self.accepts.set(names, config.accept.names.clone());
        self.rules.set(config.policy.clone());
        self.memory.set_limit(config.gateway.memory);
        if let Some(log) = &self.log
            && config.log.level != self.config.log.level
        {
            log(config.log.level);
        }
        let policies = Request::Change {
            policies: policies(&config, &self.rules),
            own: is_renewed.then(|| Policy::of_hosts(identity.hosts())),
            bounds: bounds(&config),
        };
        let change = Change {
            peers: static_peers(&config),
            discoveries: discoveries(&config),
            clients,
            trust,
            is_renewed,
            bounds: bounds(&config),
            ends_expired: config.session.ends_expired,
        };
        let _ = self.hub.send(policies).await;
        let _ = self.cluster.send(Control::Change(Box::new(change))).await;
        self.config = keep_what_needs_restart(config, &self.config);
        self.identity = identity;
        Ok(Reloaded {
            changed,
            needs_restart,
            mistakes: Vec::new(),
        })
    }
}
