//! mnesia over two and three hosts: what was committed is committed once, on every copy.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::global::TICKING;
use crate::global::lose_all;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::harness::NodeSpec;

cases! {
    control: ;
    bridge: a_bank_on_two_nodes, a_bank_on_three_nodes, a_bank_that_was_parted;
    vm: a_bank_on_two_nodes, a_bank_on_three_nodes;
    mixed: a_bank_on_three_nodes;
}

/// How long nodes are at work, at least.
const LOAD: Duration = Duration::from_secs(3);

/// What each node's workers commit meanwhile, at least; a starved machine takes longer for it.
const TRANSFERS: u64 = 50;

/// Transfers that may be underway at one node: as many as it has workers.
const UNDERWAY: u64 = 6;

/// Copies agree within this, once nothing more is committed.
const SETTLED: Duration = Duration::from_secs(10);

/// Nodes `a`, `b` … each at a site of its own, all connected.
fn nodes<const COUNT: usize>(cluster: &Cluster) -> [Node; COUNT] {
    let mut nodes = std::array::from_fn(|site| cluster.node(&NodeSpec::new(["a", "b", "c"][site], site).args(TICKING)));
    for later in 1..COUNT {
        let (before, after) = nodes.split_at_mut(later);
        before.iter_mut().for_each(|node| node.connect(&after[0]));
    }
    nodes
}

fn list(nodes: &[Node]) -> String {
    let names: Vec<String> = nodes.iter().map(Node::atom).collect();
    format!("[{}]", names.join(","))
}

fn all(nodes: &mut [Node], expression: &str) {
    for node in nodes {
        node.eval(expression);
    }
}

/// Lets these nodes work, which are to commit something.
fn load<'a>(nodes: impl IntoIterator<Item = &'a mut Node>) {
    let began = Instant::now();
    for node in nodes {
        node.eval_within(&format!("real_mnesia:await_transfers({TRANSFERS})"), 10 * LOAD);
    }
    thread::sleep(LOAD.saturating_sub(began.elapsed()));
}

/// Transfers committed by one node's workers, which ended only of `reasons`.
fn committed(node: &mut Node, reasons: &str) -> u64 {
    let ended = node.eval("real_mnesia:end_transfers()");
    let (count, aborted) = ended.trim_matches(['{', '}']).split_once(',').expect("a pair");
    assert_eq!(
        aborted,
        reasons,
        "what transfers of {} were aborted for",
        node.full_name()
    );
    let count = count.parse().expect("a number");
    assert!(
        count >= TRANSFERS,
        "{} committed only {count} transfers",
        node.full_name()
    );
    count
}

/// All copies hold the same, which is this many transfers of each node.
fn assert_books(nodes: &mut [Node], transfers: &BTreeMap<String, u64>) {
    let counted: Vec<String> = transfers
        .iter()
        .map(|(name, count)| format!("{{{name},{count}}}"))
        .collect();
    let counted = format!("[{}]", counted.join(","));
    let (first, others) = nodes.split_first_mut().expect("a node");
    first.await_value("element(1, real_mnesia:books())", &counted, SETTLED);
    let books = first.eval("real_mnesia:books()");
    for node in others {
        node.await_value("real_mnesia:books()", &books, SETTLED);
    }
}

fn a_bank_on_two_nodes(carrier: Carrier) {
    let mut cluster = Cluster::new(carrier, 2);
    let mut nodes = nodes::<2>(&cluster);
    bank(&mut nodes);
    cluster.assert_healthy();
}

/// The third one joins when the other two are at work.
fn a_bank_on_three_nodes(carrier: Carrier) {
    let mut cluster = Cluster::new(carrier, 3);
    let mut nodes = nodes::<3>(&cluster);
    bank(&mut nodes);
    cluster.assert_healthy();
}

/// Founded by the first two; the others join under load.
fn bank(nodes: &mut [Node]) {
    let (founders, others) = nodes.split_at_mut(2);
    let founding = format!("real_mnesia:found({})", list(founders));
    founders[0].eval(&founding);
    all(founders, "real_mnesia:begin_transfers()");
    for node in others {
        founders[0].eval(&format!("real_mnesia:add({})", node.atom()));
        node.eval("real_mnesia:begin_transfers()");
    }
    load(&mut *nodes);
    let transfers = nodes
        .iter_mut()
        .map(|node| (node.atom(), committed(node, "[]")))
        .collect();
    assert_books(nodes, &transfers);
    eprintln!("transfers: {transfers:?}");
}

/// b loses both others in the middle of it: it commits nothing more, they go on. Together again mnesia tells that they were
/// apart; b takes everything from a and goes on too.
fn a_bank_that_was_parted(carrier: Carrier) {
    let mut cluster = Cluster::new(carrier, 3);
    let mut nodes = nodes(&cluster);
    let founding = format!("real_mnesia:found({})", list(&nodes));
    nodes[0].eval(&founding);
    all(&mut nodes, "real_mnesia:begin_transfers()");
    load(&mut nodes);
    lose_all(carrier, &mut cluster, &mut nodes);
    let [a, _, c] = &mut nodes;
    load([a, c]);
    let (a, b) = (nodes[0].atom(), nodes[1].atom());
    nodes[0].await_value(&format!("net_adm:ping({b})"), "pong", Duration::from_secs(40));
    for (node, other) in [(0, &b), (1, &a)] {
        let told = format!("lists:member({{running_partitioned_network,{other}}}, real_mnesia:told())");
        nodes[node].await_value(&told, "true", Duration::from_secs(10));
    }
    let before = committed(&mut nodes[1], "[{no_majority,account}]");
    nodes[1].eval(&format!("real_mnesia:start_from({a})"));
    let counted = nodes[1].eval(&format!("proplists:get_value({b}, element(1, real_mnesia:books()))"));
    let counted: u64 = counted.parse().expect("a number");
    // Whether the others have heard of what it was committing in that moment, it cannot know.
    assert!(
        before.abs_diff(counted) <= UNDERWAY,
        "b committed {before}, of which {counted} count"
    );
    nodes[1].eval("real_mnesia:begin_transfers()");
    load(&mut nodes);
    let mut transfers: BTreeMap<String, u64> = nodes
        .iter_mut()
        .map(|node| (node.atom(), committed(node, "[]")))
        .collect();
    *transfers.entry(b).or_default() += counted;
    assert_books(&mut nodes, &transfers);
    eprintln!("transfers: {transfers:?}; b had committed {before} before, of which {counted} count");
    cluster.assert_healthy();
}
