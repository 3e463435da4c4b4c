//! The task that chooses trunks and starts sessions ([`cluster`]), the tasks that dial (`dialling`), and those that
//! wait for what a connection is used for (`steps`). [`control`]: what it is told and asked while it runs. `configured`: the peers of the
//! configuration. `finding`: peers that are found, `lookup`: asking the name service. `sessions`: the existing sessions.

pub mod cluster;
mod configured;
pub mod control;
mod dialling;
mod finding;
mod hosts;
mod lookup;
mod sessions;
mod steps;
mod unexpected;
