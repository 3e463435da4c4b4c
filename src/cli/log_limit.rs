//! A bound on what the log of a daemon grows by.

use std::time::Instant;

use tracing::Event;
use tracing::Metadata;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::layer::Filter;

use crate::fields::Limit;

/// Filters the lines of a log by a [`Limit`].
pub(super) struct Limited(pub(super) Limit);

impl<S: Subscriber> Filter<S> for Limited {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    // Whether a line is wanted at all is for another filter to say.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        self.0.allows(event, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;

    use tracing::info;
    use tracing::warn;
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::fields::Suppressed;

    /// Counts what gets through.
    #[derive(Clone, Default)]
    struct Count(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Count {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    fn counted(log: impl Fn()) -> (usize, Vec<Suppressed>) {
        let (limit, count) = (Limit::default(), Count::default());
        let subscriber = tracing_subscriber::registry().with(count.clone().with_filter(Limited(limit.clone())));
        tracing::subscriber::with_default(subscriber, log);
        (count.0.load(Relaxed), limit.take_suppressed())
    }

    #[test]
    fn what_one_source_repeats_is_counted_and_others_are_heard() {
        let (lines, suppressed) = counted(|| {
            for number in 0..300_000 {
                warn!(peer = "noisy", number, "a circuit was refused");
            }
            for number in 0..10 {
                let peer = format!("other-{number}");
                warn!(peer, "a circuit was refused");
                info!(peer, "peer up");
            }
        });
        assert!((80..=82).contains(&lines), "{lines} lines");
        let [noisy] = &suppressed[..] else {
            panic!("{suppressed:?}");
        };
        assert!(noisy.source.contains("noisy"), "{noisy:?}");
        assert!(noisy.count >= 300_000 - 62, "{noisy:?}");
        assert!(noisy.kind.contains("log_limit"), "{noisy:?}");
    }

    #[test]
    fn many_sources_are_bounded_together() {
        let (lines, suppressed) = counted(|| {
            for number in 0..20_000 {
                warn!(from = number, "a connection was refused");
            }
        });
        assert!((600..610).contains(&lines), "{lines} lines");
        let all: u64 = suppressed.iter().map(|one| one.count).sum();
        assert_eq!(all + lines as u64, 20_000);
        assert!(suppressed.len() <= 4096);
    }
}
