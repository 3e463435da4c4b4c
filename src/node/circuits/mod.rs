//! Connections through a daemon: circuits over its lanes, beside those of the BEAMs it serves.

pub(super) mod driver;
