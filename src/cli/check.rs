use std::process::ExitCode;

use super::args::CheckArgs;
use super::matrix;
use super::open_files;
use super::output;
use crate::carrier;
use crate::carrier::own_hosts;
use crate::carrier::uncovered;
use crate::config::AcceptSettings;
use crate::config::Purpose;
use crate::gateway::Hosts;

fn who_may_dial_in(accept: &AcceptSettings) -> String {
    match accept.names.as_deref() {
        None => "every daemon with a certificate of the authorities in ca.pem, for nodes of the hosts in it; if these \
                 authorities sign for other purposes too, restrict it with `[accept] names`"
            .to_owned(),
        Some([]) => "the peers".to_owned(),
        Some(names) => {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            format!("the peers, and daemons named {}", names.join(", "))
        }
    }
}

/// `beamway check`: for a valid file, prints a summary, the memory that the daemon may use, and what the limit on open files
/// suffices for, with status 0; or what the policy says of pairs of nodes, if any are named. Otherwise prints all mistakes, one line
/// each, with status 1.
pub(super) fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let file = args.config.as_path();
    match carrier::load(file, Purpose::Daemon) {
        Ok(loaded) if !args.nodes.is_empty() => {
            let config = &loaded.config;
            matrix::print(&config.gateway.name, &config.policy, &args.nodes, args.json)?;
            Ok(ExitCode::SUCCESS)
        }
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
            output::say(&format!("dialling in: {}", who_may_dial_in(&loaded.config.accept)));
            for discover in &loaded.config.discover {
                output::say(&format!("finding peers: {discover}"));
            }
            match loaded.config.policy.len() {
                0 => {}
                rules => output::say(&format!(
                    "policy: {rules} rules; for what they say of nodes, name these: beamway check --config {} NODE NODE",
                    file.display()
                )),
            }
            let hosts = loaded.config.epmd.hosts.clone();
            let hosts = hosts.map_or_else(|| Hosts::of_this_machine(own_hosts()), Hosts::configured);
            if let Some(advice) = uncovered(&gateway.name, &hosts.announced(), loaded.identity.hosts()) {
                output::say(&format!("warning: {advice}"));
            }
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
