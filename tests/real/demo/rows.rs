//! The rows, over pairs of BEAMs and native nodes: honest ones pass, and whatever is counted, damaged or left out is noticed,
//! on either side.

use std::time::Duration;

use beamway::lab::demo::rows;
use beamway::lab::demo::rows::Bulk;
use beamway::lab::testbed::carriers::Carrier;
use beamway::lab::testbed::children::Children;
use beamway::lab::testbed::children::until;
use beamway::lab::testbed::erlang::Erlang;
use beamway::lab::testbed::erlang::MODULE;
use beamway::lab::testbed::erlang::Programs;
use beamway::lab::testbed::hosts::Host;
use beamway::lab::testbed::node_settings::NodeSettings;
use beamway::lab::testbed::nodes::Kind;
use beamway::lab::testbed::nodes::Node;
use beamway::lab::testbed::pairs::Pair;
use beamway::lab::testbed::port_mapper;
use beamway::lab::testbed::workspace::Workspace;

use super::children::on_children;

#[derive(Clone, Copy)]
enum Side<'a> {
    Native,
    /// Runs this source of the module.
    Beam(&'a str),
}

const BEAM: Side<'_> = Side::Beam(MODULE.1);

impl Side<'_> {
    async fn start(self, short: &str, epmd: u16, children: &Children, workspace: &Workspace) -> Node {
        let kind = match self {
            Self::Native => Kind::Native(env!("CARGO_BIN_EXE_beamway").into()),
            Self::Beam(source) => Kind::Beam(
                Erlang::prepare(Programs::default(), workspace, short, &[(MODULE.0, source)])
                    .await
                    .unwrap(),
            ),
        };
        let settings = NodeSettings {
            name: format!("{short}@127.0.0.1"),
            label: format!("node {short}"),
            epmd,
            arguments: Vec::new(),
            host: Host::loopback(),
        };
        Node::start(&kind, children, workspace, settings).await.unwrap()
    }
}

/// `test` measures over a pair over plain distribution.
fn with_pair(near: Side<'_>, far: Side<'_>, test: impl AsyncFnOnce(&mut Pair)) {
    with_children(near, far, async |mut pair, _| test(&mut pair).await);
}

/// The same for a test that ends the pair itself.
fn with_children(near: Side<'_>, far: Side<'_>, test: impl AsyncFnOnce(Pair, &Children)) {
    on_children(async |workspace, children| {
        let epmd = port_mapper::start().await.unwrap();
        let mut pair = Pair {
            carrier: Carrier::Plain,
            a: near.start("a", epmd, children, workspace).await,
            b: far.start("b", epmd, children, workspace).await,
        };
        assert!(pair.ping().await.unwrap(), "{}", children.last_words());
        test(pair, children).await;
    });
}

const BULK: Option<Bulk> = Some(Bulk {
    streams: 2,
    bytes: 300_000,
});

async fn every_row_passes(pair: &mut Pair) {
    assert!(pair.ping_back().await.unwrap());
    assert_eq!(pair.nodes().await.unwrap(), [["b@127.0.0.1"], ["a@127.0.0.1"]]);
    assert!(rows::calls(pair, 100).await.unwrap().count > 64);
    assert!(rows::transfer(pair, 10).await.unwrap().megabytes_per_second > 1.0);
    let alone = rows::round_trips(pair, 100, None).await.unwrap();
    assert!(
        alone.p50_us <= alone.p90_us && alone.p99_us <= alone.max_us,
        "{alone:?}"
    );
    let beside = rows::round_trips(pair, 100, BULK).await.unwrap();
    assert!(beside.bulk_megabytes_per_second.unwrap() > 1.0, "{beside:?}");
    assert!(rows::stream(pair, 3, 100, 50).await.unwrap().messages_per_second > 100.0);
    assert!(rows::stream(pair, 3, 0, 50).await.unwrap().messages_per_second > 100.0);
    pair.disconnect().await.unwrap();
    assert_eq!(pair.nodes().await.unwrap()[0], Vec::<String>::new());
}

#[test]
fn every_row_passes_over_beams() {
    with_pair(BEAM, BEAM, every_row_passes);
}

#[test]
fn every_row_passes_over_native_nodes() {
    with_pair(Side::Native, Side::Native, every_row_passes);
}

#[test]
fn every_row_passes_from_a_native_node_to_a_beam() {
    with_pair(Side::Native, BEAM, every_row_passes);
}

#[test]
fn every_row_passes_from_a_beam_to_a_native_node() {
    with_pair(BEAM, Side::Native, every_row_passes);
}

/// As when the demo is killed, and has no time to end anybody.
#[test]
fn native_nodes_end_with_their_input_whatever_they_do() {
    with_children(Side::Native, Side::Native, async |mut pair, children| {
        let cut = tokio::time::timeout(Duration::from_millis(300), rows::stream(&mut pair, 3, 100, 20_000)).await;
        assert!(cut.is_err(), "{cut:?}");
        for node in ["node a", "node b"] {
            children.check(node).unwrap();
        }
        drop(pair);
        for node in ["node a", "node b"] {
            let ended = async || Ok(children.check(node).is_err().then_some(()));
            until(node, Duration::from_secs(5), ended).await.unwrap();
        }
    });
}

/// The module with mistakes.
fn mistaken(mistakes: &[(&str, &str)]) -> String {
    mistakes.iter().fold(MODULE.1.to_owned(), |source, (from, to)| {
        assert!(source.contains(from), "{from} is no longer in the module");
        source.replace(from, to)
    })
}

async fn every_row_fails(pair: &mut Pair) {
    let faults = [
        rows::calls(pair, 50).await.map(drop),
        rows::transfer(pair, 10).await.map(drop),
        rows::round_trips(pair, 50, None).await.map(drop),
        rows::round_trips(pair, 50, BULK).await.map(drop),
        rows::stream(pair, 2, 1000, 50).await.map(drop),
    ];
    for (row, fault) in faults.into_iter().enumerate() {
        let fault = fault.expect_err(&format!("row {row}")).to_string();
        assert!(fault.contains("did not get what was sent"), "row {row}: {fault}");
    }
}

async fn stream_fails(pair: &mut Pair) {
    let fault = rows::stream(pair, 1, 100, 50).await.unwrap_err().to_string();
    assert!(fault.contains("did not get what was sent"), "{fault}");
}

/// Other bytes, other counts: each is seen by the row that is there to see it.
#[test]
fn every_row_fails_when_something_else_arrives() {
    let source = mistaken(&[
        // A checksum over other bytes than were sent.
        (
            "erlang:md5(Message))}},\n            %%",
            "erlang:md5(<<Message/binary, 0>>))}},\n            %%",
        ),
        // A call counted twice.
        ("calls := Calls + 1", "calls := Calls + 2"),
        // Other bytes expected by the receivers of the streams.
        ("-define(SEED, 4471)", "-define(SEED, 4472)"),
    ]);
    for near in [BEAM, Side::Native] {
        with_pair(near, Side::Beam(&source), every_row_fails);
    }
}

/// The same from the other side: here the far node is honest, and finds out.
#[test]
fn every_row_fails_when_something_else_is_sent() {
    let source = mistaken(&[
        (
            "! {message, self(), Message}",
            "! {message, self(), <<Message/binary, 0>>}",
        ),
        // A number left out by every caller.
        (
            "call(Server, Caller, Number) ->\n",
            "call(Server, Caller, 0) ->\n    call(Server, Caller, 1);\ncall(Server, Caller, Number) ->\n",
        ),
        // The two payloads in the wrong order.
        (
            "element(1 + Number band 1, Payloads)",
            "element(2 - Number band 1, Payloads)",
        ),
    ]);
    for far in [BEAM, Side::Native] {
        with_pair(Side::Beam(&source), far, every_row_fails);
    }
}

/// A message that is lost on the way is missed, one that is doubled or overtaken is out of order.
#[test]
fn a_receiver_notices_loss_and_disorder() {
    let lossy = mistaken(&[(
        "receive_next(Expected, AckEvery, Count, Wrong) ->\n    receive\n",
        "receive_next(Expected, AckEvery, Count, Wrong) ->\n    receive\n        {data, _, 7, _} when Count =:= 7 ->\n            \
         receive_next(Expected, AckEvery, Count, Wrong);\n",
    )]);
    for near in [BEAM, Side::Native] {
        with_pair(near, Side::Beam(&lossy), stream_fails);
    }
    let sends = "    Receiver ! {data, self(), Number, element(1 + Number band 1, Payloads)},\n";
    let never_sends_7 = format!(
        "    Number =:= 7 orelse begin\n{} end,\n",
        sends.trim_end_matches(",\n")
    );
    let sends_7_twice = format!(
        "{sends}    Number =:= 7 andalso begin\n{} end,\n",
        sends.trim_end_matches(",\n")
    );
    for to in [never_sends_7, sends_7_twice] {
        let source = mistaken(&[(sends, &to)]);
        with_pair(Side::Beam(&source), Side::Native, stream_fails);
    }
}
