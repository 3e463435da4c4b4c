//! Whatever a connection reports, the window stays within its limits.

use std::time::Duration;
use std::time::Instant;

use proptest::prelude::*;

use crate::congestion::model::Model;

#[derive(Clone, Copy, Debug)]
enum Told {
    Sent(u64),
    /// A packet is acknowledged: how many microseconds ago it was sent, its size, and the bytes in flight afterwards.
    Acknowledged(u64, u64, u64),
    Lost(u64, u64),
    Marked(u64),
    Dark,
    Mtu(u16),
}

fn told() -> impl Strategy<Value = Told> {
    let bytes = prop_oneof![0..3000u64, 0..=u64::from(u32::MAX)];
    let before = prop_oneof![0..100_000u64, 0..100_000_000u64];
    prop_oneof![
        4 => bytes.clone().prop_map(Told::Sent),
        8 => (before.clone(), bytes.clone(), bytes.clone()).prop_map(|(before, bytes, left)| Told::Acknowledged(before, bytes, left)),
        2 => (before.clone(), bytes).prop_map(|(before, bytes)| Told::Lost(before, bytes)),
        1 => before.prop_map(Told::Marked),
        1 => Just(Told::Dark),
        1 => (1200..9000u16).prop_map(Told::Mtu),
    ]
}

proptest! {
    #[test]
    fn the_window_is_never_less_than_four_packets(steps in prop::collection::vec((0..50_000u64, any::<bool>(), told()), 1..300)) {
        let mut now = Instant::now() + Duration::from_secs(200);
        let mut mtu = 1200;
        let mut model = Model::new(now, mtu);
        for (later, is_app_limited, told) in steps {
            now += Duration::from_micros(later);
            let ago = |micros| now - Duration::from_micros(micros);
            match told {
                Told::Sent(bytes) => model.handle_sent(now, bytes),
                Told::Acknowledged(before, bytes, left) => {
                    model.handle_ack(now, ago(before), bytes, is_app_limited);
                    model.handle_end_acks(now, left, is_app_limited);
                }
                Told::Lost(before, bytes) => model.handle_loss(now, ago(before), bytes),
                Told::Marked(before) => model.handle_mark(now, ago(before)),
                Told::Dark => model.handle_dark(),
                Told::Mtu(new) => {
                    mtu = new;
                    model.set_mtu(new);
                }
            }
            prop_assert!(model.window() >= 4 * u64::from(mtu), "{} at {told:?}", model.window());
        }
    }
}
