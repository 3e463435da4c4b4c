//! The task that chooses trunks and starts sessions ([`cluster`]), the tasks that dial (`dialling`), and those that
//! wait for what a connection is used for (`steps`). [`control`]: what it is told and asked while it runs. `configured`: the peers of the
//! configuration. `sessions`: the existing sessions.

pub mod cluster;
mod configured;
pub mod control;
mod dialling;
mod hosts;
mod sessions;
mod steps;
mod unexpected;
