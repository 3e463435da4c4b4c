//! The fuzz targets on their seeds and on what was found with them: `fuzz/seeds/TARGET/*` and `fuzz/regressions/TARGET/*`.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a target fails by panicking, and the file that it was tried on is shown"
)]

#[path = "../../fuzz/src/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

/// Runs a target on each file of its folder in `kind`; how many there were.
fn replay(kind: &str, (name, target): targets::Target) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(name);
    let Ok(files) = fs::read_dir(folder) else {
        return 0;
    };
    let mut count = 0;
    for file in files {
        let path = file.expect("a folder that can be read").path();
        println!("{}", path.display());
        target(&fs::read(&path).expect("a file that can be read"));
        count += 1;
    }
    count
}

#[test]
fn seeds_hold() {
    for target in targets::TARGETS {
        assert!(replay("seeds", target) > 0, "{} has no seed", target.0);
    }
}

#[test]
fn findings_stay_fixed() {
    for target in targets::TARGETS {
        replay("regressions", target);
    }
}

/// Every target on bytes that mean nothing, so that a target which cannot run is noticed without a fuzzer.
#[test]
fn any_bytes_are_survived() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..2000_usize {
        let bytes: Vec<u8> = (0..round % 300)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        for (_, target) in targets::TARGETS {
            target(&bytes);
        }
    }
}
