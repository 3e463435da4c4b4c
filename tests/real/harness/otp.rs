//! The OTP release that the nodes of a site run: that of `BEAMWAY_OTP`, else the one in the path.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// A release such as `27`, for all nodes; or two such as `25:27`, for the first, third … and the second, fourth … site.
const VARIABLE: &str = "BEAMWAY_OTP";

/// The releases asked for; none means the Erlang of this machine.
fn asked() -> Vec<String> {
    let Ok(asked) = env::var(VARIABLE) else {
        return Vec::new();
    };
    let releases: Vec<String> = asked.split(':').map(str::to_owned).collect();
    assert!(
        releases.len() <= 2 && releases.iter().all(|release| release.parse::<u8>().is_ok()),
        "{VARIABLE}={asked}: allowed: a release such as 27, or two such as 25:27"
    );
    releases
}

/// The release asked for at a site.
pub(super) fn release(site: usize) -> Option<String> {
    let mut asked = asked();
    (!asked.is_empty()).then(|| asked.swap_remove(site % asked.len()))
}

/// The oldest release asked for.
pub(super) fn oldest() -> Option<String> {
    asked().into_iter().min()
}

/// Whether sites run different releases.
pub(crate) fn is_mixed() -> bool {
    release(0) != release(1)
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
    choose_release(command, release(site).as_deref());
}

/// The same for a release that is known.
pub(super) fn choose_release(command: &mut Command, release: Option<&str>) {
    let Some(release) = release else { return };
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [folder(release)].into_iter().chain(env::split_paths(&path));
    let path: OsString = env::join_paths(folders).expect("a path made of parts of a path");
    command.env("PATH", path);
}
