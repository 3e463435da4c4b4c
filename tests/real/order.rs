//! The first promise: signals from one process to another arrive in the order sent, however the receiver is addressed.

use std::time::Duration;

use crate::basics::each_way;
use crate::harness::Carrier;
use crate::harness::Cluster;

cases! {
    control: replies_and_ends;
    bridge: addressed_in_every_form, last_words, storms, cut_senders;
}

const TIME: Duration = Duration::from_secs(60);

fn both(carrier: Carrier, cases: &[(&str, u32)]) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    each_way(&mut a, &mut b, |node, other| {
        node.eval("real:watch()");
        for (case, count) in cases {
            node.eval_within(&format!("real_order:{case}({other}, {count})"), TIME);
        }
        let seen = node.eval(&format!("real:watched({other})"));
        assert_eq!(seen, "[]", "{} lost its connection meanwhile", node.full_name());
    });
    cluster.assert_healthy();
}

/// Servers that stop as they reply, and processes that end as they are spawned.
fn replies_and_ends(carrier: Carrier) {
    both(carrier, &[("stop_calls", 3200), ("short_lived", 4800)]);
}

/// By pid, by name, by alias, and by names that move.
fn addressed_in_every_form(carrier: Carrier) {
    both(carrier, &[("addressed", 48_000)]);
}

fn last_words(carrier: Carrier) {
    both(carrier, &[("last_words", 2400), ("parting_words", 2400)]);
}

fn storms(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    each_way(&mut a, &mut b, |node, other| {
        for mode in ["apart", "crossing", "apart"] {
            node.eval_within(&format!("real_storm:run({other}, {mode}, 12, 1500)"), TIME);
        }
    });
    cluster.assert_healthy();
}

/// Both nodes at once, so that fragments of both directions are under way.
fn cut_senders(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    each_way(&mut a, &mut b, |node, other| {
        node.eval("real:watch()");
        node.begin(&format!("real_order:cut_senders({other}, 12)"));
    });
    for node in [&mut a, &mut b] {
        node.finish("large messages of killed senders", TIME)
            .unwrap_or_else(|error| panic!("{error}"));
    }
    each_way(&mut a, &mut b, |node, other| {
        let seen = node.eval(&format!("real:watched({other})"));
        assert_eq!(seen, "[]", "{} lost its connection by a cut message", node.full_name());
    });
    cluster.assert_healthy();
}
