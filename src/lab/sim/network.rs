use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;

use super::random::Random;

/// The port that every daemon listens on.
const PORT: u16 = 4370;

/// Ports from here on are what a daemon is seen under after its address changed.
const SEEN_PORT: u16 = 20_000;

/// What comes later than the rest: this many times the delay of the line, at most.
const REORDER_DELAYS: u64 = 4;

/// What the lines do to datagrams, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quality {
    /// Of ten thousand datagrams so many are lost …
    pub(super) drop: u32,
    /// … come twice …
    pub(super) duplicate: u32,
    /// … come after later ones …
    pub(super) reorder: u32,
    /// … or come damaged.
    pub(super) corrupt: u32,
    /// How long each takes, at least: at least a millisecond.
    pub(super) delay: Duration,
    /// How much longer it may take; the order stays.
    pub(super) jitter: Duration,
}

impl Quality {
    /// A line that only takes its time.
    pub(super) const fn clean(delay: Duration) -> Self {
        Self {
            drop: 0,
            duplicate: 0,
            reorder: 0,
            corrupt: 0,
            delay,
            jitter: Duration::ZERO,
        }
    }
}

/// How often something was done to a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) sent: u64,
    pub(super) dropped: u64,
    pub(super) duplicated: u64,
    pub(super) reordered: u64,
    pub(super) corrupted: u64,
    /// Swallowed by a line that was dark.
    pub(super) swallowed: u64,
    /// Sent where nobody is (any more).
    pub(super) unroutable: u64,
}

/// One datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    /// The host that gets it.
    pub(super) to: usize,
    /// Under which address.
    at: SocketAddr,
    /// Where it seems to come from.
    pub(super) from: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// One direction between two hosts.
#[derive(Debug)]
struct Line {
    random: Random,
    quality: Quality,
    dark_until: Duration,
    /// When the latest datagram that keeps the order arrives.
    latest: Duration,
    /// Datagrams carried since the count was started.
    count: u64,
    /// Which of them are lost.
    doomed: Vec<u64>,
    /// Connections whose id is one of the first so many of its host are dead.
    dead: u64,
}

/// The network between the daemons: a pure machine. Time is what has passed since the run began.
#[derive(Debug)]
pub(super) struct Network {
    lines: BTreeMap<(usize, usize), Line>,
    /// Under which port each host's datagrams are seen …
    seen: Vec<u16>,
    /// … but for answers to those who reached it where it listens.
    answers: BTreeSet<(usize, SocketAddr)>,
    underway: BTreeMap<(Duration, u64), Datagram>,
    number: u64,
    damage: Damage,
}

/// Where a host listens.
pub(super) fn address(host: usize) -> SocketAddr {
    SocketAddr::new(ip(host), PORT)
}

const fn ip(host: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, host as u8 + 1))
}

impl Network {
    pub(super) fn new(seed: u64, hosts: usize, quality: Quality) -> Self {
        let pairs = (0..hosts).flat_map(|from| (0..hosts).map(move |to| (from, to)));
        let line = |(from, to)| Line {
            random: Random::new(seed, 1000 + (from * 64 + to) as u64),
            quality,
            dark_until: Duration::ZERO,
            latest: Duration::ZERO,
            count: 0,
            doomed: Vec::new(),
            dead: 0,
        };
        Self {
            lines: pairs
                .filter(|(from, to)| from != to)
                .map(|pair| (pair, line(pair)))
                .collect(),
            seen: vec![PORT; hosts],
            answers: BTreeSet::new(),
            underway: BTreeMap::new(),
            number: 0,
            damage: Damage::default(),
        }
    }

    pub(super) const fn damage(&self) -> Damage {
        self.damage
    }

    // Faults.

    /// All lines are like this from now on.
    pub(super) fn set_quality(&mut self, quality: Quality) {
        for line in self.lines.values_mut() {
            line.quality = quality;
        }
    }

    /// Nothing gets from one host to the other until then.
    pub(super) fn darken(&mut self, from: usize, to: usize, until: Duration) {
        if let Some(line) = self.lines.get_mut(&(from, to)) {
            line.dark_until = until.max(line.dark_until);
        }
    }

    /// The box in front of a host begins anew: the host's datagrams are seen under another port from now on, and nothing
    /// reaches it under the last one. Where it listens it is still found, and who finds it there gets answers from there.
    pub(super) fn rebind(&mut self, host: usize) {
        self.answers.retain(|(answering, _)| *answering != host);
        if let Some(seen) = self.seen.get_mut(host) {
            *seen = (*seen).max(SEEN_PORT) + 1;
        }
    }

    /// From now on nothing of the connections that `to` gave its first `ids` ids to reaches it from there; others do.
    pub(super) fn kill(&mut self, from: usize, to: usize, ids: u64) {
        if let Some(line) = self.lines.get_mut(&(from, to)) {
            line.dead = ids;
        }
    }

    /// Counts the datagrams that a line carries from now on; those of the numbers given, from 1, are lost.
    pub(super) fn doom(&mut self, from: usize, to: usize, numbers: &[u64]) {
        if let Some(line) = self.lines.get_mut(&(from, to)) {
            line.count = 0;
            line.doomed = numbers.to_vec();
        }
    }

    /// Datagrams that a line carried since [`Network::doom`].
    #[cfg(test)]
    fn count(&self, from: usize, to: usize) -> u64 {
        self.lines.get(&(from, to)).map_or(0, |line| line.count)
    }

    /// All faults of lines are over.
    pub(super) fn heal(&mut self, quality: Quality) {
        self.set_quality(quality);
        for line in self.lines.values_mut() {
            line.dark_until = Duration::ZERO;
            line.doomed.clear();
            line.dead = 0;
        }
    }

    // Datagrams.

    /// A host sends a datagram.
    pub(super) fn send(&mut self, now: Duration, from: usize, to: SocketAddr, bytes: Vec<u8>) {
        self.damage.sent += 1;
        let Some(host) = self.host_at(to).filter(|host| *host != from) else {
            self.damage.unroutable += 1;
            return;
        };
        let seen = self
            .seen
            .get(from)
            .copied()
            .filter(|_| !self.answers.contains(&(from, to)));
        let port = seen.unwrap_or(PORT);
        let Some(line) = self.lines.get_mut(&(from, host)) else {
            return;
        };
        let mut datagram = Datagram {
            to: host,
            at: to,
            from: SocketAddr::new(ip(from), port),
            bytes,
        };
        if now < line.dark_until || is_dead(&datagram.bytes, line.dead) {
            self.damage.swallowed += 1;
            return;
        }
        line.count += 1;
        let quality = line.quality;
        if line.doomed.contains(&line.count) || line.random.permyriad(quality.drop) {
            self.damage.dropped += 1;
            return;
        }
        if line.random.permyriad(quality.corrupt) {
            self.damage.corrupted += 1;
            corrupt(&mut datagram.bytes, &mut line.random);
        }
        let mut arrivals = vec![line.arrival(now)];
        if line.random.permyriad(quality.reorder) {
            self.damage.reordered += 1;
            let delay = quality.delay.as_millis() as u64;
            arrivals = vec![now + quality.delay + millis(line.random.between(1, delay * REORDER_DELAYS))];
        }
        if line.random.permyriad(quality.duplicate) {
            self.damage.duplicated += 1;
            arrivals.push(now + quality.delay + millis(line.random.below(100)));
        }
        for arrival in arrivals {
            self.number += 1;
            self.underway.insert((arrival, self.number), datagram.clone());
        }
    }

    /// Whose an address is.
    fn host_at(&self, address: SocketAddr) -> Option<usize> {
        (0..self.seen.len()).find(|host| {
            let seen = self.seen.get(*host).copied();
            address.ip() == ip(*host) && (address.port() == PORT || Some(address.port()) == seen)
        })
    }

    /// The next datagram that has arrived by now.
    pub(super) fn poll_arrival(&mut self, now: Duration) -> Option<Datagram> {
        let first = self.underway.first_entry().filter(|first| first.key().0 <= now)?;
        let datagram = first.remove();
        if datagram.at.port() == PORT {
            self.answers.insert((datagram.to, datagram.from));
        }
        Some(datagram)
    }

    /// When that will be.
    pub(super) fn next_arrival(&self) -> Option<Duration> {
        self.underway.first_key_value().map(|((at, _), _)| *at)
    }
}

impl Line {
    /// When a datagram arrives that keeps the order.
    fn arrival(&mut self, now: Duration) -> Duration {
        let jitter = self.quality.jitter.as_millis() as u64;
        let arrival = now + self.quality.delay + millis(self.random.between(0, jitter));
        self.latest = self.latest.max(arrival);
        self.latest
    }
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Flips one bit of the second half: the first holds, in clear, ids of connections that no seed decides.
fn corrupt(bytes: &mut [u8], random: &mut Random) {
    let half = bytes.len() / 2;
    let at = half + random.below((bytes.len() - half).max(1) as u64) as usize;
    let bit = 1 << random.below(8);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= bit;
    }
}

/// How ids of connections begin that [`connection_id`] made.
const ID_MARK: [u8; 2] = [0xbe, 0xa0];

/// The id of a connection: which of its host's it is can be told from it, so that a network can let connections die.
pub(super) const fn connection_id(number: u64) -> [u8; 8] {
    let [.., a, b, c, d, e, f] = number.to_be_bytes();
    [ID_MARK[0], ID_MARK[1], a, b, c, d, e, f]
}

/// Whether a datagram belongs to one of the first `dead` connections.
fn is_dead(datagram: &[u8], dead: u64) -> bool {
    let id = match datagram {
        // A long header tells the length of the id, and the version before it.
        [first, _, _, _, _, 8, rest @ ..] if first & 0x80 != 0 => rest.get(..8),
        [first, ..] if first & 0x80 != 0 => None,
        [_, rest @ ..] => rest.get(..8),
        [] => None,
    };
    match id {
        Some([a, b, number @ ..]) if [*a, *b] == ID_MARK => {
            number.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)) <= dead
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(quality: Quality) -> Network {
        Network::new(7, 2, quality)
    }

    fn clean() -> Quality {
        Quality::clean(millis(10))
    }

    /// Sends numbered datagrams, one a millisecond; what arrives, in order, with its time.
    fn run(network: &mut Network, count: u8) -> Vec<(u64, Datagram)> {
        let mut arrived = Vec::new();
        for now in 0..u64::from(count) + 200 {
            if now < u64::from(count) {
                network.send(millis(now), 0, address(1), vec![now as u8; 40]);
            }
            while let Some(datagram) = network.poll_arrival(millis(now)) {
                arrived.push((now, datagram));
            }
        }
        arrived
    }

    fn numbers(arrived: &[(u64, Datagram)]) -> Vec<u8> {
        arrived.iter().map(|(_, datagram)| datagram.bytes[0]).collect()
    }

    #[test]
    fn a_clean_line_only_delays() {
        let arrived = run(&mut network(clean()), 100);
        assert_eq!(numbers(&arrived), (0..100).collect::<Vec<u8>>());
        for (number, (at, datagram)) in arrived.into_iter().enumerate() {
            assert_eq!((at, datagram.to, datagram.from), (number as u64 + 10, 1, address(0)));
        }
    }

    #[test]
    fn each_fault_happens_as_often_as_said_and_is_counted() {
        let all = Quality {
            drop: 1000,
            duplicate: 1000,
            reorder: 1000,
            corrupt: 1000,
            jitter: millis(5),
            ..clean()
        };
        let mut network = network(all);
        let mut arrived = 0;
        for _ in 0..100 {
            arrived += run(&mut network, 100).len() as u64;
        }
        let damage = network.damage();
        assert_eq!(damage.sent, 10_000);
        let counts = [damage.dropped, damage.duplicated, damage.reordered, damage.corrupted];
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{damage:?}");
        assert_eq!(arrived, damage.sent - damage.dropped + damage.duplicated);
    }

    #[test]
    fn what_keeps_the_order_keeps_it_whatever_the_jitter() {
        let jitter = millis(50);
        let arrived = run(&mut network(Quality { jitter, ..clean() }), 100);
        assert_eq!(numbers(&arrived), (0..100).collect::<Vec<u8>>());
        let reorder = 3000;
        let arrived = run(&mut network(Quality { reorder, ..clean() }), 100);
        assert!(!numbers(&arrived).is_sorted());
    }

    #[test]
    fn damage_is_one_bit_of_the_second_half() {
        let corrupt = 10_000;
        for (_, datagram) in run(&mut network(Quality { corrupt, ..clean() }), 50) {
            let number = datagram.bytes[0];
            let flipped: u32 = datagram.bytes.iter().map(|byte| (byte ^ number).count_ones()).sum();
            assert_eq!(flipped, 1);
            assert!(datagram.bytes[..20].iter().all(|byte| *byte == number));
        }
    }

    #[test]
    fn a_dark_line_swallows_one_direction_for_a_while() {
        let mut network = network(clean());
        network.darken(0, 1, millis(50));
        network.send(millis(0), 1, address(0), vec![0; 40]);
        let arrived = run(&mut network, 100);
        let (back, forth): (Vec<_>, Vec<_>) = arrived.into_iter().partition(|(_, datagram)| datagram.to == 0);
        assert_eq!(back.len(), 1);
        assert_eq!(numbers(&forth), (50..100).collect::<Vec<u8>>());
        assert_eq!(network.damage().swallowed, 50);
    }

    #[test]
    fn a_changed_address_is_seen_and_the_former_one_is_nobodys() {
        let mut network = network(clean());
        network.rebind(0);
        let seen = run(&mut network, 1).remove(0).1.from;
        assert_ne!(seen, address(0));
        network.rebind(0);
        network.send(millis(300), 1, seen, vec![0; 40]);
        assert_eq!(network.poll_arrival(millis(400)), None, "nobody is there any more");
        network.send(millis(300), 1, address(0), vec![0; 40]);
        assert_eq!(
            network.next_arrival(),
            Some(millis(310)),
            "where it listens it is found"
        );
    }

    #[test]
    fn the_datagrams_named_are_lost() {
        let mut network = network(clean());
        run(&mut network, 3);
        network.doom(0, 1, &[1, 4]);
        assert_eq!(numbers(&run(&mut network, 5)), [1, 2, 4]);
        assert_eq!(network.count(0, 1), 5);
    }

    #[test]
    fn dead_connections_stay_dead_and_new_ones_live() {
        let mut network = network(clean());
        network.kill(0, 1, 3);
        for number in [3, 4] {
            let mut short = vec![0x40];
            short.extend(connection_id(number));
            let mut long = vec![0xe0, 0, 0, 0, 1, 8];
            long.extend(connection_id(number));
            for bytes in [short, long] {
                network.send(millis(0), 0, address(1), bytes);
            }
        }
        network.send(millis(0), 0, address(1), vec![0xc0, 0, 0, 0, 1, 20, 7, 7, 7]);
        let arrived = std::iter::from_fn(|| network.poll_arrival(millis(10))).count();
        assert_eq!((arrived, network.damage().swallowed), (3, 2));
    }

    #[test]
    fn one_seed_one_run() {
        let lossy = Quality {
            drop: 2000,
            reorder: 1000,
            duplicate: 500,
            corrupt: 500,
            ..clean()
        };
        let once = |seed| run(&mut Network::new(seed, 2, lossy), 100);
        assert_eq!(once(1), once(1));
        assert_ne!(once(1), once(2));
    }
}
