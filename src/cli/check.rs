use std::path::Path;
use std::process::ExitCode;

use super::open_files;
use super::output;
use crate::carrier;

/// `beamway check`: for a valid file, prints a summary, the memory that the daemon may use, and what the limit on open files
/// suffices for, with status 0. Otherwise prints all mistakes, one line each, with status 1.
pub(super) fn check(file: &Path) -> anyhow::Result<ExitCode> {
    match carrier::load(file) {
        Ok(loaded) => {
            let gateway = &loaded.config.gateway;
            let peers: Vec<_> = loaded.config.peers.iter().map(|peer| peer.name.as_str()).collect();
            let peers = if peers.is_empty() {
                "none".to_owned()
            } else {
                peers.join(", ")
            };
            output::say(&format!(
                "{}: ok: {} on {}, {} lanes, peers: {peers}; certificate valid to {}",
                file.display(),
                gateway.name,
                gateway.listen,
                gateway.lanes,
                loaded.identity.valid_until_text()
            ));
            output::say(&format!("memory: {}", loaded.config.worst_case()));
            // `beamway run` raises the limit in the same way.
            output::say(&open_files::suffices_for(open_files::raise(), &loaded.config.epmd));
            Ok(ExitCode::SUCCESS)
        }
        Err(mistakes) => {
            for line in mistakes {
                output::complain(&line);
            }
            Ok(ExitCode::FAILURE)
        }
    }
}
