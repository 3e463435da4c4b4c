//! Runs as the command makes them, twice the same; and mistakes in the code under test, which must be noticed.

use std::time::Duration;

use super::fault::Fault;
use super::keys::Keys;
use super::network::Quality;
use super::node::Habits;
use super::setting::Dialling;
use super::setting::Setting;
use super::steps::steps;
use super::world::Outcome;
use super::world::run;
use crate::session::Bug;

fn keys() -> Keys {
    Keys::make(3).unwrap()
}

#[test]
fn two_daemons_exchange_signals() {
    let outcome = run(&Setting::calm(1), &keys(), false).unwrap();
    assert_eq!(outcome.complaints, Vec::<String>::new());
    assert!(outcome.tally.delivered > 500, "{outcome:?}");
    assert_eq!(outcome.tally.delivered + outcome.tally.unread, outcome.tally.sent);
    assert_eq!((outcome.tally.ended, outcome.resumptions), (0, 0));
}

/// Keys too are drawn anew: nothing that a seed does not decide shows.
#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..6 {
        let once = || run(&Setting::draw(seed), &keys(), true).unwrap();
        let (one, other) = (once(), once());
        let first = one.trace.iter().zip(&other.trace).position(|(one, other)| one != other);
        if let Some(line) = first {
            panic!("seed {seed}: {:?} and {:?}", one.trace[line], other.trace[line]);
        }
        assert_eq!(one, other, "seed {seed}");
        assert!(
            one.trace.len() > 500,
            "seed {seed}: a trace of {} lines",
            one.trace.len()
        );
    }
}

#[test]
fn different_seeds_give_different_traces() {
    let digest = |seed| run(&Setting::draw(seed), &keys(), false).unwrap().digest;
    assert_ne!(digest(1), digest(2));
}

#[test]
fn nothing_is_lost_whatever_goes_wrong() {
    let keys = keys();
    let mut all = Vec::new();
    for seed in 100..120 {
        let outcome = run(&Setting::draw(seed), &keys, false).unwrap();
        assert_eq!(outcome.complaints, Vec::<String>::new(), "seed {seed}");
        all.push(outcome);
    }
    let sum = |of: fn(&Outcome) -> u64| all.iter().map(of).sum::<u64>();
    assert!(sum(|outcome| outcome.tally.delivered) > 20_000);
    assert!(sum(|outcome| outcome.resumptions) > 30);
    assert!(
        sum(|outcome| outcome.tally.ended) > 5,
        "daemons died and sessions ended"
    );
}

#[test]
fn no_step_of_a_resume_matters() {
    let keys = keys();
    for setting in steps().iter().step_by(17) {
        let outcome = run(setting, &keys, false).unwrap();
        assert_eq!(outcome.complaints, Vec::<String>::new(), "{:?}", setting.faults);
        assert!(outcome.resumptions > 0, "{:?}", setting.faults);
        let harm = outcome.damage.dropped + outcome.damage.swallowed;
        assert!(harm > 0, "the step named was there: {:?}", setting.faults);
    }
}

/// The session once ended when a welcome was late: its receiver had closed the trunk as a breach of the protocol.
#[test]
fn a_line_that_goes_dark_during_a_resume_costs_nothing() {
    let keys = keys();
    let moment = Duration::from_millis(1900)..Duration::from_millis(2100);
    let is_meant = |setting: &&Setting| {
        let mut faults = setting.faults.iter();
        faults.any(|(at, fault)| matches!(fault, Fault::Dark { from: 0, .. }) && moment.contains(at))
    };
    for setting in steps().iter().filter(is_meant) {
        let outcome = run(setting, &keys, false).unwrap();
        assert_eq!(outcome.complaints, Vec::<String>::new(), "{:?}", setting.faults);
    }
}

/// It once took the grace: the peer, which heard nothing any more, repeated its last acknowledgements in all that it sent, and
/// these were counted as signs of life.
#[test]
fn a_trunk_that_is_dead_in_one_direction_is_replaced() {
    let keys = keys();
    // Only the one that is not heard can dial.
    for (from, to, dialling) in [(0, 1, Dialling::Lower), (1, 0, Dialling::Higher)] {
        let dead = Fault::HalfOpen { from, to, both: false };
        let setting = Setting {
            dialling,
            // Little to say, so that what is lost fills no window and the peer speaks on.
            habits: Habits {
                circuits: 4,
                pause: Duration::from_millis(500),
                burst: 1,
                ..Setting::calm(1).habits
            },
            faults: vec![(Duration::from_secs(2), dead)],
            length: Duration::from_secs(8),
            ..Setting::calm(1)
        };
        let outcome = run(&setting, &keys, true).unwrap();
        assert_eq!(outcome.complaints, Vec::<String>::new(), "{from} to {to}");
        let line = outcome.trace.iter().find(|line| line.contains("trunk 2 carries"));
        let at = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        assert!(at.is_some_and(|at| at < 3.0), "{from} to {to}: {line:?}");
    }
}

/// A session that begins anew while its peer is being dialled: that attempt once went on to its own end, 8 s later, and until
/// then nobody dialled for the session, whose trunk was dead by then.
#[test]
fn a_trunk_that_dies_soon_after_a_restart_is_replaced() {
    let keys = keys();
    for dead_at in (2300..3100).step_by(40).map(Duration::from_millis) {
        let crash = Fault::Crash {
            host: 1,
            down: Duration::from_millis(300),
            new_key: false,
        };
        let dead = Fault::HalfOpen {
            from: 1,
            to: 0,
            both: false,
        };
        let setting = Setting {
            dialling: Dialling::Lower,
            grace: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(8),
            faults: vec![(Duration::from_secs(2), crash), (dead_at, dead)],
            quality: Quality::clean(Duration::from_millis(40)),
            length: Duration::from_secs(10),
            ..Setting::calm(1)
        };
        let outcome = run(&setting, &keys, true).unwrap();
        let given_up = outcome.trace.iter().find(|line| line.contains("silent for the grace"));
        assert_eq!(given_up, None, "dead at {dead_at:?}");
    }
}

/// Seeds that are tried for one that a mistake shows in: not every run has a resume at a moment that matters.
const SEEDS: u64 = 60;

/// The complaints about the first seed that a mistake in the code shows in.
fn complaints_with(bug: Bug) -> Vec<String> {
    let keys = keys();
    let with_bug = |seed| Setting {
        bug: Some(bug),
        ..Setting::draw(seed)
    };
    let mut all = (0..SEEDS).map(|seed| run(&with_bug(seed), &keys, false).unwrap().complaints);
    all.find(|complaints| !complaints.is_empty()).unwrap_or_default()
}

#[test]
fn a_replay_that_is_skipped_is_noticed() {
    assert!(!complaints_with(Bug::SkipReplay).is_empty());
}

#[test]
fn a_fence_that_is_dropped_is_noticed() {
    let complaints = complaints_with(Bug::DropFence);
    let is_order = |text: &String| text.contains("was due");
    assert!(complaints.iter().any(is_order), "{complaints:?}");
}

#[test]
fn a_strand_that_changes_lanes_too_early_is_noticed() {
    assert!(!complaints_with(Bug::ChangeLanes).is_empty());
}

#[test]
fn an_acknowledgement_that_comes_early_is_noticed() {
    assert!(!complaints_with(Bug::AcknowledgeEarly).is_empty());
}

#[test]
fn what_is_taken_twice_is_noticed() {
    assert!(!complaints_with(Bug::TakeTwice).is_empty());
}
