//! The task that dials peers and chooses trunks.

pub mod cluster;
