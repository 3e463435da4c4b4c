//! Access to the hub from other tasks: [`directory`] holds the requests, [`task`] answers them. `announcer`: tells a session about
//! local nodes.

mod announcer;
pub mod directory;
pub mod task;

#[cfg(test)]
mod tests;
