use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;
use std::time::SystemTime;

use super::io::reload::Record;
use super::status::Circuit;
use super::status::Peer;
use super::*;
use crate::cluster::io::control::PeerReport;
use crate::trunk::Direction;
use crate::trunk::TrunkState;

fn parts(now: SystemTime) -> Parts {
    let day = Duration::from_secs(86_400);
    Parts {
        now,
        uptime: 1.5,
        is_leaving: false,
        memory: (90, 100),
        open_files: (10, 100),
        handshakes: vec![(Direction::In, "accepted", 3)],
        sessions_ended: 2,
        circuits_denied: 3,
        read: Record::new(now, now + day * 10, now + day * 100).lock().clone(),
        log: status::LogLines::default(),
        local: vec![("a".into(), vec!["h".into()], false)],
        found: Vec::new(),
        unanswered: Vec::new(),
        peers: vec![PeerReport {
            name: "Right".into(),
            state: TrunkState::Down,
            configured: Some("right:4471".into()),
            remote: None,
            failure: "no answer".into(),
            valid_until: None,
        }],
        sessions: BTreeMap::new(),
    }
}

#[test]
fn what_is_wrong_is_said_with_a_remedy() {
    let status = Status::build(&Facts::default(), parts(SystemTime::now()));
    let all = status.problems.join("\n");
    for told in [
        "[gateway] memory: 90 of 100 bytes are used; raise it",
        "the certificate of this daemon expires in 10.0 days: issue another one",
        "peer Right cannot be reached: no answer",
    ] {
        assert!(all.contains(told), "{told:?} in\n{all}");
    }
    assert_eq!(status.problems.len(), 3, "{all}");
    assert_eq!(status.peers[0].address, "right:4471");
}

/// A line of the text form: a name, labels in braces or none, and a number.
fn is_sample(line: &str) -> bool {
    let Some((series, value)) = line.rsplit_once(' ') else {
        return false;
    };
    let name = series.split('{').next().unwrap_or_default();
    let is_name = name.starts_with("beamway_") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    is_name && value.parse::<f64>().is_ok() && (!series.contains('{') || series.ends_with('}'))
}

#[test]
fn metrics_are_openmetrics_whatever_names_are_like() {
    let strange = "a\"b\\c\nd";
    let status = Status {
        peers: vec![Peer {
            name: strange.into(),
            state: "up".into(),
            outages: status::Outages {
                count: 3,
                seconds: 80.5,
                buckets: vec![(0.5, 1), (60.0, 1)],
            },
            lanes: vec![status::Lane::default(); 2],
            ..Peer::default()
        }],
        circuits: vec![Circuit::default()],
        ..Status::build(&Facts::default(), parts(SystemTime::now()))
    };
    let text = metrics(status);
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(samples.len() > 50, "{text}");
    for line in &samples {
        assert!(is_sample(line), "{line}");
    }
    for wanted in [
        r#"beamway_peer_state{peer="a\"b\\c\nd",state="up"} 1.0"#,
        r#"beamway_peer_state{peer="a\"b\\c\nd",state="down"} 0.0"#,
        r#"beamway_session_outage_seconds_bucket{le="0.5",peer="a\"b\\c\nd"} 1"#,
        r#"beamway_session_outage_seconds_bucket{le="+Inf",peer="a\"b\\c\nd"} 3"#,
        "beamway_memory_kept_bytes 90.0",
        r#"beamway_handshakes_total{direction="in",outcome="accepted"} 3.0"#,
        "beamway_sessions_ended_total 2.0",
        "beamway_circuits_denied_total 3.0",
    ] {
        assert!(samples.contains(&wanted), "{wanted} in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    let mut types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let all = types.len();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), all, "each metric once");
}

/// One of each thing that a status can have.
fn everything() -> Status {
    Status {
        peers: vec![Peer {
            lanes: vec![status::Lane::default()],
            ..Peer::default()
        }],
        circuits: vec![Circuit::default()],
        certificates: vec![status::Certificate::default()],
        handshakes: vec![status::Handshakes::default()],
        discover: vec![status::Discover::default()],
        nodes: vec![status::LocalNode::default()],
        ..Status::default()
    }
}

/// The documentation names every metric and every key, and no other.
#[test]
fn the_page_names_what_there_is() {
    let page = include_str!("../../docs/OPERATING.md");
    let status = everything();
    let value = serde_json::to_value(&status).expect("JSON");
    let keys = |value: &serde_json::Value| {
        value
            .as_object()
            .map(|object| object.keys().cloned().collect::<Vec<_>>())
    };
    let mut named = keys(&value).expect("an object");
    for list in ["peers", "circuits", "certificates", "handshakes", "discover", "nodes"] {
        named.extend(keys(&value[list][0]).expect("an object"));
    }
    named.extend(keys(&value["reloads"]).expect("an object"));
    for key in named {
        assert!(page.contains(&format!("`{key}")), "the page does not name {key}");
    }
    let text = metrics(status);
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE beamway_")) {
        let name = line.split(' ').next().expect("a name");
        let is_named =
            page.contains(&format!("`{name}")) || (name.starts_with("other_") && page.contains("`other_circuits*`"));
        assert!(is_named, "the page does not name {name}");
    }
}

/// Words of a text that are names of metrics.
fn named_metrics(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("beamway_"))
        .collect()
}

/// A dashboard or an alert with a name that is not there shows nothing and never fires, and nobody notices.
#[test]
fn dashboard_and_alerts_name_metrics_that_there_are() {
    let text = metrics(everything());
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let given: BTreeSet<&str> = samples.filter_map(|line| line.split(['{', ' ']).next()).collect();
    let dashboard = include_str!("../../docs/monitoring/grafana.json");
    for (file, text) in [
        ("grafana.json", dashboard),
        ("alerts.yml", include_str!("../../docs/monitoring/alerts.yml")),
        ("alerts-test.yml", include_str!("../../docs/monitoring/alerts-test.yml")),
    ] {
        let named = named_metrics(text);
        assert!(named.len() > 8, "{file}: {named:?}");
        let unknown: Vec<_> = named.difference(&given).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}, which are no metrics");
    }
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let expressions: Vec<&str> = targets.map(|target| target["expr"].as_str().expect("a text")).collect();
    assert!(expressions.len() > 20, "{expressions:?}");
    for expression in expressions {
        let count = named_metrics(expression).len();
        let filters = expression.matches("{instance=~\"$instance\"").count();
        assert!(
            count > 0 && filters >= count,
            "for the chosen instances alone: {expression}"
        );
    }
}

#[test]
fn the_page_needs_nothing_that_its_policy_forbids() {
    for path in ["/", "/style.css", "/page.js"] {
        let (kind, text) = web::file(path).expect("a file");
        assert!(kind.ends_with("; charset=utf-8"), "{path}: {kind}");
        // The namespace of SVG is a name, and not an address that is loaded.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        for forbidden in [
            "http:",
            "https:",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            " style=",
            " onclick=",
        ] {
            assert!(!text.contains(forbidden), "{path}: {forbidden}");
        }
    }
    assert!(web::file("/index.html").is_none() && web::file("/../Cargo.toml").is_none());
    assert!(
        !web::POLICY.contains("unsafe") && !web::POLICY.contains("  "),
        "{}",
        web::POLICY
    );
}

#[test]
fn the_busiest_circuits_are_listed_and_the_others_summed() {
    // Through the same way as a session reports them.
    let report = |id: u64| crate::session::CircuitReport {
        id: crate::wire::CircuitId(id),
        is_established: true,
        is_silent: false,
        bytes_sent: id,
        bytes_received: 0,
        frames_sent: 0,
        frames_received: 0,
        frames_fenced: 0,
        waiting: 0,
        credit: 1,
        parked_frames: 0,
        parked: 2,
        send_limit: 0,
        receive_limit: 0,
        limited: std::time::Duration::ZERO,
    };
    let count = Status::CIRCUITS as u64 + 10;
    let session = crate::endpoint::SessionReport {
        software: String::new(),
        version: 5,
        machine: crate::session::Report {
            stats: crate::session::SessionStats::default(),
            lanes: Vec::new(),
            circuits: (1..=count).map(report).collect(),
            bytes_sent: 0,
            bytes_received: 0,
            waiting: 0,
            unacknowledged: 0,
            kept: 0,
        },
        nodes: Default::default(),
        trunks: 1,
        outages: crate::endpoint::Outages::default(),
        trunk: crate::endpoint::TrunkReport::default(),
    };
    let mut parts = parts(SystemTime::now());
    parts.sessions.insert("right".into(), (Vec::new(), Some(session)));
    let status = Status::build(&Facts::default(), parts);
    assert_eq!(status.circuits.len(), Status::CIRCUITS);
    assert!(status.circuits.iter().all(|circuit| circuit.id > 10), "the busiest");
    assert_eq!(
        (status.other_circuits.count, status.other_circuits.bytes_sent),
        (10, 55)
    );
    assert_eq!(status.other_circuits.parked_bytes, 20);
    assert_eq!(status.peers[0].circuits, count);
}
