//! Rank 9: the peers of this daemon, and the trunk that carries the session with each.
//!
//! Peers are those of the configuration, which are dialled until they answer, and all others with a certificate of the
//! cluster that dial us. Both sides may dial at once. The daemon with the lower name decides which trunk is used.

mod choice;
mod failure_log;
mod found;
pub mod io;
mod peer;

#[cfg(test)]
mod tests;

pub use io::cluster::Cluster;
pub use peer::Discovery;
pub use peer::Query;
pub use peer::StaticPeer;
