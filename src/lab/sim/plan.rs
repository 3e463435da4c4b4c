use std::time::Duration;

use super::fault::Fault;
use super::ledger::Excuse;
use super::network::Quality;
use super::node::Habits;
use super::random::Random;
use super::setting::Dialling;
use super::setting::Setting;

/// Outages this close together are one: a session needs some time to find its feet.
const BREATH: Duration = Duration::from_secs(3);

/// This much before the grace is over a session may end already: its last acknowledgement is older than the outage, and
/// the next one has to come before.
const MARGIN: Duration = Duration::from_secs(2);

/// After what may end a session it takes a while until both sides know.
const AFTERMATH: Duration = Duration::from_secs(10);

/// A daemon that was killed may have sent a welcome just before: a session with it may begin so much later.
const UNDERWAY: Duration = Duration::from_secs(1);

impl Setting {
    /// What a seed stands for.
    pub(super) fn draw(seed: u64) -> Self {
        let random = &mut Random::new(seed, 1);
        let delay = Duration::from_millis(random.pick(&[2, 5, 10, 20, 40], 10));
        let mut setting = Self {
            hosts: if random.one_in(5) { 3 } else { 2 },
            dialling: random.pick(&[Dialling::Both, Dialling::Both, Dialling::Lower], Dialling::Higher),
            lanes: random.pick(&[1, 2, 4, 16], 4),
            grace: Duration::from_secs(random.pick(&[5, 8, 15], 15)),
            idle_timeout: Duration::from_secs(random.pick(&[4, 8, 15], 15)),
            budget: random.pick(&[16 << 10, 256 << 10, 4 << 20], 1 << 20),
            memory: random.pick(&[8 << 20, 64 << 20], 64 << 20),
            backlog: random.pick(&[256 << 10, 4 << 20], 1 << 20),
            habits: Habits {
                circuits: random.between(1, 2) as usize,
                pause: Duration::from_millis(random.pick(&[20, 60, 200, 1000], 60)),
                burst: random.between(1, 4),
                large_one_in: random.pick(&[5, 20, 100], 20),
                close_one_in: random.pick(&[30, 200, 1000], 200),
            },
            quality: draw_quality(random, delay),
            length: Duration::from_secs(random.between(8, 25)),
            ..Self::calm(seed)
        };
        setting.faults = draw_faults(&setting, random);
        setting
    }
}

/// Draws the faults of a run; all are over when its length is.
fn draw_faults(setting: &Setting, random: &mut Random) -> Vec<(Duration, Fault)> {
    let mut faults = Vec::new();
    let mut at = Duration::from_millis(random.between(200, 3000));
    while at < setting.length {
        let fault = draw_fault(setting, random);
        let end = at + fault.time();
        let fault_at = at;
        // The next one may begin before this one is over.
        let gap = Duration::from_millis(random.between(100, 5000));
        at = if random.one_in(3) { at + gap } else { end + gap };
        if end < setting.length {
            faults.push((fault_at, fault));
        }
    }
    faults
}

fn draw_fault(setting: &Setting, random: &mut Random) -> Fault {
    let hosts = setting.hosts as u64;
    let host = random.below(hosts) as usize;
    let other = (host + random.between(1, hosts - 1) as usize) % setting.hosts;
    let both = random.one_in(2);
    // Some outages are shorter than a round trip, most within the grace, some beyond.
    let grace = setting.grace.as_millis() as u64;
    let time = Duration::from_millis(match random.below(10) {
        0..=2 => random.between(20, 500),
        3..=8 => random.between(500, grace - MARGIN.as_millis() as u64 - 500),
        _ => grace + random.between(0, 3000),
    });
    match random.below(16) {
        0..=4 => Fault::Dark {
            from: host,
            to: other,
            both,
            time,
        },
        5..=6 => Fault::Weather {
            quality: draw_weather(setting, random),
            time,
        },
        7..=8 => Fault::Rebind(host),
        9..=10 => Fault::HalfOpen {
            from: host,
            to: other,
            both,
        },
        11..=12 => Fault::Crash {
            host,
            down: Duration::from_millis(random.between(0, 2000)),
            new_key: both,
        },
        13 => Fault::Freeze {
            host,
            time,
            leaps: both,
            keeps: random.one_in(2),
        },
        14 => Fault::Deaf { host, time },
        _ => Fault::Doom {
            from: host,
            to: other,
            numbers: (0..5).map(|_| random.between(1, 40)).collect(),
        },
    }
}

/// How the lines are: clean, or with some faults all the time.
fn draw_quality(random: &mut Random, delay: Duration) -> Quality {
    let often = |random: &mut Random| match random.below(4) {
        0 => random.below(1000) as u32,
        1 => random.below(200) as u32,
        _ => 0,
    };
    Quality {
        drop: often(random),
        duplicate: often(random),
        reorder: often(random),
        corrupt: often(random) / 2,
        delay,
        jitter: Duration::from_millis(random.pick(&[0, 0, 3, 15], 0)),
    }
}

/// Worse than usual, or slower.
fn draw_weather(setting: &Setting, random: &mut Random) -> Quality {
    let usual = setting.quality;
    let slower = random.pick(&[1, 1, 3, 8], 1);
    let quality = draw_quality(random, usual.delay * slower);
    Quality {
        drop: quality.drop.max(usual.drop) + random.below(1500) as u32,
        ..quality
    }
}

/// When a session of two hosts may end otherwise than in order, given what goes wrong.
pub(super) fn excuses(setting: &Setting) -> Vec<Excuse> {
    let mut excuses = Vec::new();
    let aftermath = setting.idle_timeout + setting.grace + AFTERMATH;
    for one in 0..setting.hosts {
        for other in 0..one {
            let hosts = [other, one];
            for (at, fault) in &setting.faults {
                if let Fault::Crash { host, down, .. } = fault
                    && hosts.contains(host)
                {
                    excuses.push(Excuse {
                        hosts,
                        from: *at,
                        to: *at + UNDERWAY,
                        until: *at + *down + aftermath,
                    });
                }
            }
            for (from, to) in outages(setting, hosts) {
                if to - from + MARGIN >= setting.grace {
                    excuses.push(Excuse {
                        hosts,
                        from,
                        to,
                        until: to + aftermath,
                    });
                }
            }
        }
    }
    excuses
}

/// When two hosts cannot talk, with outages that are close together made one.
fn outages(setting: &Setting, pair: [usize; 2]) -> Vec<(Duration, Duration)> {
    let mut outages: Vec<(Duration, Duration)> = Vec::new();
    let mut parting: Vec<_> = setting.faults.iter().filter(|(_, fault)| fault.parts(pair)).collect();
    parting.sort_by_key(|(at, _)| *at);
    for (at, fault) in parting {
        let (begin, end) = (*at, *at + fault.time());
        match outages.last_mut().filter(|(_, last)| *last + BREATH >= begin) {
            Some((_, last)) => *last = end.max(*last),
            None => outages.push((begin, end)),
        }
    }
    outages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::sim::fault::KINDS;

    fn dark(seconds: u64) -> Fault {
        Fault::Dark {
            from: 0,
            to: 1,
            both: true,
            time: Duration::from_secs(seconds),
        }
    }

    fn excused(faults: &[(u64, Fault)]) -> Vec<(u64, u64)> {
        let seconds = Duration::from_secs;
        let setting = Setting {
            faults: faults.iter().map(|(at, fault)| (seconds(*at), fault.clone())).collect(),
            ..Setting::calm(1)
        };
        let excuses = excuses(&setting);
        excuses
            .iter()
            .map(|excuse| (excuse.from.as_secs(), excuse.until.as_secs()))
            .collect()
    }

    #[test]
    fn only_crashes_and_long_outages_excuse_the_end_of_a_session() {
        assert_eq!(excused(&[(5, dark(12)), (30, Fault::Rebind(0))]), []);
        assert_eq!(excused(&[(5, dark(13))]), [(5, 58)]);
        assert_eq!(excused(&[(5, dark(7)), (14, dark(7))]), [(5, 61)], "close together");
        let crash = Fault::Crash {
            host: 1,
            down: Duration::from_secs(1),
            new_key: false,
        };
        assert_eq!(excused(&[(5, crash)]), [(5, 46)]);
    }

    #[test]
    fn all_kinds_of_faults_are_drawn() {
        let mut counts = [0; KINDS.len()];
        for seed in 0..200 {
            for (at, fault) in Setting::draw(seed).faults {
                counts[fault.kind()] += 1;
                assert!(at + fault.time() < Duration::from_secs(25));
            }
        }
        assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
    }
}
