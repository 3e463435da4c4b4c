//! Finding peers that are not configured one by one: asks the name service, listens to what peers tell, and dials what was found.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Interval;
use tokio::time::MissedTickBehavior;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;
use tracing::info;
use tracing::warn;

use super::control::FoundReport;
use super::dialling::Dialler;
use super::dialling::dial_found;
use super::dialling::keep_session;
use super::lookup::Answer;
use super::lookup::look_up;
use super::sessions::Sessions;
use crate::cluster::Discovery;
use crate::cluster::Query;
use crate::cluster::StaticPeer;
use crate::cluster::failure_log::FailureLog;
use crate::cluster::found::Attempt;
use crate::cluster::found::Ended;
use crate::cluster::found::Found;
use crate::cluster::found::Place;
use crate::trunk::Dialled;
use crate::trunk::TrunkError;
use crate::trunk::io::dial::Target;
use crate::trunk::io::exchange::Exchange;
use crate::trunk::io::greet::Greeted;
use crate::trunk::io::resolve::Resolver;

/// How often the sessions are compared with what was found, if nothing happens.
const TICK: Duration = Duration::from_millis(250);

/// How long an answer of the name service is used, whatever it says of itself.
const TTL_MIN: Duration = Duration::from_secs(2);
const TTL_MAX: Duration = Duration::from_secs(300);

/// The first and the longest pause before a question is asked again that got no answer.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long one daemon is dialled.
const DIAL_TIME: Duration = Duration::from_secs(5);

/// Answers that may wait.
const ANSWERS: usize = 16;

/// The peers that are found.
#[derive(Debug)]
pub(super) struct Finding {
    found: Found,
    dialler: Arc<Dialler>,
    exchange: Exchange,
    greeted: mpsc::Sender<Greeted>,
    answers: (mpsc::Sender<Answered>, mpsc::Receiver<Answered>),
    /// By the numbers of their rules.
    questions: BTreeMap<u64, Question>,
    dials: JoinSet<(Place, Result<Greeted, TrunkError>)>,
    failures: BTreeMap<Place, FailureLog>,
    /// What keeps the session with each daemon that is here.
    kept: BTreeMap<String, AbortOnDropHandle<()>>,
    tick: Interval,
}

/// A question that is asked again and again.
#[derive(Debug)]
struct Question {
    failure: Arc<Mutex<String>>,
    _task: AbortOnDropHandle<()>,
}

/// The name service has answered the question of this rule.
#[derive(Debug)]
pub(super) struct Answered {
    rule: u64,
    addresses: Vec<SocketAddr>,
}

/// Something to be handled.
#[derive(Debug)]
pub(super) enum Input {
    Answered(Answered),
    Dialled(Place, Box<Result<Greeted, TrunkError>>),
    /// A peer has told.
    Told,
    Tick,
}

/// The time from tokio's clock, which a simulation controls.
fn clock() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Finding {
    pub(super) fn new(dialler: Arc<Dialler>, exchange: Exchange, greeted: mpsc::Sender<Greeted>) -> Self {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            found: Found::new(&dialler.daemon.name),
            dialler,
            exchange,
            greeted,
            answers: mpsc::channel(ANSWERS),
            questions: BTreeMap::new(),
            dials: JoinSet::new(),
            failures: BTreeMap::new(),
            kept: BTreeMap::new(),
            tick,
        }
    }

    /// Finds peers in these ways from now on.
    pub(super) fn set(&mut self, rules: Vec<Discovery>) {
        self.found.set(rules, clock());
        self.exchange.set(self.found.exchanges());
        let mut before = std::mem::take(&mut self.questions);
        for (rule, query) in self.found.queries() {
            let question = before.remove(&rule).unwrap_or_else(|| {
                let failure = Arc::<Mutex<String>>::default();
                let asking = keep_asking(rule, query.clone(), self.answers.0.clone(), Arc::clone(&failure));
                Question {
                    failure,
                    _task: AbortOnDropHandle::new(tokio::spawn(asking)),
                }
            });
            self.questions.insert(rule, question);
        }
    }

    /// Waits for the next input. It may be given up.
    pub(super) async fn next(&mut self) -> Input {
        let is_idle = self.found.is_idle();
        tokio::select! {
            biased;
            Some(answered) = self.answers.1.recv() => Input::Answered(answered),
            Some(Ok((place, dialled))) = self.dials.join_next() => Input::Dialled(place, Box::new(dialled)),
            () = self.exchange.changed() => Input::Told,
            _ = self.tick.tick(), if !is_idle => Input::Tick,
        }
    }

    /// Handles an input, and dials whoever is to be dialled now.
    pub(super) fn handle(&mut self, input: Input, sessions: &mut Sessions) {
        let now = clock();
        let dialler = Arc::clone(&self.dialler);
        let accepts = &dialler.daemon.accepts;
        match input {
            Input::Answered(Answered { rule, addresses }) => {
                // Its own address is a daemon's too, in most answers.
                let others: Vec<_> = addresses
                    .into_iter()
                    .filter(|at| !self.dialler.sockets.is_own(*at))
                    .collect();
                self.found.answer(rule, &others, now);
            }
            Input::Dialled(place, dialled) => self.dialled(&place, *dialled, now),
            Input::Told => self
                .found
                .told(&self.exchange.all(), |name| accepts.check(name).is_ok(), now),
            Input::Tick => {}
        }
        let is_here = |daemon: &str| accepts.is_configured(daemon) || !sessions.is_absent(daemon);
        for attempt in self.found.poll(now, is_here, |address| sessions.at(address)) {
            self.dials.spawn(dial(Arc::clone(&self.dialler), attempt));
        }
        let mut here = self.found.here(is_here);
        here.retain(|daemon, _| !accepts.is_configured(daemon));
        self.kept.retain(|_, keeps| !keeps.is_finished());
        for (daemon, addresses) in here {
            self.keep(daemon, addresses, sessions);
        }
        if self.exchange.is_on() {
            self.exchange.tell(sessions.known());
        }
    }

    /// Gets another trunk whenever the one fails that carries the session with this daemon.
    fn keep(&mut self, daemon: String, addresses: Vec<SocketAddr>, sessions: &mut Sessions) {
        if self.kept.contains_key(&daemon) {
            return;
        }
        let state = sessions.state(&daemon).subscribe();
        let peer = StaticPeer {
            name: daemon.clone(),
            address: addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        let resolver = Arc::new(Resolver::of(addresses));
        let keeps = keep_session(Arc::clone(&self.dialler), peer, resolver, state, self.greeted.clone());
        self.kept.insert(daemon, AbortOnDropHandle::new(tokio::spawn(keeps)));
    }

    fn dialled(&mut self, place: &Place, dialled: Result<Greeted, TrunkError>, now: Instant) {
        let ended = match dialled {
            Ok(trunk) => {
                let name = trunk.agreement.peer.clone();
                debug!(peer = name, ?place, "a peer was found");
                self.failures.remove(place);
                // Without room the peer is dialled again in a moment.
                let _ = self.greeted.try_send(trunk);
                Ended::Met(name)
            }
            Err(TrunkError::Myself) => Ended::Own,
            Err(error) => {
                let found = self.found.len();
                if self.failures.len() > 2 * found {
                    self.failures.clear();
                }
                let log = self.failures.entry(place.clone()).or_default();
                if log.is_news(&error.to_string(), now) {
                    info!(found = %place, %error, "a daemon that was found cannot be reached; retrying");
                } else {
                    debug!(found = %place, %error, "a daemon that was found cannot be reached");
                }
                Ended::Failed
            }
        };
        self.found.dialled(place, &ended, now);
    }

    /// What there is to tell of each way.
    pub(super) fn report(&self, sessions: &Sessions) -> Vec<FoundReport> {
        let is_here = |daemon: &str| !sessions.is_absent(daemon);
        let report = |(id, rule): (&u64, &Discovery)| {
            let tally = self.found.tally(*id, is_here);
            let question = self.questions.get(id);
            let failure =
                question.map(|question| question.failure.lock().unwrap_or_else(PoisonError::into_inner).clone());
            FoundReport {
                source: rule.to_string(),
                found: tally.found,
                connected: tally.here,
                failure: failure.unwrap_or_default(),
            }
        };
        self.found.rules().iter().map(report).collect()
    }
}

/// Asks whenever an answer has become old. Without an answer, the last one stays.
async fn keep_asking(rule: u64, query: Query, answers: mpsc::Sender<Answered>, failure: Arc<Mutex<String>>) {
    let tell = |text: &str| text.clone_into(&mut failure.lock().unwrap_or_else(PoisonError::into_inner));
    let mut failures = FailureLog::default();
    let mut pause = PAUSE;
    loop {
        match look_up(&query).await {
            Ok(Answer { addresses, ttl }) => {
                tell("");
                failures.reached();
                pause = PAUSE;
                debug!(
                    name = query.name,
                    ?addresses,
                    ?ttl,
                    "the name service names these addresses of peers"
                );
                if answers.send(Answered { rule, addresses }).await.is_err() {
                    return;
                }
                sleep(ttl.clamp(TTL_MIN, TTL_MAX)).await;
            }
            Err(reason) => {
                tell(&reason);
                if failures.is_news(&reason, clock()) {
                    warn!(
                        name = query.name,
                        reason, "the name service does not answer for a [[discover]]; the last answer is used"
                    );
                }
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

async fn dial(dialler: Arc<Dialler>, attempt: Attempt) -> (Place, Result<Greeted, TrunkError>) {
    let Attempt {
        place,
        addresses,
        names,
    } = attempt;
    let who = match &place {
        Place::Daemon(name) => Dialled::Daemon(name),
        Place::Address(_) => Dialled::Any(&names),
    };
    let target = Target {
        who,
        addresses: &addresses,
        fresh: false,
    };
    let dialled = timeout(DIAL_TIME, dial_found(&dialler, target)).await;
    let late = || match addresses.first() {
        Some(address) => TrunkError::NoAnswer(*address),
        None => TrunkError::Withdrawn,
    };
    (place, dialled.unwrap_or_else(|_| Err(late())))
}
