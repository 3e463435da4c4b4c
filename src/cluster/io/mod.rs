//! The task that chooses trunks and starts sessions ([`cluster`]), the tasks that dial (`dialling`), and those that
//! wait for what a connection is used for (`steps`).

pub mod cluster;
mod dialling;
mod hosts;
mod steps;
mod unexpected;
