use std::fmt;

/// What became of the packets of one direction; read them, never reset them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineStats {
    /// Packets that came in.
    pub entered: u64,
    /// Packets that went out, copies included.
    pub delivered: u64,
    /// Bytes that went out, copies included.
    pub delivered_bytes: u64,
    /// Dropped because the buffer was full.
    pub overflowed: u64,
    /// Lost on the way.
    pub lost: u64,
    /// Came in during a blackout.
    pub blacked_out: u64,
    /// Sent twice.
    pub duplicated: u64,
    /// Held back.
    pub reordered: u64,
}

impl fmt::Display for LineStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "entered={} delivered={} delivered_bytes={} overflowed={} lost={} blacked_out={} duplicated={} reordered={}",
            self.entered,
            self.delivered,
            self.delivered_bytes,
            self.overflowed,
            self.lost,
            self.blacked_out,
            self.duplicated,
            self.reordered
        )
    }
}
