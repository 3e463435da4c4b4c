//! Access to the hub from other tasks: [`directory`] holds the requests, [`task`] answers them.

pub mod directory;
pub mod task;

#[cfg(test)]
mod tests;
