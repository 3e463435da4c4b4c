//! libFuzzer on the target that `FUZZ_TARGET` names.
#![no_main]

mod targets;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

fn target() -> fn(&[u8]) {
    static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();
    *TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let found = targets::TARGETS.iter().find(|(other, _)| *other == name);
        let names: Vec<_> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
        found.unwrap_or_else(|| panic!("FUZZ_TARGET must be one of {}", names.join(", "))).1
    })
}

fuzz_target!(|data: &[u8]| target()(data));
