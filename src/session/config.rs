use std::time::Duration;

/// What a session needs to know of its daemon and of what was agreed with the peer.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Lanes in each direction, as agreed.
    pub lanes: u8,
    /// Whether our name is the lower of the two: then our circuits have odd ids.
    pub is_lower: bool,
    /// Credit of one circuit in bytes: what the far BEAM may have underway to ours. Past it, small signals wait behind
    /// bulk in the far VM, so it is generous.
    pub circuit_budget: u64,
    /// The bound of all circuits' credit together, in bytes; beyond it new circuits are granted the least.
    pub memory: u64,
    /// How long an acknowledgement may wait for company.
    pub receipt_delay: Duration,
    /// How long a BEAM may take to read what is left when its circuit was closed.
    pub close_deadline: Duration,
}

impl SessionConfig {
    /// The least credit a circuit is granted, in bytes: a few fragments.
    pub const CIRCUIT_BUDGET_MIN: u64 = 256 * 1024;
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            lanes: 16,
            is_lower: true,
            circuit_budget: 64 << 20,
            memory: 1 << 30,
            receipt_delay: Duration::from_millis(5),
            close_deadline: Duration::from_secs(10),
        }
    }
}
