//! Rank 9: which daemons there are, and which trunk carries the session with each.
//!
//! Peers are those of the configuration, dialled until they answer, and those with a certificate of the cluster that
//! dial us. Both sides may dial at once: the daemon with the lower name decides which trunk is used.

mod choice;
pub mod io;
mod peer;

#[cfg(test)]
mod tests;

pub use io::cluster::Cluster;
pub use peer::StaticPeer;
