//! The directory as tasks reach it.

pub mod directory;
