use std::fmt;

use crate::config::Table;
use crate::config::Value;

/// A rule for pairs of nodes, like a `[[policy]]` of a configuration file, for [`LanesBuilder::policy`](super::LanesBuilder::policy).
/// For each setting the first rule that matches and has it decides.
///
/// ```
/// use beamway::carrier::Lanes;
/// use beamway::carrier::PolicyRule;
///
/// let lanes = Lanes::builder("h3", "certs/h3")
///     .policy(PolicyRule::new("web-*@*", "db@*").deny())
///     .policy(PolicyRule::new("batch@*", "*@*").rate("20MB/s").burst("2MB").priority("low"));
/// # let _ = lanes;
/// ```
#[derive(Clone)]
#[must_use = "a rule applies once it is given to `LanesBuilder::policy`"]
pub struct PolicyRule {
    table: Table,
}

impl PolicyRule {
    /// A rule for nodes whose names match the pattern `from`, together with nodes whose names match `to`. It says nothing yet.
    pub fn new(from: &str, to: &str) -> Self {
        let table = Table::default().with("from", from).with("to", to);
        Self { table }
    }

    fn with(mut self, key: &str, value: &str) -> Self {
        self.table = self.table.with(key, value);
        self
    }

    /// Such nodes may not be connected, whoever begins.
    pub fn deny(self) -> Self {
        self.with("action", "deny")
    }

    /// Such nodes may be connected, whatever later rules say.
    pub fn allow(self) -> Self {
        self.with("action", "allow")
    }

    /// The node that matches `from` sends at most this much per second to the one that matches `to`: a size and `/s`, such as `"20MB/s"`.
    pub fn rate(self, rate: &str) -> Self {
        self.with("rate", rate)
    }

    /// Sets how much may be sent at once after a pause, such as `"2MB"`, together with a rate.
    pub fn burst(self, burst: &str) -> Self {
        self.with("burst", burst)
    }

    /// Sets when such signals are sent: `"high"` before others, `"normal"`, or `"low"`.
    pub fn priority(self, priority: &str) -> Self {
        self.with("priority", priority)
    }

    pub(super) fn into_value(self) -> Value {
        self.table.into()
    }
}

impl fmt::Debug for PolicyRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PolicyRule").finish_non_exhaustive()
    }
}
