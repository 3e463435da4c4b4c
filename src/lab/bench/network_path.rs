use crate::lab::linkem::LineConfig;
use crate::lab::linkem::LinkemError;

/// How long packets may wait for the bottleneck, milliseconds.
const BUFFER_MS: u64 = 50;

/// From this rate on it is measured first whether the emulator carries it.
const FAST_MBIT: u64 = 1000;

/// An emulated network path between two hosts, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NetworkPath {
    pub(super) mbit: u64,
    pub(super) round_trip_ms: u32,
    /// Tenths of a percent of the packets.
    pub(super) loss_tenths: u32,
}

impl NetworkPath {
    pub(super) fn key(self) -> String {
        format!("{}-{}-{}", self.mbit, self.round_trip_ms, self.loss())
    }

    pub(super) fn title(self) -> String {
        let rate = match self.mbit {
            0..1000 => format!("{} Mbit/s", self.mbit),
            _ => format!("{} Gbit/s", self.mbit / 1000),
        };
        format!("{rate}, {} ms, loss {} %", self.round_trip_ms, self.loss())
    }

    fn loss(self) -> String {
        match (self.loss_tenths / 10, self.loss_tenths % 10) {
            (whole, 0) => whole.to_string(),
            (whole, tenths) => format!("{whole}.{tenths}"),
        }
    }

    pub(super) fn is_fast(self) -> bool {
        self.mbit >= FAST_MBIT
    }

    pub(super) fn config(self) -> Result<LineConfig, LinkemError> {
        let bytes = self.mbit * 1_000_000 / 8 * BUFFER_MS / 1000;
        let delay_us = self.round_trip_ms * 500;
        let mut config = LineConfig::default();
        config.apply(&format!(
            "rate={}Mbit delay={delay_us}us loss={}% buffer={bytes}B",
            self.mbit,
            self.loss()
        ))?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_it_is() {
        let line = NetworkPath {
            mbit: 100,
            round_trip_ms: 1,
            loss_tenths: 5,
        };
        assert_eq!(line.title(), "100 Mbit/s, 1 ms, loss 0.5 %");
        assert_eq!(line.key(), "100-1-0.5");
        let config = line.config().unwrap();
        assert_eq!((config.rate, config.buffer), (Some(100_000_000), 625_000));
        assert_eq!(config.delay, std::time::Duration::from_micros(500));
        let line = NetworkPath {
            mbit: 1000,
            round_trip_ms: 80,
            loss_tenths: 20,
        };
        assert_eq!(line.title(), "1 Gbit/s, 80 ms, loss 2 %");
        assert!((line.config().unwrap().loss - 0.02).abs() < 1e-9);
    }
}
