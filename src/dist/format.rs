use super::Flags;

/// The version byte of a term that stands alone (`erl_ext_dist.md`).
pub(super) const VERSION: u8 = 131;
pub(super) const PASS_THROUGH: u8 = 112;
pub(super) const HEADER: u8 = 68;

/// How packets are encoded on a connection without an atom cache (`erl_dist_protocol`, `erl_ext_dist`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `131 68 0 Control Payload`, and fragments. The body is everything after the zero.
    Header,
    /// `112 131 Control [131 Payload]`, for a node without fragments. The body is everything after the 112.
    PassThrough,
}

impl Format {
    /// The format that follows from the flags of a connection.
    pub const fn of(in_force: Flags) -> Self {
        if in_force.contains(Flags::FRAGMENTS) {
            Self::Header
        } else {
            Self::PassThrough
        }
    }

    /// The first bytes of the packet of a complete signal, after its length.
    pub const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Header => &[VERSION, HEADER, 0],
            Self::PassThrough => &[PASS_THROUGH],
        }
    }
}
