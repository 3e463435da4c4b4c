//! docs/MIGRATING.md: from TLS distribution into the VM and back, while the other node is still at the step before.

use super::page::Block;
use super::walk::Machine;
use super::walk::Machines;
use super::walk::PATIENCE;
use super::walk::Walk;
use super::walk::await_shell;
use super::walks::build_for_vms;
use super::walks::one;
use crate::harness::Process;

const PAGE: &str = "docs/MIGRATING.md";

/// A node, and what it tells in turn.
struct Node {
    host: usize,
    process: Process,
    asked: u32,
}

struct Cluster {
    machines: Machines,
    /// The command of each step.
    steps: Vec<Block>,
    /// The expression that lists the nodes which are connected over beamway.
    carried: String,
}

impl Cluster {
    /// Starts the node of a host at a step.
    fn start(&mut self, host: usize, step: usize) -> Node {
        let mut command = self.steps[step].clone();
        if host == 1 {
            command.text = command.text.replace("a@host1.example", "b@host2.example");
        }
        let mut process = one(self.machines.all[host].type_block(&command));
        await_shell(&mut process);
        Node {
            host,
            process,
            asked: 0,
        }
    }

    fn restart(&mut self, node: &mut Node, step: usize) {
        node.process.kill();
        *node = self.start(node.host, step);
    }

    /// The nodes are connected, over beamway or not; `None` if that depends on who was first.
    fn assert_connects(&self, node: &mut Node, over_beamway: Option<bool>) {
        let other = ["b@host2.example", "a@host1.example"][node.host];
        node.asked += 1;
        // The nodes of the first step have no module `beamway`.
        let (number, asked) = (node.asked, format!("try {} catch error:undef -> [] end", self.carried));
        node.process.type_line(&format!(
            "io:format(\"answer ~p ~p ~p~n\", [{number}, net_adm:ping('{other}'), {asked}])."
        ));
        let told = node.process.await_log(&format!("answer {number} "), PATIENCE);
        let (_, told) = told
            .split_once(&format!("answer {number} "))
            .expect("what it begins with");
        let is_over_beamway = told == format!("pong [<<\"{other}\">>]");
        assert!(is_over_beamway || told == "pong []", "{told}");
        assert!(
            over_beamway.is_none_or(|expected| expected == is_over_beamway),
            "{told}, not {over_beamway:?}"
        );
    }
}

fn of_the_other_host(block: &Block) -> Block {
    let mut other = block.clone();
    other.text = block.text.replace("host1.example", "host2.example");
    other
}

fn save_on_both(machines: &[Machine], file: &str, block: &Block) {
    machines[0].save(file, block);
    machines[1].save(file, &of_the_other_host(block));
}

#[test]
fn one_node_at_a_time_and_back() {
    let mut walk = Walk::of("migrating");
    let Some(mut machines) = Machines::boot() else { return };
    machines.all[0].type_block(&walk.take(PAGE, "beamway certs init"));
    build_for_vms(&machines.all[0], "erlang/build");
    machines.all[1].run(&format!(
        "rm erlang; cp -r {0}/certs {0}/erlang .",
        machines.all[0].folder.display()
    ));
    save_on_both(&machines.all, "ssl_dist.conf", &walk.take(PAGE, "%% ssl_dist.conf"));
    let file = walk.take(PAGE, "# node.toml");
    save_on_both(&machines.all, "node.toml", &file);
    let erl = "erl -name a@host1.example -setcookie secret -proto_dist";
    let carriers = [
        "inet_tls -ssl",
        "beamway inet_tls",
        "inet_tls beamway",
        "beamway -start",
    ];
    let steps = carriers.map(|carriers| walk.take(PAGE, &format!("{erl} {carriers}")));
    let select = walk.take(PAGE, "[select]");
    let carried = walk.take(PAGE, "[Node || #{node").text;
    let _port_mappers = [0, 1].map(|host| machines.all[host].open("epmd"));
    let mut cluster = Cluster {
        machines,
        steps: steps.into(),
        carried: carried.trim().trim_end_matches('.').to_owned(),
    };
    let mut a = cluster.start(0, 0);
    let mut b = cluster.start(1, 0);
    let mut before = 0;
    for step in [1, 2, 3, 2, 1, 0] {
        // While one node is a step ahead, either may connect first, each in its way.
        let is_clear = (before >= 2) == (step >= 2);
        cluster.restart(&mut a, step);
        cluster.assert_connects(&mut a, is_clear.then_some(step >= 2));
        cluster.restart(&mut b, step);
        cluster.assert_connects(&mut b, Some(step >= 2));
        before = step;
    }
    // Only some nodes over beamway. The other node knows of none that it would connect to by itself.
    for (nodes, over_beamway) in [("*@host2.example", true), ("*@host3.example", false)] {
        let mut selecting = file.clone();
        selecting.text.push('\n');
        selecting.text.push_str(&select.text.replace("*@host2.example", nodes));
        cluster.machines.all[0].save("node.toml", &selecting);
        a.process.kill();
        cluster.restart(&mut b, 2);
        a = cluster.start(0, 2);
        cluster.assert_connects(&mut a, Some(over_beamway));
    }
    walk.end();
}
