use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use super::Discovery;
use super::Query;
use crate::router::DaemonPattern;
use crate::trunk::Known;

/// Addresses and daemons that are remembered. Others are not found.
const CANDIDATES: usize = 2048;

/// Addresses in one answer that count.
const ADDRESSES: usize = 1024;

/// Dials at the same time, so that no answer makes this daemon flood a network.
const DIALS: usize = 32;

/// The first pause between two attempts, and the longest one. A daemon that was here comes back soon; any other may never have been one.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_KNOWN: Duration = Duration::from_secs(3);
const PAUSE_UNKNOWN: Duration = Duration::from_secs(30);

/// Daemons that hear of each other at the same time would both dial. The one with the higher name waits a moment.
const HEAD_START: Duration = Duration::from_millis(250);

/// What was found: an address, whoever is there, or a daemon.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// From the name service.
    Address(SocketAddr),
    /// From peers.
    Daemon(String),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(formatter),
            Self::Daemon(name) => formatter.write_str(name),
        }
    }
}

#[derive(Debug)]
struct Candidate {
    /// The rules that name it now.
    rules: BTreeSet<u64>,
    /// The names that the daemon may have, by the rules that named it last.
    names: Vec<DaemonPattern>,
    addresses: Vec<SocketAddr>,
    /// Until when it is dialled, if no rule names it any more.
    forget: Option<Instant>,
    /// The daemon that was there last.
    daemon: Option<String>,
    /// When it may be dialled again.
    next: Instant,
    pause: Duration,
    is_dialled: bool,
    /// It is this daemon.
    is_own: bool,
}

/// An attempt to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) place: Place,
    pub(super) addresses: Vec<SocketAddr>,
    /// The names that the daemon may have.
    pub(super) names: Vec<DaemonPattern>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// This daemon answered there.
    Met(String),
    /// That is an address of this daemon.
    Own,
    /// Nobody was reached.
    Failed,
}

/// Whoever is to be dialled without being configured, and when.
#[derive(Debug)]
pub(super) struct Found {
    /// The name of this daemon.
    own: String,
    rules: BTreeMap<u64, Discovery>,
    /// Rules that there have been.
    count: u64,
    candidates: BTreeMap<Place, Candidate>,
}

/// What there is to tell of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// What it names now.
    pub(super) found: usize,
    /// Of these, the daemons with a session, and this one.
    pub(super) here: usize,
}

impl Found {
    /// Nothing is found yet by the daemon of this name.
    pub(super) fn new(own: &str) -> Self {
        Self {
            own: own.to_ascii_lowercase(),
            rules: BTreeMap::new(),
            count: 0,
            candidates: BTreeMap::new(),
        }
    }

    /// Finds peers in these ways from now on. A way that is the same as before goes on.
    pub(super) fn set(&mut self, rules: Vec<Discovery>, now: Instant) {
        let mut before = std::mem::take(&mut self.rules);
        for rule in rules {
            let same = before.iter().find(|(_, other)| **other == rule).map(|(id, _)| *id);
            let id = same.unwrap_or_else(|| {
                self.count += 1;
                self.count
            });
            before.remove(&id);
            self.rules.insert(id, rule);
        }
        for id in before.into_keys() {
            self.unname(id, Duration::ZERO, now, |_| true);
        }
    }

    /// The ways, by their numbers, which no other way gets.
    pub(super) fn rules(&self) -> &BTreeMap<u64, Discovery> {
        &self.rules
    }

    /// Whether there is anything to do.
    pub(super) fn is_idle(&self) -> bool {
        self.rules.is_empty() && self.candidates.is_empty()
    }

    /// Whether peers tell each other of their peers.
    pub(super) fn exchanges(&self) -> bool {
        self.rules.values().any(|rule| rule.exchange)
    }

    /// The questions to ask, by the numbers of their rules.
    pub(super) fn queries(&self) -> impl Iterator<Item = (u64, &Query)> {
        self.rules
            .iter()
            .filter_map(|(id, rule)| Some((*id, rule.query.as_ref()?)))
    }

    /// The name service has answered the question of a rule.
    pub(super) fn answer(&mut self, id: u64, addresses: &[SocketAddr], now: Instant) {
        let Some(forget) = self
            .rules
            .get(&id)
            .filter(|rule| rule.query.is_some())
            .map(|rule| rule.forget)
        else {
            return;
        };
        let named: BTreeSet<_> = addresses.iter().take(ADDRESSES).copied().collect();
        for address in &named {
            self.name(Place::Address(*address), vec![*address], &[id], now);
        }
        self.unname(id, forget, now, |place| match place {
            Place::Address(address) => !named.contains(address),
            Place::Daemon(_) => false,
        });
    }

    /// Peers have told of these daemons, and of no others any more. `may_be` tells which of them this daemon may be connected to.
    pub(super) fn told(&mut self, known: &Known, may_be: impl Fn(&str) -> bool, now: Instant) {
        let exchanging: Vec<_> = self
            .rules
            .iter()
            .filter(|(_, rule)| rule.exchange)
            .map(|(id, rule)| (*id, rule.forget))
            .collect();
        let ids = |rules: &BTreeMap<u64, Discovery>, name: &str| -> Vec<u64> {
            let fit = rules
                .iter()
                .filter(|(_, rule)| rule.exchange && rule.names.matches(name));
            fit.map(|(id, _)| *id).collect()
        };
        for (name, addresses) in known {
            let rules = ids(&self.rules, name);
            if !rules.is_empty() && *name != self.own && may_be(name) {
                self.name(Place::Daemon(name.clone()), addresses.clone(), &rules, now);
            }
        }
        for (id, forget) in exchanging {
            self.unname(id, forget, now, |place| match place {
                Place::Daemon(name) => !known.contains_key(name) || !may_be(name),
                Place::Address(_) => false,
            });
        }
    }

    fn name(&mut self, place: Place, addresses: Vec<SocketAddr>, rules: &[u64], now: Instant) {
        let is_new = !self.candidates.contains_key(&place);
        if is_new && self.candidates.len() >= CANDIDATES {
            return;
        }
        let waits = match &place {
            Place::Daemon(name) if *name < self.own => HEAD_START,
            Place::Daemon(_) | Place::Address(_) => Duration::ZERO,
        };
        let daemon = match &place {
            Place::Daemon(name) => Some(name.clone()),
            Place::Address(_) => None,
        };
        let candidate = self.candidates.entry(place).or_insert_with(|| Candidate {
            rules: BTreeSet::new(),
            names: Vec::new(),
            addresses: Vec::new(),
            forget: None,
            daemon,
            next: now + waits,
            pause: PAUSE,
            is_dialled: false,
            is_own: false,
        });
        if candidate.rules.is_empty() && !is_new {
            // It may be another one than the one that could not be reached.
            candidate.next = now + waits;
            candidate.pause = PAUSE;
        }
        candidate.addresses = addresses;
        candidate.rules.extend(rules);
        let named = candidate.rules.iter().filter_map(|id| self.rules.get(id));
        candidate.names = named.map(|rule| rule.names.clone()).collect();
        candidate.forget = None;
    }

    /// A rule does not name these places any more.
    fn unname(&mut self, id: u64, forget: Duration, now: Instant, which: impl Fn(&Place) -> bool) {
        for (place, candidate) in &mut self.candidates {
            if which(place) && candidate.rules.remove(&id) && candidate.rules.is_empty() {
                candidate.forget = Some(now + forget);
            }
        }
    }

    /// The attempts to make now. `is_here` tells whether there is a session with a daemon, or another way to it, `at` who listens at an
    /// address. A place is forgotten that nothing names any more, but for one whose daemon is here.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        is_here: impl Fn(&str) -> bool,
        at: impl Fn(SocketAddr) -> Option<String>,
    ) -> Vec<Attempt> {
        let mut dials = self
            .candidates
            .values()
            .filter(|candidate| candidate.is_dialled)
            .count();
        let mut attempts = Vec::new();
        self.candidates.retain(|place, candidate| {
            if let Place::Address(address) = place
                && let Some(daemon) = at(*address)
            {
                candidate.daemon = Some(daemon);
            }
            let is_here = candidate.daemon.as_deref().is_some_and(&is_here);
            if is_here {
                candidate.pause = PAUSE;
                // When its session ends, it may be back at once.
                candidate.next = now;
            }
            if candidate.forget.is_some_and(|forget| forget <= now) && !candidate.is_dialled && !is_here {
                return false;
            }
            if is_here || candidate.is_own || candidate.is_dialled || now < candidate.next || dials >= DIALS {
                return true;
            }
            dials += 1;
            candidate.is_dialled = true;
            attempts.push(Attempt {
                place: place.clone(),
                addresses: candidate.addresses.clone(),
                names: candidate.names.clone(),
            });
            true
        });
        attempts
    }

    /// An attempt has ended.
    pub(super) fn dialled(&mut self, place: &Place, ended: &Ended, now: Instant) {
        let Some(candidate) = self.candidates.get_mut(place) else {
            return;
        };
        candidate.is_dialled = false;
        match ended {
            Ended::Met(name) => {
                candidate.daemon = Some(name.to_ascii_lowercase());
                candidate.pause = PAUSE;
            }
            Ended::Own => candidate.is_own = true,
            Ended::Failed => {}
        }
        candidate.next = now + candidate.pause;
        let most = if candidate.daemon.is_some() {
            PAUSE_KNOWN
        } else {
            PAUSE_UNKNOWN
        };
        candidate.pause = (candidate.pause * 2).min(most);
    }

    /// The daemons that were found and are here, with all their addresses.
    pub(super) fn here(&self, is_here: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<SocketAddr>> {
        let mut here = BTreeMap::<String, Vec<SocketAddr>>::new();
        for candidate in self.candidates.values() {
            if let Some(daemon) = candidate.daemon.as_deref().filter(|daemon| is_here(daemon)) {
                let addresses = here.entry(daemon.to_owned()).or_default();
                let others = candidate
                    .addresses
                    .iter()
                    .filter(|address| !addresses.contains(address));
                let others: Vec<_> = others.copied().collect();
                addresses.extend(others);
            }
        }
        here
    }

    /// How much is remembered.
    pub(super) fn len(&self) -> usize {
        self.candidates.len()
    }

    /// What a rule names, and who of that is here.
    pub(super) fn tally(&self, id: u64, is_here: impl Fn(&str) -> bool) -> Tally {
        let mut tally = Tally::default();
        for candidate in self
            .candidates
            .values()
            .filter(|candidate| candidate.rules.contains(&id))
        {
            tally.found += 1;
            let is_here = candidate.is_own || candidate.daemon.as_deref().is_some_and(&is_here);
            tally.here += usize::from(is_here);
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const FORGET: Duration = Duration::from_secs(60);

    fn dns() -> Discovery {
        Discovery {
            query: Some(Query {
                name: "beamway.test".to_owned(),
                port: Some(4471),
                server: None,
            }),
            exchange: false,
            names: DaemonPattern::parse("*.test").unwrap(),
            forget: FORGET,
        }
    }

    fn exchange() -> Discovery {
        Discovery {
            query: None,
            exchange: true,
            ..dns()
        }
    }

    fn address(host: u16) -> SocketAddr {
        let [high, low] = host.to_be_bytes();
        ([10, 0, high, low], 4471).into()
    }

    /// A cluster that is found, and the daemons with a session.
    struct World {
        found: Found,
        now: Instant,
        here: RefCell<BTreeMap<String, SocketAddr>>,
    }

    impl World {
        fn new(rules: Vec<Discovery>) -> Self {
            let mut found = Found::new("m.test");
            let now = Instant::now();
            found.set(rules, now);
            Self {
                found,
                now,
                here: RefCell::default(),
            }
        }

        /// The places that are dialled after this time.
        fn after(&mut self, time: Duration) -> Vec<String> {
            self.now += time;
            let here = self.here.borrow();
            let at = |address| {
                here.iter()
                    .find(|(_, at)| **at == address)
                    .map(|(name, _)| name.clone())
            };
            let attempts = self.found.poll(self.now, |name| here.contains_key(name), at);
            attempts.into_iter().map(|attempt| attempt.place.to_string()).collect()
        }

        fn ended(&mut self, place: Place, ended: Ended) {
            self.found.dialled(&place, &ended, self.now);
        }

        fn answer(&mut self, hosts: &[u16]) {
            let addresses: Vec<_> = hosts.iter().copied().map(address).collect();
            self.found.answer(1, &addresses, self.now);
        }

        fn told(&mut self, names: &[(&str, u16)]) {
            let known = names
                .iter()
                .map(|(name, host)| ((*name).to_owned(), vec![address(*host)]));
            self.found
                .told(&known.collect(), |name| name != "refused.test", self.now);
        }
    }

    const AT_ONCE: Duration = Duration::ZERO;

    #[test]
    fn addresses_are_dialled_until_a_daemon_is_there_and_again_when_it_is_gone() {
        let mut world = World::new(vec![dns()]);
        world.answer(&[1, 2, 3]);
        assert_eq!(
            world.after(AT_ONCE),
            ["10.0.0.1:4471", "10.0.0.2:4471", "10.0.0.3:4471"]
        );
        assert!(world.after(FORGET).is_empty(), "each once at a time");
        world.ended(Place::Address(address(1)), Ended::Met("A.test".to_owned()));
        world.here.borrow_mut().insert("a.test".to_owned(), address(1));
        world.ended(Place::Address(address(2)), Ended::Own);
        world.ended(Place::Address(address(3)), Ended::Failed);
        assert!(world.after(AT_ONCE).is_empty());
        assert_eq!(world.after(PAUSE), ["10.0.0.3:4471"]);
        world.ended(Place::Address(address(3)), Ended::Failed);
        assert!(world.after(PAUSE).is_empty(), "pauses grow");
        // Somebody has dialled in from there.
        world.here.borrow_mut().insert("c.test".to_owned(), address(3));
        assert!(world.after(FORGET).is_empty());
        world.here.borrow_mut().clear();
        assert_eq!(world.after(AT_ONCE), ["10.0.0.1:4471", "10.0.0.3:4471"]);
    }

    #[test]
    fn what_is_not_named_any_more_is_forgotten_after_a_while_but_not_while_it_is_here() {
        let mut world = World::new(vec![dns()]);
        world.answer(&[1, 2]);
        world.after(AT_ONCE);
        world.ended(Place::Address(address(1)), Ended::Met("a.test".to_owned()));
        world.here.borrow_mut().insert("a.test".to_owned(), address(1));
        world.ended(Place::Address(address(2)), Ended::Failed);
        world.answer(&[]);
        assert_eq!(world.after(FORGET / 2), ["10.0.0.2:4471"], "it may only have restarted");
        world.ended(Place::Address(address(2)), Ended::Failed);
        assert!(world.after(FORGET).is_empty());
        assert_eq!(world.found.len(), 1);
        world.here.borrow_mut().clear();
        assert!(world.after(AT_ONCE).is_empty());
        assert_eq!(world.found.len(), 0);
        world.answer(&[2]);
        assert_eq!(world.after(AT_ONCE), ["10.0.0.2:4471"], "it is named again");
    }

    #[test]
    fn peers_tell_within_what_is_allowed() {
        let mut world = World::new(vec![exchange()]);
        world.told(&[
            ("z.test", 1),
            ("m.test", 2),
            ("z.other", 3),
            ("refused.test", 4),
            ("a.test", 5),
        ]);
        assert_eq!(world.after(AT_ONCE), ["z.test"], "whoever has a lower name dials first");
        assert_eq!(world.after(HEAD_START), ["a.test"]);
        world.ended(Place::Daemon("a.test".to_owned()), Ended::Failed);
        world.told(&[("z.test", 1)]);
        assert_eq!(world.after(FORGET - Duration::from_secs(1)), ["a.test"]);
        world.ended(Place::Daemon("a.test".to_owned()), Ended::Failed);
        assert!(world.after(Duration::from_secs(1)).is_empty());
        assert_eq!(world.found.len(), 1);
    }

    #[test]
    fn a_way_that_is_configured_no_more_names_nobody() {
        let mut world = World::new(vec![dns(), exchange()]);
        world.answer(&[1]);
        world.told(&[("z.test", 2)]);
        assert_eq!(world.after(AT_ONCE).len(), 2);
        for place in [Place::Address(address(1)), Place::Daemon("z.test".to_owned())] {
            world.ended(place, Ended::Failed);
        }
        world.found.set(vec![exchange()], world.now);
        assert!(world.found.exchanges());
        assert_eq!(world.after(PAUSE_UNKNOWN), ["z.test"]);
        world.found.set(Vec::new(), world.now);
        world.ended(Place::Daemon("z.test".to_owned()), Ended::Failed);
        assert!(world.after(PAUSE_UNKNOWN).is_empty() && world.found.is_idle());
    }

    #[test]
    fn an_answer_floods_no_network_and_no_memory() {
        let mut world = World::new(vec![dns()]);
        let many: Vec<u16> = (0..20_000).collect();
        world.answer(&many);
        assert_eq!(world.found.len(), ADDRESSES);
        let dialled = world.after(AT_ONCE);
        assert_eq!(dialled.len(), DIALS);
        assert!(world.after(PAUSE_UNKNOWN).is_empty());
        let known: Known = (0..20_000)
            .map(|host| (format!("n{host}.test"), vec![address(host)]))
            .collect();
        world.found.set(vec![dns(), exchange()], world.now);
        world.found.told(&known, |_| true, world.now);
        assert_eq!(world.found.len(), CANDIDATES);
    }
}
