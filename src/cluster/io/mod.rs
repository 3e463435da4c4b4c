//! The task that chooses trunks and starts sessions ([`cluster`]), and the tasks that dial (`dialling`).

pub mod cluster;
mod dialling;
mod unexpected;
