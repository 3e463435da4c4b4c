//! The directory as tasks reach it: [`directory`] holds what they ask, [`task`] answers.

pub mod directory;
pub mod task;

#[cfg(test)]
mod tests;
