//! Elixir's own building blocks between two Elixir nodes.

use std::time::Duration;

use crate::basics::both_ways;
use crate::basics::each_way;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::NodeSpec;
use crate::harness::is_mixed;

cases! {
    control: ;
    bridge: tasks_servers_and_nodes;
    vm: tasks_servers_and_nodes;
}

fn tasks_servers_and_nodes(carrier: Carrier) {
    let mut cluster = Cluster::new(carrier, 2);
    between_elixirs(&cluster, ["a", "b"]);
    cluster.assert_healthy();
}

/// Two Elixir nodes of these names; the second one dies at the end.
pub(crate) fn between_elixirs(cluster: &Cluster, names: [&str; 2]) {
    if is_mixed() {
        eprintln!(
            "SKIPPED: nodes of two releases, each of which compiles the cases: the funs of one are unknown to the other"
        );
        return;
    }
    let mut a = cluster.node(&NodeSpec::new(names[0], 0).elixir("real_elixir.exs"));
    let mut b = cluster.node(&NodeSpec::new(names[1], 1).elixir("real_elixir.exs"));
    // The console listens before Elixir has compiled the file.
    for node in [&mut a, &mut b] {
        node.await_value(
            "erlang:function_exported('Elixir.RealElixir', prepare, 0)",
            "true",
            Duration::from_secs(30),
        );
    }
    a.connect(&b);
    each_way(&mut a, &mut b, |node, _| {
        node.eval("'Elixir.RealElixir':prepare()");
    });
    for case in ["nodes", "tasks", "servers"] {
        both_ways(
            &mut a,
            &mut b,
            &format!("'Elixir.RealElixir':{case}"),
            Duration::from_secs(60),
        );
    }
    a.begin(&format!("'Elixir.RealElixir':watch({})", b.atom()));
    a.await_log(&format!("watching {}", b.full_name()), Duration::from_secs(10));
    b.kill();
    a.finish("the end of b", Duration::from_secs(40))
        .unwrap_or_else(|error| panic!("{error}"));
}
