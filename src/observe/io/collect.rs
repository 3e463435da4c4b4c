//! Asks hub, cluster and sessions what they have to tell. Each has a deadline: a session that is busy is shown without details.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use nix::sys::resource::Resource;
use nix::sys::resource::getrlimit;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::reload::Record;
use crate::cluster::io::control::Control;
use crate::endpoint::SessionReport;
use crate::endpoint::io::session::SessionHandle;
use crate::hub::io::directory::HubReport;
use crate::hub::io::directory::Request;
use crate::observe::Facts;
use crate::observe::Parts;
use crate::observe::Status;
use crate::observe::status::LogLines;
use crate::router::Rules;
use crate::session::Memory;
use crate::trunk::Counters;

/// How long each of them may take.
const TIME: Duration = Duration::from_secs(1);

/// What the log has not written.
pub type LogCount = Arc<dyn Fn() -> LogLines + Send + Sync>;

/// The parts of a daemon that are asked.
#[derive(Clone)]
pub struct Collector {
    /// What does not change.
    pub facts: Facts,
    /// When the daemon started.
    pub started: Instant,
    /// Cancelled when it has been told to stop.
    pub leave: CancellationToken,
    /// What is kept for peers.
    pub memory: Memory,
    /// The connections that were set up.
    pub counters: Counters,
    /// What holds between nodes.
    pub rules: Rules,
    /// The settings in use.
    pub record: Record,
    /// What the log has not written, if that is known.
    pub log: Option<LogCount>,
    /// The hub.
    pub hub: mpsc::Sender<Request>,
    /// The cluster.
    pub cluster: mpsc::Sender<Control>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl Collector {
    /// The status now.
    pub async fn status(&self) -> Status {
        let hub = ask(&self.hub, |answer| Request::Report { answer });
        let peers = ask(&self.cluster, |answer| Control::Peers { answer });
        let (hub, peers) = tokio::join!(hub, peers);
        let HubReport { local, sessions } = hub.unwrap_or_default();
        let sessions = self.sessions(sessions).await;
        let peers = peers.unwrap_or_default();
        let read = self.record.lock().clone();
        let sessions_ended = self.counters.sessions_ended();
        let parts = Parts {
            now: SystemTime::now(),
            uptime: self.started.elapsed().as_secs_f64(),
            is_leaving: self.leave.is_cancelled(),
            memory: (self.memory.kept(), self.memory.limit()),
            open_files: spawn_blocking(open_files).await.unwrap_or_default(),
            handshakes: self.counters.handshakes(),
            unanswered: self.counters.without_answer(Instant::now()),
            sessions_ended,
            circuits_denied: self.rules.denied(),
            read,
            log: self.log.as_ref().map(|log| log()).unwrap_or_default(),
            local,
            peers: peers.list,
            found: peers.found,
            sessions,
        };
        Status::build(&self.facts, parts)
    }

    /// Asks all sessions at once.
    async fn sessions(
        &self,
        sessions: Vec<(SessionHandle, Vec<String>)>,
    ) -> BTreeMap<String, (Vec<String>, Option<SessionReport>)> {
        let mut asked = JoinSet::new();
        for (session, nodes) in sessions {
            asked.spawn(async move {
                let report = timeout(TIME, session.report()).await.ok().flatten();
                (session.peer.to_ascii_lowercase(), (nodes, report))
            });
        }
        asked.join_all().await.into_iter().collect()
    }
}

async fn ask<Q, A>(whom: &mpsc::Sender<Q>, question: impl FnOnce(oneshot::Sender<A>) -> Q) -> Option<A> {
    let (answer, told) = oneshot::channel();
    let asked = async {
        whom.send(question(answer)).await.ok()?;
        told.await.ok()
    };
    timeout(TIME, asked).await.ok().flatten()
}

/// The number of open files of this process, and its limit. With thousands of files that takes milliseconds.
fn open_files() -> (u64, u64) {
    let open = fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    (open, limit)
}
