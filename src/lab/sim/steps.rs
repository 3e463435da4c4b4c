use std::time::Duration;

use super::fault::Fault;
use super::setting::Dialling;
use super::setting::Setting;

/// A resume takes fewer datagrams than that, both ways, until the first signals have been replayed.
const DATAGRAMS: u64 = 40;

/// The trunk dies; the line does not.
const CUT: Fault = Fault::HalfOpen {
    from: 0,
    to: 1,
    both: true,
};

/// When that is.
const CUT_AT: Duration = Duration::from_millis(1500);

/// One direction is dark so long: more than a daemon waits for any answer, less than the grace.
const DARK: Duration = Duration::from_secs(7);

/// That begins so long after the trunk died, in steps of [`PAUSE`]: a resume is through by then.
const PAUSES: u32 = 40;

/// Less than a datagram takes.
const PAUSE: Duration = Duration::from_millis(20);

/// Every way to lose a step of a resume, whoever dials.
pub(super) fn steps() -> Vec<Setting> {
    let mut settings = Vec::new();
    for dialling in [Dialling::Lower, Dialling::Higher] {
        settings.extend(lost(dialling));
        settings.extend(dark(dialling));
    }
    settings
}

/// The trunk dies while signals flow, and of the datagrams that follow on the same line the first is lost, or the second,
/// and so on, in one direction, in the other, in both; that one alone, or it with the two after it.
fn lost(dialling: Dialling) -> Vec<Setting> {
    let mut settings = Vec::new();
    for lost in 1..=DATAGRAMS {
        for length in [1, 3] {
            for lines in [&[(0, 1)][..], &[(1, 0)], &[(0, 1), (1, 0)]] {
                let numbers: Vec<u64> = (lost..lost + length).collect();
                let doom = lines.iter().map(|(from, to)| Fault::Doom {
                    from: *from,
                    to: *to,
                    numbers: numbers.clone(),
                });
                settings.push(Setting {
                    dialling,
                    faults: std::iter::once(CUT).chain(doom).map(|fault| (CUT_AT, fault)).collect(),
                    length: Duration::from_secs(4),
                    ..Setting::calm(lost)
                });
            }
        }
    }
    settings
}

/// The trunk dies, and at each moment after that one direction goes dark.
fn dark(dialling: Dialling) -> Vec<Setting> {
    let mut settings = Vec::new();
    for pause in 0..PAUSES {
        for (from, to) in [(0, 1), (1, 0)] {
            let dark = Fault::Dark {
                from,
                to,
                both: false,
                time: DARK,
            };
            settings.push(Setting {
                dialling,
                faults: vec![(CUT_AT, CUT), (CUT_AT + PAUSE * pause, dark)],
                length: Duration::from_secs(10),
                ..Setting::calm(u64::from(pause))
            });
        }
    }
    settings
}
