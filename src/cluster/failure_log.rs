use std::time::Duration;
use std::time::Instant;

/// A peer that cannot be reached for the same reason is told of again after this time.
const AGAIN: Duration = Duration::from_secs(600);

/// What was told last of a peer that cannot be reached. Attempts follow one another every few seconds, so only what is new is told.
#[derive(Debug, Default)]
pub(super) struct FailureLog(Option<(String, Instant)>);

impl FailureLog {
    /// Whether to tell this reason: it is another one than before, or a long time has passed.
    pub(super) fn is_news(&mut self, reason: &str, now: Instant) -> bool {
        // Times of day and addresses differ from one attempt to the next.
        let kind: String = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
        let is_told = self
            .0
            .as_ref()
            .is_some_and(|(told, at)| *told == kind && now < *at + AGAIN);
        if !is_told {
            self.0 = Some((kind, now));
        }
        !is_told
    }

    /// The peer was reached: the next failure is news again.
    pub(super) fn reached(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_when_it_changes_and_now_and_then() {
        let (mut told, began) = (FailureLog::default(), Instant::now());
        let mut is_news = |reason: &str, seconds| match reason {
            "reached" => {
                told.reached();
                false
            }
            _ => told.is_news(reason, began + Duration::from_secs(seconds)),
        };
        for (reason, seconds, expected) in [
            ("no answer", 0, true),
            ("no answer", 3, false),
            ("expired; by our clock it is 2026-11-30T11:00:05Z", 5, true),
            ("expired; by our clock it is 2026-11-30T11:00:08Z", 8, false),
            ("no answer", 11, true),
            ("no answer", 610, false),
            ("no answer", 611, true),
            ("reached", 612, false),
            ("no answer", 613, true),
        ] {
            assert_eq!(is_news(reason, seconds), expected, "{reason} after {seconds} s");
        }
    }
}
