use serde::de::DeserializeOwned;

use super::protocol::Command;
use crate::etf::Atom;
use crate::lab::testbed::protocol::Verified;

/// A node that measures towards another one.
pub(super) trait Near {
    /// The other one.
    fn far(&self) -> anyhow::Result<Atom>;

    /// Has it run a command, and fails unless the far node saw exactly what was sent.
    async fn measure<T: Verified + DeserializeOwned>(&mut self, command: &Command) -> anyhow::Result<T>;

    /// Processor time of nodes and gateways so far, microseconds, if that can be known.
    fn processor_us(&self) -> Option<f64>;
}
