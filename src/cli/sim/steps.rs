use std::time::Duration;

use super::plan::Fault;
use super::setting::Dialling;
use super::setting::Setting;

/// A resume takes fewer datagrams than that, both ways, until the first signals have been replayed.
const DATAGRAMS: u64 = 40;

/// When the trunk dies.
const CUT: Duration = Duration::from_millis(1500);

/// Every way to lose one step of a resume: the trunk dies while signals flow, and of the datagrams that follow on the same
/// line the first is lost, or the second, and so on, in one direction, in the other, in both; that one alone, or it with the
/// two after it. Whoever dials.
pub(super) fn steps() -> Vec<Setting> {
    let mut settings = Vec::new();
    for dialling in [Dialling::Lower, Dialling::Higher] {
        for lost in 1..=DATAGRAMS {
            for length in [1, 3] {
                for lines in [&[(0, 1)][..], &[(1, 0)], &[(0, 1), (1, 0)]] {
                    let numbers: Vec<u64> = (lost..lost + length).collect();
                    let cut = Fault::HalfOpen {
                        from: 0,
                        to: 1,
                        both: true,
                    };
                    let doom = lines.iter().map(|(from, to)| Fault::Doom {
                        from: *from,
                        to: *to,
                        numbers: numbers.clone(),
                    });
                    settings.push(Setting {
                        dialling,
                        faults: std::iter::once(cut).chain(doom).map(|fault| (CUT, fault)).collect(),
                        length: Duration::from_secs(4),
                        ..Setting::calm(lost)
                    });
                }
            }
        }
    }
    settings
}
