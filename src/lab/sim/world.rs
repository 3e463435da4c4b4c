use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::daemon::Daemon;
use super::fault::Fault;
use super::fault::KINDS;
use super::keys::Keys;
use super::ledger::Ledger;
use super::ledger::Tally;
use super::network::Damage;
use super::network::Network;
use super::network::Quality;
use super::node::SharedLedger;
use super::plan::excuses;
use super::setting::Setting;
use crate::wire::SessionId;

/// After the faults signals are still sent for so long, on good lines.
const AFTER: Duration = Duration::from_millis(1500);

/// Once all is well it takes at most so long besides idle timeout and grace until everything has arrived: the pause
/// between two attempts to reach a peer, a circuit that is opened, and what waits.
const RECOVERY: Duration = Duration::from_secs(12);

/// Circuits that are closed are gone after so long.
const ENDING: Duration = Duration::from_secs(5);

/// The largest frame that a simulated node sends, and what it costs to keep: by so much a bound on memory may be passed.
const FRAME: u64 = 64 << 10;

/// What came out of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) seed: u64,
    pub(super) time: Duration,
    pub(super) tally: Tally,
    pub(super) damage: Damage,
    /// How many faults of each of [`KINDS`] there were.
    pub(super) faults: [u64; KINDS.len()],
    /// Trunks that took over a session.
    pub(super) resumptions: u64,
    /// From the end of the faults until everything sent had arrived.
    pub(super) recovery: Duration,
    /// The most bytes that a daemon kept for its nodes.
    pub(super) most_kept: u64,
    /// What must not be.
    pub(super) complaints: Vec<String>,
    /// A fingerprint of all that happened.
    pub(super) digest: u64,
    pub(super) trace: Vec<String>,
}

/// A host: its daemon, if it runs.
struct Slot {
    daemon: Option<Daemon>,
    lives: u64,
    has_new_key: bool,
    /// When it begins again.
    starts: Option<Duration>,
    /// It does not run: since when, until when, whether its clock leaps, whether what arrives waits.
    frozen: Option<(Duration, Duration, bool, bool)>,
    ids: Arc<AtomicU64>,
}

/// One run: daemons, each with a clock of its own, and the network between them.
struct World<'a> {
    setting: &'a Setting,
    keys: &'a Keys,
    now: Duration,
    network: Network,
    slots: Vec<Slot>,
    ledger: SharedLedger,
    weather_until: Option<Duration>,
    sessions: Vec<Option<SessionId>>,
    outcome: Outcome,
}

/// Runs a setting.
///
/// # Errors
/// If a daemon cannot be made, which says nothing about the run.
pub(super) fn run(setting: &Setting, keys: &Keys, is_traced: bool) -> anyhow::Result<Outcome> {
    let ledger = SharedLedger::new(Ledger::new(is_traced));
    for excuse in excuses(setting) {
        ledger.lock().excuse(excuse);
    }
    let slot = |_| Slot {
        daemon: None,
        lives: 0,
        has_new_key: false,
        starts: Some(Duration::ZERO),
        frozen: None,
        ids: Arc::default(),
    };
    let world = World {
        setting,
        keys,
        now: Duration::ZERO,
        network: Network::new(setting.seed, setting.hosts, setting.quality),
        slots: (0..setting.hosts).map(slot).collect(),
        ledger,
        weather_until: None,
        sessions: vec![None; setting.hosts * setting.hosts],
        outcome: Outcome {
            seed: setting.seed,
            ..Outcome::default()
        },
    };
    world.run()
}

impl World<'_> {
    fn run(mut self) -> anyhow::Result<Outcome> {
        let mut faults = self.setting.faults.clone();
        faults.sort_by_key(|(at, _)| *at);
        for (at, fault) in faults {
            self.run_until(at)?;
            self.apply(fault);
        }
        self.run_until(self.setting.length)?;
        self.network.heal(Quality::clean(self.setting.quality.delay));
        self.weather_until = None;
        self.note("the faults are over");
        let healed = self.now;
        self.run_until(healed + AFTER)?;
        self.ledger.lock().is_sending = false;
        let deadline = self.now + self.setting.idle_timeout + self.setting.grace + RECOVERY;
        while !self.is_settled() && self.now < deadline {
            self.step(deadline)?;
        }
        self.outcome.recovery = self.now - healed;
        if !self.is_settled() {
            let (settled, others) = self.ledger.lock().settled();
            let text = format!(
                "no progress after the faults: {settled} circuits of {} are well and {others} are not: {}",
                self.setting.circuits(),
                self.ledger.lock().unsettled()
            );
            self.complain(&text);
        }
        self.ledger.lock().is_closing = true;
        let deadline = self.now + ENDING;
        while self.now < deadline && (self.ledger.lock().live() > 0 || self.kept() > 0) {
            self.step(deadline)?;
        }
        if self.ledger.lock().live() > 0 {
            self.complain("circuits that were closed are still there");
        }
        if self.kept() > 0 {
            let text = format!("{} bytes are kept for nodes that are gone", self.kept());
            self.complain(&text);
        }
        Ok(self.finish())
    }

    fn finish(mut self) -> Outcome {
        let mut ledger = self.ledger.lock();
        ledger.sum_up(self.now);
        self.outcome.time = self.now;
        self.outcome.damage = self.network.damage();
        self.outcome.tally = ledger.tally();
        self.outcome.complaints = ledger.complaints().to_vec();
        self.outcome.digest = ledger.digest();
        self.outcome.trace = ledger.take_trace();
        drop(ledger);
        self.outcome
    }

    fn note(&self, text: &str) {
        self.ledger.lock().note(self.now, text);
    }

    fn complain(&self, text: &str) {
        self.ledger.lock().complain(self.now, text);
    }

    fn kept(&self) -> u64 {
        let daemons = self.slots.iter().filter_map(|slot| slot.daemon.as_ref());
        daemons.map(Daemon::kept).sum()
    }

    fn is_settled(&self) -> bool {
        self.ledger.lock().settled() == (self.setting.circuits(), 0)
    }

    fn run_until(&mut self, until: Duration) -> anyhow::Result<()> {
        while self.now < until {
            self.step(until)?;
        }
        Ok(())
    }

    /// Lets time pass: at most as long as a datagram needs, so that what is sent meanwhile arrives later, and until the
    /// next thing that happens from outside.
    fn step(&mut self, until: Duration) -> anyhow::Result<()> {
        self.start_daemons()?;
        while let Some(datagram) = self.network.poll_arrival(self.now) {
            if let Some(slot) = self.slots.get(datagram.to)
                && let Some(daemon) = &slot.daemon
                && slot.frozen.is_none_or(|(_, _, _, keeps)| keeps)
            {
                daemon.socket().arrive(datagram.from, datagram.bytes);
            }
        }
        let mut next = until.min(self.now + self.least_delay());
        let events = self
            .slots
            .iter()
            .flat_map(|slot| [slot.starts, slot.frozen.map(|frozen| frozen.1)]);
        let events = events.chain([self.network.next_arrival(), self.weather_until]);
        for at in events.flatten().filter(|at| *at > self.now) {
            next = next.min(at);
        }
        for (host, slot) in self.slots.iter().enumerate().filter(|(_, slot)| slot.frozen.is_none()) {
            if let Some(daemon) = &slot.daemon {
                for (at, to, bytes) in daemon.step(next) {
                    self.network.send(at, host, to, bytes);
                }
            }
        }
        self.now = next;
        self.look();
        Ok(())
    }

    /// No datagram is faster than that, whatever the weather.
    fn least_delay(&self) -> Duration {
        self.setting.quality.delay
    }

    /// Daemons whose time has come begin, or go on; the weather ends.
    fn start_daemons(&mut self) -> anyhow::Result<()> {
        let now = self.now;
        for (host, slot) in self.slots.iter_mut().enumerate() {
            if slot.starts.is_some_and(|at| at <= now) {
                let key = self.keys.of(host, slot.has_new_key)?;
                let daemon = Daemon::start(self.setting, key, &self.ledger, &slot.ids, host, slot.lives, now)?;
                slot.daemon = Some(daemon);
                slot.lives += 1;
                slot.starts = None;
                self.ledger.lock().note(now, &format!("{host}: the daemon begins"));
            }
            if let Some((since, until, leaps, _)) = slot.frozen
                && until <= now
            {
                slot.frozen = None;
                if let Some(daemon) = &slot.daemon {
                    daemon.thaw(now - since, leaps);
                }
                self.ledger.lock().note(now, &format!("{host}: the daemon goes on"));
            }
        }
        if self.weather_until.is_some_and(|at| at <= now) {
            self.weather_until = None;
            self.network.set_quality(self.setting.quality);
            self.note("the weather is as usual");
        }
        Ok(())
    }

    /// What can be seen from outside: memory, and which trunk carries which session.
    fn look(&mut self) {
        for host in 0..self.slots.len() {
            let Some(daemon) = self.slots.get(host).and_then(|slot| slot.daemon.as_ref()) else {
                continue;
            };
            let kept = daemon.kept();
            self.outcome.most_kept = self.outcome.most_kept.max(kept);
            if kept > self.setting.memory + FRAME {
                self.ledger
                    .lock()
                    .complain(self.now, &format!("{host}: {kept} bytes are kept for nodes"));
            }
            for peer in host + 1..self.slots.len() {
                let found = daemon.session(peer);
                let Some(before) = self.sessions.get_mut(host * self.setting.hosts + peer) else {
                    continue;
                };
                if found == *before {
                    continue;
                }
                if let (Some(found), Some(before)) = (found, *before)
                    && found.session == before.session
                {
                    self.outcome.resumptions += found.trunk - before.trunk;
                    let text = format!("{host}: trunk {} carries the session with {peer}", found.trunk);
                    self.ledger.lock().note(self.now, &text);
                }
                *before = found;
            }
        }
    }

    fn apply(&mut self, fault: Fault) {
        if let Some(count) = self.outcome.faults.get_mut(fault.kind()) {
            *count += 1;
        }
        self.note(&format!("FAULT: {fault:?}"));
        let now = self.now;
        match fault {
            Fault::Dark { from, to, both, time } => {
                self.network.darken(from, to, now + time);
                if both {
                    self.network.darken(to, from, now + time);
                }
            }
            Fault::Weather { quality, time } => {
                self.network.set_quality(quality);
                self.weather_until = self.weather_until.max(Some(now + time));
            }
            Fault::Rebind(host) => self.network.rebind(host),
            Fault::HalfOpen { from, to, both } => {
                self.kill(from, to);
                if both {
                    self.kill(to, from);
                }
            }
            Fault::Crash { host, down, new_key } => {
                if let Some(slot) = self.slots.get_mut(host) {
                    slot.daemon = None;
                    slot.frozen = None;
                    slot.starts = Some(now + down);
                    slot.has_new_key |= new_key;
                }
                self.ledger.lock().crash(host);
            }
            Fault::Freeze {
                host,
                time,
                leaps,
                keeps,
            } => {
                if let Some(slot) = self.slots.get_mut(host)
                    && slot.frozen.is_none()
                {
                    slot.frozen = Some((now, now + time, leaps, keeps));
                }
            }
            Fault::Deaf { host, time } => {
                if let Some(daemon) = self.slots.get(host).and_then(|slot| slot.daemon.as_ref()) {
                    daemon.deafen(now + time);
                }
            }
            Fault::Doom { from, to, numbers } => self.network.doom(from, to, &numbers),
        }
    }

    fn kill(&mut self, from: usize, to: usize) {
        let ids = self.slots.get(to).map_or(0, |slot| slot.ids.load(Relaxed));
        self.network.kill(from, to, ids);
    }
}
