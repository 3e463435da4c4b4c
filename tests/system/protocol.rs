//! The figures of docs/PROTOCOL.md are those of the code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use beamway::internals::dist::FRAGMENT_SIZE;
use beamway::internals::dist::FRAGMENTS_MAX;
use beamway::internals::dist::RUN_MAX;
use beamway::internals::dist::SEQUENCES_MAX;
use beamway::internals::hub::NAMES_OF_A_PEER;
use beamway::internals::hub::NODES_OF_A_PEER;
use beamway::internals::session::DROPPED_MAX;
use beamway::internals::session::SessionConfig;
use beamway::internals::trunk::PEERS_OF_A_PEER;
use beamway::internals::trunk::TrunkConfig;
use beamway::internals::wire::BODY_MAX;
use beamway::internals::wire::Content;
use beamway::internals::wire::LANES_MAX;
use beamway::internals::wire::NOTICE_MAX;
use beamway::internals::wire::STRANDS;
use beamway::internals::wire::VERSION;
use beamway::internals::wire::VERSION_MIN;

/// What the code says, by the names of its constants.
fn of_the_code() -> BTreeMap<&'static str, u64> {
    BTreeMap::from([
        ("VERSION", VERSION.into()),
        ("VERSION_MIN", VERSION_MIN.into()),
        ("LANES_MAX", LANES_MAX.into()),
        ("NOTICE_MAX", NOTICE_MAX as u64),
        ("STRANDS", STRANDS.into()),
        ("BODY_MAX", BODY_MAX as u64),
        ("RUN_MAX", RUN_MAX as u64),
        ("FRAGMENTS_MAX", FRAGMENTS_MAX),
        ("FRAGMENT_SIZE", FRAGMENT_SIZE as u64),
        ("KEEPING", Content::KEEPING),
        ("COST_MAX", Content::COST_MAX),
        ("CIRCUITS_MAX", SessionConfig::CIRCUITS_MAX as u64),
        ("NODES_OF_A_PEER", NODES_OF_A_PEER as u64),
        ("PEERS_OF_A_PEER", PEERS_OF_A_PEER as u64),
        ("SEQUENCES_MAX", SEQUENCES_MAX as u64),
        ("DROPPED_MAX", DROPPED_MAX as u64),
        ("CONTROL_MAX", SessionConfig::CONTROL_MAX as u64),
        ("HOSTS_OF_A_NODE", SessionConfig::HOSTS_OF_A_NODE as u64),
        ("NAMES_OF_A_PEER", NAMES_OF_A_PEER as u64),
        // Close codes.
        ("DROPPED", TrunkConfig::DROPPED.into_inner()),
        ("DUPLICATE", TrunkConfig::DUPLICATE.into_inner()),
        ("REFUSED", TrunkConfig::REFUSED.into_inner()),
        ("BROKEN", TrunkConfig::BROKEN.into_inner()),
        ("ENDED", TrunkConfig::ENDED.into_inner()),
    ])
}

/// Rows of tables that begin with the name of a constant and its value.
fn of_the_page(page: &str) -> BTreeMap<&str, u64> {
    page.lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
            let (value, _) = rest.split_once(" |")?;
            Some((name, value.parse().ok()?))
        })
        .collect()
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PROTOCOL.md");
    fs::read_to_string(path).expect("the page")
}

#[test]
fn limits_of_the_page_are_those_of_the_code() {
    let page = page();
    assert_eq!(of_the_page(&page), of_the_code());
}

/// Rules that say the same figures in words.
#[test]
fn rules_of_the_page_use_these_limits() {
    let page = page();
    let rule = |number: &str| {
        let begin = page.find(&format!("**{number}** ")).expect("a rule");
        let rest = &page[begin + 2..];
        &rest[..rest.find("\n**P").unwrap_or(rest.len())]
    };
    let last = STRANDS - 1;
    for text in [format!("0 … {last}"), format!("≤ {last}")] {
        assert!(rule("P12").contains(&text), "{text} in {}", rule("P12"));
    }
    assert!(rule("P18").contains(&STRANDS.to_string()), "{}", rule("P18"));
    assert!(page.starts_with(&format!("# The beamway protocol, version {VERSION}\n")));
    assert!(page.contains(&format!("\n## Version {VERSION_MIN}\n")));
}

#[test]
fn a_figure_that_differs_is_found() {
    let page = page();
    let wrong = page.replace("| `STRANDS` | 4096 |", "| `STRANDS` | 1024 |");
    assert_ne!(of_the_page(&wrong), of_the_code());
    let missing = page.replace("| `RUN_MAX` |", "| RUN_MAX |");
    assert_ne!(of_the_page(&missing), of_the_code());
}
