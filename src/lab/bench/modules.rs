use crate::lab::testbed::erlang;

/// The Erlang side; nodes run the last module. `beamway_epmd` is for hosts that are apart.
pub const MODULES: [(&str, &str); 3] = [
    ("beamway_epmd", include_str!("../../../erlang/src/beamway_epmd.erl")),
    erlang::MODULE,
    ("beamway_bench", include_str!("beamway_bench.erl")),
];
