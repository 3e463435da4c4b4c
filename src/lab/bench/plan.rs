use std::time::Duration;

use super::findings::Row;
use super::measure::Lengths;
use super::network_path::NetworkPath;
use super::rows::Bulk;
use super::rows::Task;
use super::rows::What;
use super::rows::parts;
use crate::lab::testbed::carriers::Carrier;
use crate::lab::testbed::transport::Transport;

/// How much is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Everything once, with tiny durations: does it still run?
    Tiny,
    /// Ten minutes at most.
    Quick,
    /// All rows, few lines: about an hour.
    #[default]
    Usual,
    /// All rows, all lines, ten thousand calls in each: hours.
    Full,
}

/// What a run measures.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) extent: Extent,
    pub(super) rounds: u32,
    pub(super) carriers: Vec<Carrier>,
    /// On lines.
    pub(super) line_carriers: Vec<Carrier>,
    /// On this machine's loopback.
    pub(super) tasks: Vec<Task>,
    pub(super) lines: Vec<(NetworkPath, Vec<Task>)>,
    pub(super) lengths: Lengths,
    /// How often a measurement is made again while others had too much of the processors' time.
    pub(super) repeats: u32,
    /// Nothing new is begun after this: on loopback, and on lines.
    pub(super) limits: Option<[Duration; 2]>,
}

/// OTP's own benchmark of carriers (`ssl_dist_bench_SUITE`): one pair, 0 B to 1 MiB.
const OTP_BYTES: [u64; 8] = [0, 64, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];

impl Plan {
    /// `over` and `filter` narrow it down; without `over`, `others` are added to the usual carriers.
    pub(super) fn new(
        extent: Extent,
        rounds: Option<u32>,
        over: Option<Vec<Carrier>>,
        others: &[Carrier],
        filter: Option<&str>,
    ) -> Self {
        let meant = |task: &Task| filter.is_none_or(|filter| task.is_meant(filter));
        let all = extent.tasks().into_iter().map(|what| Task {
            what,
            line: None,
            visiting: false,
        });
        let lines = extent.lines().into_iter().map(|line| {
            let tasks = extent.line_tasks().iter().map(|what| Task {
                what: *what,
                line: Some(line),
                visiting: false,
            });
            (line, tasks.filter(meant).collect::<Vec<_>>())
        });
        let usual =
            |carriers: Vec<Carrier>| each_once(over.clone().unwrap_or_else(|| [carriers, others.to_vec()].concat()));
        Self {
            extent,
            rounds: rounds.unwrap_or(if extent == Extent::Tiny { 1 } else { 5 }),
            carriers: usual(extent.carriers()),
            line_carriers: usual(extent.line_carriers()),
            tasks: all.filter(meant).collect(),
            lines: lines.filter(|(_, tasks)| !tasks.is_empty()).collect(),
            lengths: extent.lengths(),
            repeats: match extent {
                Extent::Tiny => 0,
                Extent::Quick => 1,
                Extent::Usual | Extent::Full => 3,
            },
            limits: (extent == Extent::Quick).then_some([Duration::from_secs(400), Duration::from_secs(520)]),
        }
    }
}

impl Plan {
    /// Between nodes that are not ours: only what leaves them as they were, and no choice of carriers.
    pub(super) fn visiting(mut self) -> Self {
        let passing = |what| matches!(what, What::Stream { .. } | What::Idle | What::Calls(_));
        self.tasks.retain(|task| passing(task.what));
        self.tasks.iter_mut().for_each(|task| task.visiting = true);
        self.carriers.clear();
        self.lines.clear();
        self
    }

    fn all_tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().chain(self.lines.iter().flat_map(|(_, tasks)| tasks))
    }

    /// All rows, those on lines last.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.all_tasks().flat_map(Task::rows).collect()
    }

    /// The first part of a filter that none of the rows has in its name; the filter itself if it has no parts.
    pub(super) fn unknown<'a>(&self, filter: &'a str) -> Option<&'a str> {
        match parts(filter).next() {
            Some(_) => parts(filter).find(|part| !self.all_tasks().any(|task| task.is_meant(part))),
            None => Some(filter),
        }
    }
}

/// Those of one name are one: nodes and figures are told apart by it.
fn each_once(carriers: Vec<Carrier>) -> Vec<Carrier> {
    let mut once: Vec<Carrier> = Vec::new();
    for carrier in carriers {
        if once.iter().all(|other| other.name() != carrier.name()) {
            once.push(carrier);
        }
    }
    once
}

fn lanes(lanes: &[u16]) -> impl Iterator<Item = Carrier> {
    lanes.iter().map(|lanes| {
        Carrier::Beamway(Transport {
            lanes: Some(*lanes),
            congestion: None,
        })
    })
}

impl Extent {
    /// Its word for settings.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Quick => "quick",
            Self::Usual => "default",
            Self::Full => "full",
        }
    }

    fn carriers(self) -> Vec<Carrier> {
        let ours: &[u16] = match self {
            Self::Tiny | Self::Quick => &[16],
            Self::Usual | Self::Full => &[1, 4, 16, 64],
        };
        let theirs = [Carrier::Plain, Carrier::Tuned, Carrier::Tls];
        theirs.into_iter().chain([Carrier::Inside]).chain(lanes(ours)).collect()
    }

    fn line_carriers(self) -> Vec<Carrier> {
        let cubic = Carrier::Beamway(Transport {
            lanes: Some(16),
            congestion: Some("cubic".to_owned()),
        });
        let carriers = [Carrier::Plain, Carrier::Tls, Carrier::Inside];
        carriers.into_iter().chain(lanes(&[16])).chain([cubic]).collect()
    }

    fn tasks(self) -> Vec<What> {
        let stream = |(bytes, pairs)| What::Stream { pairs, bytes };
        let quick = [(100, 1), (100, 16), (100, 256), (4000, 16), (1_000_000, 8)];
        let all = [
            (100, 1),
            (100, 16),
            (100, 256),
            (4000, 16),
            (64_000, 16),
            (1_000_000, 8),
            (16_000_000, 4),
        ];
        let otp = OTP_BYTES.map(|bytes| (bytes, 1));
        let whole = self != Self::Quick;
        let streams: Vec<(u64, u32)> = match whole {
            true => all.into_iter().chain(otp).collect(),
            false => quick.into(),
        };
        let beside = [Bulk::MEGABYTES, Bulk::KILOBYTES, Bulk::FLOW];
        let crowd = whole.then_some(Bulk::CROWD);
        let first = [What::SetUp].into_iter().chain(whole.then_some(What::SetUpTogether));
        first
            .chain(streams.into_iter().map(stream))
            .chain([What::Idle, What::Calls(None)])
            .chain(beside.into_iter().chain(crowd).map(|bulk| What::Calls(Some(bulk))))
            .chain([What::Stalled, What::Ticks])
            .collect()
    }

    fn line_tasks(self) -> &'static [What] {
        match self {
            Self::Tiny | Self::Quick => &[What::Calls(Some(Bulk::KILOBYTES))],
            Self::Usual => &[What::Calls(None), What::Calls(Some(Bulk::KILOBYTES))],
            Self::Full => &[
                What::Calls(None),
                What::Calls(Some(Bulk::KILOBYTES)),
                What::Calls(Some(Bulk::FLOW)),
            ],
        }
    }

    fn lines(self) -> Vec<NetworkPath> {
        let line = |(mbit, round_trip_ms, loss_tenths)| NetworkPath {
            mbit,
            round_trip_ms,
            loss_tenths,
        };
        match self {
            Self::Tiny | Self::Quick => vec![line((100, 20, 5))],
            Self::Usual => [(100, 20, 0), (100, 20, 5), (100, 20, 20), (100, 80, 5)]
                .map(line)
                .into(),
            Self::Full => {
                let rates = [100, 1000].into_iter();
                let trips = rates.flat_map(|mbit| [1, 20, 80].map(|ms| (mbit, ms)));
                trips
                    .flat_map(|(mbit, ms)| [0, 1, 5, 20].map(|loss| line((mbit, ms, loss))))
                    .collect()
            }
        }
    }

    fn lengths(self) -> Lengths {
        let [stream, calls, line_calls, line_warm, ticks, set_ups] = match self {
            Self::Tiny => [50, 50, 200, 100, 300, 2],
            Self::Quick => [600, 1500, 2000, 1000, 1500, 5],
            Self::Usual => [1000, 5000, 5000, 2000, 5000, 20],
            Self::Full => [2000, 101_000, 10_000, 2000, 10_000, 20],
        };
        Lengths {
            stream,
            calls,
            line_calls,
            line_warm,
            ticks,
            set_ups,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_key_of_its_own() {
        for extent in [Extent::Tiny, Extent::Quick, Extent::Usual, Extent::Full] {
            let plan = Plan::new(extent, None, None, &[], None);
            let mut keys: Vec<String> = plan.rows().into_iter().map(|row| row.key).collect();
            let count = keys.len();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), count, "{extent:?}");
        }
    }

    #[test]
    fn all_lines_are_in_the_full_extent() {
        let plan = Plan::new(Extent::Full, None, None, &[], None);
        assert_eq!(plan.lines.len(), 24);
        assert!(plan.lengths.calls / 10 >= 10_000, "p99.9 needs ten thousand calls");
    }

    #[test]
    fn a_filter_that_means_nothing_is_seen() {
        let unknown = |filter| Plan::new(Extent::Quick, None, None, &[], Some(filter)).unknown(filter);
        assert_eq!(unknown("Idle, messages-100-16,"), None);
        assert_eq!(unknown("idle,mesages,@ 3"), Some("mesages"));
        assert_eq!(unknown(" ,"), Some(" ,"));
    }

    #[test]
    fn a_filter_leaves_the_rest_out() {
        let plan = Plan::new(
            Extent::Usual,
            Some(7),
            None,
            &[Carrier::Tuned],
            Some("messages-100-16,loss 2 %"),
        );
        assert_eq!((plan.tasks.len(), plan.lines.len(), plan.rounds), (1, 1, 7));
        let plan = Plan::new(
            Extent::Usual,
            None,
            Some(vec![Carrier::Plain; 2]),
            &[Carrier::Tuned],
            None,
        );
        assert_eq!(plan.carriers, [Carrier::Plain]);
    }
}
