use std::process::Command;
use std::process::Stdio;

use nix::unistd::gethostname;

use crate::gateway::io::interfaces;

/// The host parts that mean this machine if none are configured: its host name, the first label of it, its full name, and the
/// addresses of its interfaces.
pub(crate) fn own_hosts() -> Vec<String> {
    let mut hosts = Vec::new();
    if let Some(name) = gethostname().ok().and_then(|name| name.into_string().ok()) {
        if let Some((short, _)) = name.split_once('.') {
            hosts.push(short.to_owned());
        }
        hosts.push(name);
    }
    hosts.extend(full_name());
    hosts.extend(interfaces::addresses().iter().map(ToString::to_string));
    hosts.sort();
    hosts.dedup();
    hosts
}

/// The full name of this machine, as `hostname --fqdn` prints it; `None` if the command is missing or prints none.
fn full_name() -> Option<String> {
    let found = Command::new("hostname")
        .arg("--fqdn")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let name = String::from_utf8(found.stdout).ok()?.trim().to_owned();
    (found.status.success() && !name.is_empty()).then_some(name)
}
