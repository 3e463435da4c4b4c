use crate::lab::bench::findings::Findings;
use crate::lab::bench::findings::Group;
use crate::lab::bench::findings::Latency;
use crate::lab::bench::findings::Measure;
use crate::lab::bench::findings::Row;
use crate::lab::bench::findings::Unit;
use crate::lab::bench::report::judge::Aspect;
use crate::lab::bench::report::judge::Item;
use crate::lab::bench::report::judge::Judgement;
use crate::lab::bench::report::judge::Ratio;
use crate::lab::bench::report::judge::Verdict;
use crate::lab::bench::report::judge::trusted;
use crate::lab::bench::report::sample;
use crate::lab::bench::report::words;

const US: &str = "beamway 16";

fn measure(row: &str, carrier: &str, round: u32, value: f64) -> Measure {
    Measure {
        row: row.to_owned(),
        carrier: carrier.to_owned(),
        round,
        value,
        stolen: 0.0,
        marked: false,
        latency: None,
        bulk: None,
    }
}

fn latency(samples: u64, p50: f64, curve: &[(f64, f64)]) -> Latency {
    Latency {
        samples,
        p50,
        p90: p50 * 2.0,
        p99: p50 * 3.0,
        p999: Some(p50 * 4.0),
        max: p50 * 5.0,
        curve: curve.to_vec(),
    }
}

fn found(rows: Vec<Row>, measures: Vec<Measure>) -> Findings {
    Findings {
        about: sample::about(5),
        rows,
        measures,
    }
}

fn speed_row() -> Row {
    sample::row("speed", "100 B, 1 pair", Group::Throughput, Unit::MessagesPerSecond)
}

fn time_row() -> Row {
    sample::row("time", "a call", Group::RoundTrip, Unit::Microseconds)
}

/// One row of speeds: for each carrier the values of rounds 0, 1 …
fn speeds(carriers: &[(&str, &[f64])]) -> Findings {
    let measures = carriers.iter().flat_map(|(carrier, values)| {
        let values = (0..).zip(values.iter());
        values.map(|(round, value)| measure("speed", carrier, round, *value))
    });
    found(vec![speed_row()], measures.collect())
}

fn item<'a>(judgement: &'a Judgement<'a>, aspect: Aspect) -> &'a Item<'a> {
    judgement.items.iter().find(|item| item.aspect == aspect).unwrap()
}

#[test]
fn a_speed_is_the_median_of_the_rounds() {
    let findings = speeds(&[(US, &[30.0, 10.0, 20.0]), ("plain", &[1.0, 4.0, 2.0, 3.0])]);
    let judgement = Judgement::new(&findings);
    let item = item(&judgement, Aspect::Value);
    let odd = item.figure(US).unwrap();
    assert_eq!((odd.value, odd.least, odd.most, odd.rounds), (20.0, 10.0, 30.0, 3));
    let even = item.figure("plain").unwrap();
    assert_eq!((even.value, even.least, even.most, even.rounds), (2.5, 1.0, 4.0, 4));
    assert_eq!(item.figure("TLS"), None);
}

#[test]
fn a_ratio_is_the_median_of_the_rounds_ratios_not_the_ratio_of_the_medians() {
    // The second round was slow for both.
    let findings = speeds(&[(US, &[90.0, 20.0, 110.0]), ("plain", &[100.0, 10.0, 100.0])]);
    let judgement = Judgement::new(&findings);
    let ratio = item(&judgement, Aspect::Value).ratio(US, "plain").unwrap();
    assert_eq!((ratio.times, ratio.least, ratio.most, ratio.rounds), (1.1, 0.9, 2.0, 3));
}

#[test]
fn only_rounds_in_which_both_were_measured_are_compared() {
    let mut findings = speeds(&[(US, &[8.0, 8.0, 8.0]), ("plain", &[4.0, 2.0, 1.0, 1.0])]);
    findings
        .measures
        .retain(|measure| measure.carrier != US || measure.round != 1);
    let judgement = Judgement::new(&findings);
    let item = item(&judgement, Aspect::Value);
    let ratio = item.ratio(US, "plain").unwrap();
    assert_eq!((ratio.times, ratio.least, ratio.most, ratio.rounds), (5.0, 2.0, 8.0, 2));
    assert_eq!(item.figure(US).unwrap().rounds, 2);
    assert_eq!(item.ratio(US, "TLS"), None);
}

#[test]
fn a_carrier_that_was_never_measured_beside_another_has_no_ratio() {
    let mut findings = speeds(&[(US, &[8.0]), ("plain", &[4.0, 4.0])]);
    findings
        .measures
        .retain(|measure| measure.carrier != "plain" || measure.round != 0);
    let judgement = Judgement::new(&findings);
    assert_eq!(item(&judgement, Aspect::Value).ratio(US, "plain"), None);
}

#[test]
fn nothing_is_divided_by_zero() {
    let findings = speeds(&[(US, &[5.0, 0.0, f64::NAN]), ("plain", &[0.0, 5.0, 5.0])]);
    let judgement = Judgement::new(&findings);
    let item = item(&judgement, Aspect::Value);
    assert_eq!(item.ratio(US, "plain"), None);
    assert_eq!(item.figure(US).unwrap().rounds, 2, "what is no number is no value");
}

#[test]
fn a_repeated_measurement_counts_once() {
    let mut findings = speeds(&[(US, &[10.0, 20.0])]);
    findings.measures.push(measure("speed", US, 0, 40.0));
    let judgement = Judgement::new(&findings);
    let figure = item(&judgement, Aspect::Value).figure(US).unwrap();
    assert_eq!((figure.value, figure.least, figure.rounds), (30.0, 20.0, 2));
}

#[test]
fn a_time_is_the_least_of_the_rounds_and_so_is_its_ratio() {
    let measures = [(0, 10.0, 6.0), (1, 12.0, 4.0), (2, 9.0, 5.0)]
        .into_iter()
        .flat_map(|(round, ours, theirs)| {
            [(US, ours), ("plain", theirs)].map(|(carrier, p50)| Measure {
                latency: Some(latency(100, p50, &[])),
                ..measure("time", carrier, round, p50)
            })
        });
    let findings = found(vec![time_row()], measures.collect());
    let judgement = Judgement::new(&findings);
    let p99 = item(&judgement, Aspect::P99);
    assert_eq!(p99.figure(US).unwrap().value, 27.0);
    let ratio = p99.ratio(US, "plain").unwrap();
    assert_eq!(
        (ratio.times, ratio.least, ratio.most),
        (4.0 / 9.0, 4.0 / 12.0, 6.0 / 10.0)
    );
    assert_eq!(ratio.verdict(), Verdict::Slower);
    let mirrored = p99.ratio("plain", US).unwrap();
    assert_eq!((mirrored.times, mirrored.verdict()), (9.0 / 4.0, Verdict::Faster));
}

#[test]
fn a_time_on_a_line_is_the_median_of_the_rounds_and_so_are_its_ratio_and_its_curve() {
    let rounds = [(0, 10.0, 20.0), (1, 20.0, 20.0), (2, 30.0, 90.0)];
    let measures = rounds.into_iter().flat_map(|(round, ours, theirs)| {
        [(US, ours), ("plain", theirs)].map(|(carrier, p50)| Measure {
            latency: Some(latency(100, p50, &[(0.5, p50)])),
            ..measure("time", carrier, round, p50)
        })
    });
    let line = Row {
        line: Some("100 Mbit/s, 20 ms, loss 0.5 %".to_owned()),
        ..time_row()
    };
    let findings = found(vec![line], measures.collect());
    let judgement = Judgement::new(&findings);
    let p50 = item(&judgement, Aspect::P50);
    assert_eq!(p50.figure(US).unwrap().value, 20.0);
    assert_eq!(p50.ratio(US, "plain").unwrap().times, 2.0);
    let (curve, _) = judgement.curve(&findings.rows[0], US).unwrap();
    assert_eq!(curve, [(0.5, 20.0)]);
}

#[test]
fn processor_time_is_a_cost_but_not_a_time_that_noise_only_adds_to() {
    let row = sample::row("speed", "100 B", Group::Processor, Unit::MicrosecondsPerMessage);
    let mut findings = speeds(&[(US, &[4.0, 5.0, 9.0]), ("plain", &[2.0, 2.0, 2.0])]);
    findings.rows = vec![row];
    let judgement = Judgement::new(&findings);
    let item = item(&judgement, Aspect::Value);
    assert_eq!(item.figure(US).unwrap().value, 5.0);
    assert_eq!(item.ratio(US, "plain").unwrap().times, 0.4);
}

#[test]
fn round_trips_are_compared_by_quantiles_and_their_bulk_by_speed() {
    let with = |samples, bulk| Measure {
        latency: Some(latency(samples, 10.0, &[])),
        bulk,
        ..measure("time", US, 0, 10.0)
    };
    let aspects = |measure| {
        let findings = found(vec![time_row()], vec![measure]);
        let judgement = Judgement::new(&findings);
        judgement
            .items
            .iter()
            .map(|item| (item.aspect, item.unit()))
            .collect::<Vec<_>>()
    };
    let micros = Unit::Microseconds;
    let few = [Aspect::P50, Aspect::P90, Aspect::P99, Aspect::Max].map(|aspect| (aspect, micros));
    assert_eq!(
        aspects(with(9_999, None)),
        few,
        "p99.9 takes 10,000 samples, whoever states it"
    );
    let none = [Aspect::P50, Aspect::Max].map(|aspect| (aspect, micros));
    assert_eq!(aspects(with(9, None)), none, "p90 of nine would be the longest");
    let all = aspects(with(10_000, Some(3.0)));
    assert!(all.contains(&(Aspect::P999, micros)) && all.contains(&(Aspect::Bulk, Unit::MegabytesPerSecond)));
}

#[test]
fn carriers_have_their_order_whoever_went_first() {
    let findings = speeds(&[
        ("other", &[1.0]),
        ("TLS", &[1.0]),
        ("beamway 64", &[1.0]),
        ("plain", &[1.0]),
        ("beamway 4", &[1.0]),
        ("another", &[1.0]),
        (US, &[1.0]),
    ]);
    let judgement = Judgement::new(&findings);
    assert_eq!(
        judgement.carriers,
        ["beamway 4", US, "beamway 64", "plain", "TLS", "other", "another"]
    );
    assert_eq!(judgement.ours(), Some(US));
    assert_eq!(judgement.others(), ["plain", "TLS", "other", "another"]);
    assert_eq!(judgement.reference(), Some("plain"));
}

#[test]
fn a_variant_is_compared_as_well() {
    let cubic = "beamway 16 cubic";
    let findings = speeds(&[("plain", &[1.0]), (cubic, &[1.0]), ("beamway 64", &[1.0]), (US, &[1.0])]);
    let judgement = Judgement::new(&findings);
    assert_eq!(judgement.carriers, [US, cubic, "beamway 64", "plain"]);
    assert_eq!(judgement.ours(), Some(US));
    assert_eq!(judgement.subjects(), [US, cubic]);
    assert_eq!(words::summary(&judgement).len(), 2);
}

#[test]
fn where_there_is_little_there_is_still_a_reference() {
    let parties = |carriers: &[&str]| {
        let carriers: Vec<(&str, &[f64])> = carriers.iter().map(|carrier| (*carrier, &[1.0][..])).collect();
        let findings = speeds(&carriers);
        let judgement = Judgement::new(&findings);
        (
            judgement.ours().map(str::to_owned),
            judgement.reference().map(str::to_owned),
        )
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        parties(&["beamway 1", "beamway 64"]),
        (some("beamway 1"), some("beamway 64"))
    );
    assert_eq!(parties(&["TLS", "plain"]), (None, some("plain")));
    assert_eq!(parties(&[US]), (some(US), None));
    assert_eq!(parties(&["between two nodes"]), (None, None));
    assert_eq!(parties(&[]), (None, None));
}

#[test]
fn sections_have_their_order_and_rows_theirs() {
    let rows = vec![
        sample::row("b", "b", Group::Processor, Unit::MicrosecondsPerMessage),
        sample::row("a", "a", Group::SetUp, Unit::PerSecond),
        sample::row("c", "c", Group::SetUp, Unit::PerSecond),
        sample::row("unmeasured", "d", Group::Ticks, Unit::PerSecond),
    ];
    let measures = ["c", "b", "a"].map(|row| measure(row, US, 0, 1.0));
    let findings = found(rows, measures.into());
    let judgement = Judgement::new(&findings);
    assert_eq!(judgement.groups(), [Group::SetUp, Group::Processor]);
    let keys: Vec<&str> = judgement.items.iter().map(|item| item.row.key.as_str()).collect();
    assert_eq!(keys, ["a", "c", "b"]);
}

#[test]
fn marked_rounds_are_counted() {
    let mut findings = speeds(&[(US, &[1.0, 2.0, 3.0])]);
    findings.measures[1].marked = true;
    findings.measures[1].stolen = 0.07;
    let judgement = Judgement::new(&findings);
    assert_eq!(item(&judgement, Aspect::Value).figure(US).unwrap().marked, 1);
    let rounds: Vec<(u32, usize, usize, f64)> = judgement
        .rounds()
        .iter()
        .map(|round| (round.number, round.measures, round.marked, round.stolen_most))
        .collect();
    assert_eq!(rounds, [(0, 1, 0, 0.0), (1, 1, 1, 0.07), (2, 1, 0, 0.0)]);
}

#[test]
fn no_rounds_no_figures() {
    let findings = found(sample::rows(), Vec::new());
    let judgement = Judgement::new(&findings);
    assert!(judgement.items.is_empty() && judgement.carriers.is_empty() && judgement.rounds().is_empty());
}

#[test]
fn the_curve_is_the_least_of_the_rounds_at_each_quantile() {
    let curves = [
        (1000, vec![(0.0, 10.0), (0.5, 20.0), (0.9, 40.0), (1.0, 50.0)]),
        (100, vec![(0.0, 12.0), (0.5, 18.0), (1.0, 90.0)]),
    ];
    let measures = (0..).zip(&curves).map(|(round, (samples, curve))| Measure {
        latency: Some(latency(*samples, 20.0, curve)),
        ..measure("time", US, round, 20.0)
    });
    let findings = found(vec![time_row()], measures.collect());
    let judgement = Judgement::new(&findings);
    let (curve, samples) = judgement.curve(&findings.rows[0], US).unwrap();
    assert_eq!(curve, [(0.0, 10.0), (0.5, 18.0), (0.9, 40.0), (1.0, 50.0)]);
    assert_eq!(samples, 100, "what is sure is what the smallest round allows");
    assert!(judgement.curve(&findings.rows[0], "plain").is_none());
}

#[test]
fn a_point_is_trusted_if_ten_samples_lie_beyond() {
    assert_eq!(trusted(10_000), 0.999);
    assert_eq!(trusted(1000), 0.99);
    assert_eq!((trusted(10), trusted(3), trusted(0)), (0.0, 0.0, 0.0));
}

#[test]
fn a_verdict_takes_all_rounds_and_a_difference_that_shows() {
    let verdict = |times, least, most| {
        let ratio = Ratio {
            times,
            least,
            most,
            rounds: 5,
        };
        ratio.verdict()
    };
    assert_eq!(verdict(1.2, 1.01, 1.4), Verdict::Faster);
    assert_eq!(verdict(1.2, 0.99, 1.4), Verdict::Even);
    assert_eq!(verdict(1.03, 1.01, 1.04), Verdict::Even);
    assert_eq!(verdict(0.8, 0.7, 0.99), Verdict::Slower);
    assert_eq!(verdict(0.8, 0.7, 1.01), Verdict::Even);
    assert_eq!(verdict(0.97, 0.96, 0.98), Verdict::Even);
}
