//! Who may begin a handshake: a bound on what strangers can take from peers.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::time::Duration;
use std::time::Instant;

/// Handshakes in progress at once. They are CPU-intensive, and each keeps a connection.
const MAX: usize = 64;

/// Of these from one address, unless it is a peer's.
const SHARE: usize = 16;

/// With this many in progress, a newcomer must first prove that it receives at its address.
const BUSY: usize = 16;

/// Handshakes that begin per second. One takes half a millisecond of a core, so strangers get a tenth of a core at most.
const PER_SECOND: u32 = 200;

/// Handshakes of known addresses beyond that, per second: they do not compete with strangers.
const PER_SECOND_KNOWN: u32 = 100;

/// What to do with a newcomer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its handshake begins as this number. The handshake `ends` must give way, if there is one.
    Begin { number: u64, ends: Option<u64> },
    /// It must prove its address first.
    Prove,
    /// Nothing: it tries again later.
    Ignore,
}

/// The handshakes in progress.
#[derive(Debug)]
pub(super) struct Admission {
    /// The oldest first.
    handshakes: VecDeque<Handshake>,
    begun: u64,
    strangers: Bucket,
    known: Bucket,
}

#[derive(Debug)]
struct Handshake {
    number: u64,
    network: IpAddr,
    is_known: bool,
}

impl Admission {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            handshakes: VecDeque::with_capacity(MAX),
            begun: 0,
            strangers: Bucket::new(PER_SECOND, now),
            known: Bucket::new(PER_SECOND_KNOWN, now),
        }
    }

    /// Somebody wants to begin a handshake. `is_known` says that a peer has this address. `is_proven` says that they receive
    /// there.
    ///
    /// A newcomer is never refused because of handshakes that others do not complete: the oldest one of its own address
    /// ends, or the oldest one of a stranger. Only strangers have to wait for known addresses.
    pub(super) fn arrive(&mut self, address: IpAddr, is_known: bool, is_proven: bool, now: Instant) -> Verdict {
        if !is_proven && self.handshakes.len() >= BUSY {
            return Verdict::Prove;
        }
        let network = network(address);
        let ends = match self.gives_way(network, is_known) {
            Ok(ends) => ends,
            Err(Full) => return Verdict::Ignore,
        };
        let has_time = (is_known && self.known.take(now)) || self.strangers.take(now);
        if !has_time {
            return Verdict::Ignore;
        }
        if let Some(number) = ends {
            self.end(number);
        }
        self.begun += 1;
        let number = self.begun;
        self.handshakes.push_back(Handshake {
            number,
            network,
            is_known,
        });
        Verdict::Begin { number, ends }
    }

    /// Which handshake must end so that another one can begin, if any.
    fn gives_way(&self, network: IpAddr, is_known: bool) -> Result<Option<u64>, Full> {
        let mut same = self.handshakes.iter().filter(|other| other.network == network);
        if !is_known && same.clone().count() >= SHARE {
            return same
                .find(|other| !other.is_known)
                .map(|other| Some(other.number))
                .ok_or(Full);
        }
        if self.handshakes.len() < MAX {
            return Ok(None);
        }
        let stranger = self.handshakes.iter().find(|other| !other.is_known);
        let oldest = self.handshakes.front().filter(|_| is_known);
        stranger.or(oldest).map(|other| Some(other.number)).ok_or(Full)
    }

    /// A handshake is complete, or has failed.
    pub(super) fn end(&mut self, number: u64) {
        self.handshakes.retain(|handshake| handshake.number != number);
    }
}

struct Full;

/// The part of an address that one host cannot vary at will: all of IPv4, and the first 64 bits of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        four @ IpAddr::V4(_) => four,
    }
}

/// A token bucket that holds the tokens of one second.
#[derive(Debug)]
struct Bucket {
    interval: Duration,
    /// Until when the tokens are used up; in the past if there are any.
    used_until: Instant,
}

impl Bucket {
    fn new(per_second: u32, now: Instant) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_second,
            used_until: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let used_until = self.used_until.max(now) + self.interval;
        let is_there = used_until <= now + Duration::from_secs(1);
        if is_there {
            self.used_until = used_until;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn host(number: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, number).into()
    }

    fn stranger(admission: &mut Admission, address: IpAddr, now: Instant) -> Verdict {
        admission.arrive(address, false, true, now)
    }

    #[test]
    fn of_one_address_the_oldest_gives_way() {
        let now = Instant::now();
        let mut admission = Admission::new(now);
        for number in 1..=SHARE as u64 {
            assert_eq!(
                stranger(&mut admission, host(1), now),
                Verdict::Begin { number, ends: None }
            );
        }
        for number in 1..=20 {
            let ends = Some(number);
            let number = SHARE as u64 + number;
            assert_eq!(stranger(&mut admission, host(1), now), Verdict::Begin { number, ends });
        }
        let number = SHARE as u64 + 21;
        assert_eq!(
            stranger(&mut admission, host(2), now),
            Verdict::Begin { number, ends: None }
        );
    }

    #[test]
    fn known_addresses_go_before_strangers_and_are_not_displaced_by_them() {
        let now = Instant::now();
        let mut admission = Admission::new(now);
        for number in 1..=MAX as u64 {
            let verdict = stranger(&mut admission, host(number as u8), now);
            assert_eq!(verdict, Verdict::Begin { number, ends: None });
        }
        for number in 1..=MAX as u64 {
            let verdict = admission.arrive(host(200), true, true, now);
            let ends = Some(number);
            assert_eq!(
                verdict,
                Verdict::Begin {
                    number: MAX as u64 + number,
                    ends
                }
            );
        }
        assert_eq!(stranger(&mut admission, host(100), now), Verdict::Ignore);
        let verdict = admission.arrive(host(201), true, true, now);
        let oldest = MAX as u64 + 1;
        assert_eq!(
            verdict,
            Verdict::Begin {
                number: 2 * MAX as u64 + 1,
                ends: Some(oldest)
            }
        );
        admission.end(oldest + 1);
        assert!(matches!(
            stranger(&mut admission, host(100), now),
            Verdict::Begin { ends: None, .. }
        ));
    }

    #[test]
    fn one_that_has_not_proven_its_address_begins_only_while_little_is_going_on() {
        let now = Instant::now();
        let mut admission = Admission::new(now);
        for number in 0..BUSY {
            let verdict = admission.arrive(host(number as u8), false, false, now);
            assert!(matches!(verdict, Verdict::Begin { ends: None, .. }), "{verdict:?}");
        }
        assert_eq!(admission.arrive(host(99), true, false, now), Verdict::Prove);
        admission.end(3);
        assert!(matches!(
            admission.arrive(host(99), true, false, now),
            Verdict::Begin { .. }
        ));
    }

    #[test]
    fn handshakes_per_second_are_bounded_and_known_addresses_have_their_own() {
        let mut now = Instant::now();
        let mut admission = Admission::new(now);
        let mut begun = [0; 2];
        for step in 0..20_000_u32 {
            for (index, is_known) in [(0, false), (1, true)] {
                let address = host((step % 100) as u8);
                if let Verdict::Begin { number, .. } = admission.arrive(address, is_known, true, now) {
                    begun[index] += 1;
                    admission.end(number);
                }
            }
            now += Duration::from_micros(100);
        }
        let seconds = 2 + 1;
        let most = (PER_SECOND + PER_SECOND_KNOWN) * seconds;
        assert!(begun[0] + begun[1] <= most, "{begun:?} within two seconds");
        assert!(
            begun[1] >= PER_SECOND_KNOWN * 2,
            "{begun:?}: strangers take nothing of it"
        );
        assert!(begun[0] >= 1, "{begun:?}");
    }

    #[test]
    fn hosts_of_ipv6_are_counted_by_their_network() {
        let one: IpAddr = "2001:db8:1:2:3::1".parse().unwrap();
        let same: IpAddr = "2001:db8:1:2:4::1".parse().unwrap();
        let other: IpAddr = "2001:db8:1:3::1".parse().unwrap();
        assert_eq!(network(one), network(same));
        assert_ne!(network(one), network(other));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), host(1));
    }
}
