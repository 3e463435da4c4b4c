//! The first promise: signals from one process to another arrive in the order sent, however the receiver is addressed.

use std::time::Duration;

use crate::basics::each_way;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;

cases! {
    control: replies_and_ends;
    bridge: addressed_in_every_form, last_words, storms, cut_senders;
    vm: replies_and_ends, addressed_in_every_form, last_words, storms, cut_senders;
    mixed: cut_senders;
}

const TIME: Duration = Duration::from_secs(60);

/// What nodes do to each other in turn, and how often.
pub(crate) type Cases = [(&'static str, u32)];

/// Servers that stop as they reply, and processes that end as they are spawned.
const REPLIES_AND_ENDS: &Cases = &[("stop_calls", 3200), ("short_lived", 4800)];

/// By pid, by name, by alias, and by names that move.
pub(crate) const ADDRESSED: &Cases = &[("addressed", 48_000)];

const LAST_WORDS: &Cases = &[("last_words", 2400), ("parting_words", 2400)];

fn both(carrier: Carrier, cases: &Cases) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    both_keep(&mut a, &mut b, cases);
    cluster.assert_healthy();
}

pub(crate) fn both_keep(a: &mut Node, b: &mut Node, cases: &Cases) {
    each_way(a, b, |node, other| {
        node.eval("real:watch()");
        for (case, count) in cases {
            node.eval_within(&format!("real_order:{case}({other}, {count})"), TIME);
        }
        let seen = node.eval(&format!("real:watched({other})"));
        assert_eq!(seen, "[]", "{} lost its connection meanwhile", node.full_name());
    });
}

/// Every case of this file, one after the other.
pub(crate) fn keep_order(a: &mut Node, b: &mut Node) {
    for cases in [REPLIES_AND_ENDS, ADDRESSED, LAST_WORDS] {
        both_keep(a, b, cases);
    }
    storm(a, b);
    cut_each_other(a, b);
}

fn replies_and_ends(carrier: Carrier) {
    both(carrier, REPLIES_AND_ENDS);
}

fn addressed_in_every_form(carrier: Carrier) {
    both(carrier, ADDRESSED);
}

fn last_words(carrier: Carrier) {
    both(carrier, LAST_WORDS);
}

fn storms(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    storm(&mut a, &mut b);
    cluster.assert_healthy();
}

fn storm(a: &mut Node, b: &mut Node) {
    each_way(a, b, |node, other| {
        for mode in ["apart", "crossing", "apart"] {
            node.eval_within(&format!("real_storm:run({other}, {mode}, 12, 1500)"), TIME);
        }
    });
}

fn cut_senders(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    cut_each_other(&mut a, &mut b);
    cluster.assert_healthy();
}

/// Both nodes at once, so that fragments of both directions are under way.
fn cut_each_other(a: &mut Node, b: &mut Node) {
    each_way(a, b, |node, other| {
        node.eval("real:watch()");
        node.begin(&format!("real_order:cut_senders({other}, 12)"));
    });
    for node in [&mut *a, &mut *b] {
        node.finish("large messages of killed senders", TIME)
            .unwrap_or_else(|error| panic!("{error}"));
    }
    each_way(a, b, |node, other| {
        let seen = node.eval(&format!("real:watched({other})"));
        assert_eq!(seen, "[]", "{} lost its connection by a cut message", node.full_name());
    });
}
