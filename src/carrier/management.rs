use quinn::Endpoint;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "admin")]
use super::admin::Entrances;
#[cfg(feature = "admin")]
use super::admin::facts;
use super::log::LogHandle;
use super::reload;
use super::reload::Reloader;
use super::source::Source;
use crate::cluster::io::control::Control;
use crate::config::Config;
use crate::hub::io::directory::Request;
#[cfg(feature = "admin")]
use crate::observe::io::collect::Collector;
use crate::observe::io::reload::Reload;
use crate::router::Acceptance;
use crate::router::Rules;
use crate::session::Memory;
use crate::tls::Identity;
use crate::trunk::Counters;
use crate::trunk::TrunkConfig;

/// What is needed to tell about a daemon while it runs, and to change its configuration.
#[derive(Debug)]
pub(super) struct Management {
    /// The channel on which it is asked to read its configuration again.
    pub(super) reloads: (mpsc::Sender<Reload>, mpsc::Receiver<Reload>),
    pub(super) identity: Identity,
    /// Where the settings came from.
    pub(super) source: Source,
    pub(super) trunk: TrunkConfig,
    pub(super) log: LogHandle,
    #[cfg(feature = "admin")]
    pub(super) entrances: Entrances,
}

/// The parts of a daemon that are asked and changed.
pub(super) struct Managed<'a> {
    pub(super) config: &'a Config,
    /// The UDP endpoint that listens.
    pub(super) endpoint: &'a Endpoint,
    pub(super) memory: &'a Memory,
    pub(super) accepts: &'a Acceptance,
    pub(super) rules: &'a Rules,
    #[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
    pub(super) counters: &'a Counters,
    pub(super) hub: mpsc::Sender<Request>,
    pub(super) cluster: mpsc::Sender<Control>,
    #[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody asks"))]
    pub(super) leave: &'a CancellationToken,
}

impl Management {
    /// Starts the tasks that tell about the daemon, and that read its files again.
    pub(super) fn serve(self, managed: Managed<'_>, tasks: &mut JoinSet<()>) {
        let record = reload::record(&self.identity);
        #[cfg(feature = "admin")]
        self.entrances.serve(
            Collector {
                facts: facts(managed.config, managed.endpoint.local_addr().ok()),
                started: std::time::Instant::now(),
                leave: managed.leave.clone(),
                memory: managed.memory.clone(),
                counters: managed.counters.clone(),
                rules: managed.rules.clone(),
                record: record.clone(),
                log: self.log.count.clone(),
                hub: managed.hub.clone(),
                cluster: managed.cluster.clone(),
            },
            self.reloads.0.clone(),
            tasks,
        );
        let reloader = Reloader {
            source: self.source,
            config: managed.config.clone(),
            identity: self.identity,
            trunk: self.trunk,
            endpoint: managed.endpoint.clone(),
            memory: managed.memory.clone(),
            accepts: managed.accepts.clone(),
            rules: managed.rules.clone(),
            cluster: managed.cluster,
            hub: managed.hub,
            log: self.log.level,
            record,
        };
        tasks.spawn(reloader.run(self.reloads.1));
    }
}
