use crate::lab::testbed::erlang;
use crate::lab::testbed::inside;

/// The Erlang side; nodes run the last module. `beamway_epmd` is for hosts that are apart.
pub const MODULES: [(&str, &str); 6] = [
    inside::MODULES[0],
    inside::MODULES[1],
    inside::MODULES[2],
    ("beamway_epmd", include_str!("../../../erlang/src/beamway_epmd.erl")),
    erlang::MODULE,
    ("beamway_bench", include_str!("beamway_bench.erl")),
];
