//! The OTP release that the nodes of a site run: that of `BEAMWAY_OTP`, else the one in the path.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// A release such as `27`, for all nodes; or two such as `25:27`, for the first, third … and the second, fourth … site.
const VARIABLE: &str = "BEAMWAY_OTP";

/// The release asked for at a site; none means the Erlang of this machine.
pub(super) fn release(site: usize) -> Option<String> {
    let asked = env::var(VARIABLE).ok()?;
    let releases: Vec<&str> = asked.split(':').collect();
    let release = releases.get(site % releases.len())?;
    assert!(
        releases.len() <= 2 && release.parse::<u8>().is_ok(),
        "{VARIABLE}={asked}: allowed: a release such as 27, or two such as 25:27"
    );
    Some((*release).to_owned())
}

/// The folder with the programs of that release.
fn folder(release: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(".cache/otp")
        .join(release)
        .join("bin");
    assert!(
        folder.join("erl").is_file(),
        "{VARIABLE} asks for OTP {release}, which is not in {}; fetch it with: tests/otp {release}",
        folder.display()
    );
    folder
}

/// Has a command find the programs of the site's release first, and so what it starts itself.
pub(super) fn choose(command: &mut Command, site: usize) {
    let Some(release) = release(site) else { return };
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [folder(&release)].into_iter().chain(env::split_paths(&path));
    let path: OsString = env::join_paths(folders).expect("a path made of parts of a path");
    command.env("PATH", path);
}
