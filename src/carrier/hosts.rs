use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use nix::unistd::gethostname;

use crate::endpoint::io::near::interfaces;

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
    hosts.extend(full_name_in_time());
    hosts.extend(interfaces().iter().map(ToString::to_string));
    hosts.sort();
    hosts.dedup();
    hosts
}

/// The time within which the full name must be known: it may need a name server, and a daemon starts without one too.
const FULL_NAME_TIME: Duration = Duration::from_secs(3);

/// The full name of this machine, or `None` if it is not known in time.
fn full_name_in_time() -> Option<String> {
    let (found, name) = channel();
    thread::spawn(move || found.send(full_name()));
    name.recv_timeout(FULL_NAME_TIME).ok().flatten()
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
