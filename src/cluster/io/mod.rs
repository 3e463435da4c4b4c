//! The task that chooses trunks and starts sessions ([`cluster`]), and those that dial (`dialling`).

pub mod cluster;
mod dialling;
