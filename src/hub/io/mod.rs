//! Access to the hub from other tasks: [`directory`] holds the requests, [`task`] answers them. `announcer`: tells a session about
//! local nodes. `waiting`: questions that wait for peers that are being dialled.

mod announcer;
pub mod directory;
pub mod task;
mod waiting;

#[cfg(test)]
mod tests;
