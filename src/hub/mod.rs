//! Rank 7: the directory of a daemon: which nodes are where, and who may speak for whom.
//!
//! - [`io::directory`]: how nodes ask.

pub mod io;
