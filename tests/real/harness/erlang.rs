//! The Erlang modules of the tests, compiled once for all test processes.

use std::fs;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::otp;

/// The folder with the modules for nodes of a site; every node there has it on its code path.
pub(super) fn ebin(site: usize) -> &'static Path {
    static EBIN: [OnceLock<PathBuf>; 2] = [const { OnceLock::new() }; 2];
    EBIN[site % EBIN.len()].get_or_init(|| compile(site).join("ebin"))
}

/// Modules that match binaries or use records of kernel: OTP 29 refuses those that OTP 25 compiled, so each release compiles them itself. The others
/// come from one compiler for both nodes, the older one: a fun that goes to another node must find the same code there.
const BY_EACH_RELEASE: [&str; 5] = [
    "real_fake.erl",
    "beamway.erl",
    "beamway_dist.erl",
    "beamway_epmd.erl",
    "beamway_nif.erl",
];

fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<PathBuf> = [root.join("tests/real/erlang"), root.join("erlang/src")]
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .map(|entry| entry.expect("an entry of a source folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "erl" || e == "hrl"))
        .collect();
    found.sort();
    found
}

/// Tests run as separate processes at the same time, so the result is built aside and moved into place; its name is a
/// hash of the sources and the release, so a change is never missed.
fn compile(site: usize) -> PathBuf {
    let sources = sources();
    let mut hash = DefaultHasher::new();
    let releases = (otp::release(site), otp::oldest());
    releases.hash(&mut hash);
    for source in &sources {
        source.hash(&mut hash);
        fs::read(source).expect("a readable source").hash(&mut hash);
    }
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let place = tmp.join(format!("real-{:016x}", hash.finish()));
    if place.is_dir() {
        return place;
    }
    let aside = tempfile::Builder::new()
        .prefix("erlc-")
        .tempdir_in(tmp)
        .expect("a folder below target");
    let (own, shared): (Vec<&Path>, Vec<&Path>) = sources
        .iter()
        .map(PathBuf::as_path)
        .filter(|path| path.extension().is_some_and(|e| e == "erl"))
        .partition(|path| BY_EACH_RELEASE.iter().any(|name| path.ends_with(name)));
    let ebin = aside.path().join("ebin");
    fs::create_dir(&ebin).expect("a folder below target");
    erlc(releases.0.as_deref(), &ebin, &own);
    erlc(releases.1.as_deref(), &ebin, &shared);
    let private = aside.path().join("priv");
    fs::create_dir(&private).expect("a folder below target");
    symlink(library(), private.join("beamway_nif.so")).expect("a link below target");
    // Another test process may have been faster; then its result is as good.
    if fs::rename(aside.path(), &place).is_err() {
        assert!(
            place.is_dir(),
            "cannot move the compiled modules to {}",
            place.display()
        );
    }
    place
}

/// The library of the carrier inside the VM, which is built with the tests.
pub(crate) fn library() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_beamway")).with_file_name("deps");
    let library = beside.join("libbeamway_nif.so");
    assert!(library.is_file(), "no library {}", library.display());
    library
}

fn erlc(release: Option<&str>, folder: &Path, sources: &[&Path]) {
    let mut command = Command::new("erlc");
    otp::choose_release(&mut command, release);
    let output = command
        .args(["-Werror", "+debug_info", "-o"])
        .arg(folder)
        .args(sources)
        .output()
        .unwrap_or_else(|error| {
            panic!("cannot run erlc: {error}; install it with: apt install erlang-base erlang-dev")
        });
    assert!(
        output.status.success(),
        "erlc refuses the test modules:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
