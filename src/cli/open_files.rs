use nix::sys::resource::Resource;
use nix::sys::resource::getrlimit;
use nix::sys::resource::setrlimit;

use crate::config::EpmdSettings;
use crate::epmd::NEWCOMERS;

/// Descriptors for everything that does not grow with nodes: standard streams, log, runtime, UDP socket, files while they are read.
const FIXED: u64 = 64;

/// Raises the soft limit on open files to the hard one, and returns it. Many systems set the soft limit to 1024 for programs that
/// use `select`; this one does not. If the system refuses, the limit stays.
pub(super) fn raise() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 0;
    };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// What a limit on open files suffices for, as `beamway check` prints it.
pub(super) fn suffices_for(limit: u64, epmd: &EpmdSettings) -> String {
    let addresses = epmd.listen.len() as u64;
    let fixed = FIXED + addresses * (1 + NEWCOMERS as u64);
    let left = limit.saturating_sub(fixed);
    // n local nodes (one each) and n remote ones (a listener each), every pair of which is connected (n² circuits).
    let nodes = (left + 1).isqrt().saturating_sub(1);
    format!(
        "open files: at most {limit}, the hard limit here: {fixed} for the daemon itself, then 1 per local node, 1 per remote node \
         that a local one looked up and 1 per circuit (a pair of connected nodes): enough for {nodes} local nodes that are all \
         connected to {nodes} remote nodes ({circuits} circuits){remedy}",
        circuits = nodes * nodes,
        remedy = if nodes < FEW {
            "; raise the hard limit if the cluster is larger (ulimit -Hn, LimitNOFILE= of systemd)"
        } else {
            ""
        }
    )
}

/// Below this number of nodes the text says how to raise the limit.
const FEW: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_limit_suffices_for_is_counted() {
        let epmd = EpmdSettings {
            listen: vec!["127.0.0.1:4369".parse().unwrap()],
            hosts: None,
            is_public: false,
        };
        let fixed = FIXED + 1 + NEWCOMERS as u64;
        let text = suffices_for(fixed + 10 + 10 + 100, &epmd);
        assert!(
            text.contains("10 local nodes that are all connected to 10 remote"),
            "{text}"
        );
        assert!(text.contains("raise the hard limit"), "{text}");
        let text = suffices_for(fixed + 200 + 200 + 40_000 - 1, &epmd);
        assert!(text.contains("199 local nodes"), "{text}");
        assert!(!text.contains("raise the hard limit"), "{text}");
        assert!(suffices_for(0, &epmd).contains("0 local nodes"));
    }
}
