//! Hidden nodes, nodes that are given their name, remote shells and nodes that are not BEAMs.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use crate::harness::COOKIE;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::NodeSpec;
use crate::harness::Process;

cases! {
    control: c_node;
    bridge: hidden, dynamic_name, remote_shell;
    vm: hidden, dynamic_name, remote_shell;
    mixed: hidden, dynamic_name;
}

fn hidden(carrier: Carrier) {
    let (mut cluster, mut a, mut b) = Cluster::pair(carrier);
    let mut near = cluster.node(&NodeSpec::new("near", 0).args("-hidden"));
    let mut far = cluster.node(&NodeSpec::new("far", 1).args("-hidden"));
    near.connect(&b);
    a.connect(&far);
    assert_eq!(
        a.eval("{nodes(), nodes(hidden)}"),
        format!("{{[{}],[{}]}}", b.atom(), far.atom())
    );
    assert_eq!(
        b.eval("{nodes(), nodes(hidden)}"),
        format!("{{[{}],[{}]}}", a.atom(), near.atom())
    );
    assert_eq!(near.eval("{nodes(), nodes(hidden)}"), format!("{{[],[{}]}}", b.atom()));
    assert_eq!(far.eval("{nodes(), nodes(hidden)}"), format!("{{[],[{}]}}", a.atom()));
    near.eval(&format!("real_connections:chat({})", b.atom()));
    far.eval(&format!("real_connections:chat({})", a.atom()));
    // Two hidden ones with each other.
    near.connect(&far);
    far.eval(&format!("real_basics:terms({})", near.atom()));
    cluster.assert_healthy();
}

/// A node without a name of its own is given one by the first node it connects to.
fn dynamic_name(carrier: Carrier) {
    let mut cluster = Cluster::new(carrier, 2);
    let mut b = cluster.node(&NodeSpec::new("b", 1));
    let mut guest = cluster.node(&NodeSpec::new("undefined", 0));
    guest.await_known(&b);
    assert_eq!(guest.eval("node()"), "nonode@nohost");
    assert_eq!(guest.eval(&format!("net_kernel:connect_node({})", b.atom())), "true");
    let given = guest.eval("node()");
    assert!(given.ends_with("@127.0.0.1'"), "b gave the name {given}");
    b.await_value("nodes(connected)", &format!("[{given}]"), Duration::from_secs(5));
    guest.eval(&format!("real_basics:terms({})", b.atom()));
    b.eval(&format!("real_connections:chat({given})"));
    b.eval(&format!("real_basics:sizes({given})"));
    // A second guest is given another name.
    let mut second = cluster.node(&NodeSpec::new("undefined", 0));
    second.await_known(&b);
    second.eval(&format!("net_kernel:connect_node({})", b.atom()));
    let other = second.eval("node()");
    assert_ne!(given, other);
    second.eval(&format!("real_connections:chat({})", b.atom()));
    guest.eval(&format!("real_connections:chat({})", b.atom()));
    cluster.assert_healthy();
}

fn remote_shell(carrier: Carrier) {
    let mut cluster = Cluster::new(carrier, 2);
    let mut b = cluster.node(&NodeSpec::new("b", 1));
    let mut probe = cluster.node(&NodeSpec::new("probe", 0));
    probe.await_known(&b);
    // As `bin/app remote` of a release starts it, with the file of the node.
    let carried = match carrier {
        Carrier::Vm => format!(
            "-proto_dist beamway -pa {} -beamway_config {}",
            Cluster::modules(0).display(),
            cluster.file_of(&NodeSpec::new("b", 1)).display()
        ),
        _ => String::new(),
    };
    let shell = format!(
        "exec erl -name undefined@127.0.0.1 -start_epmd false -setcookie {COOKIE} {carried} -remsh {}",
        b.full_name()
    );
    // `script` gives it the terminal that a shell wants.
    let mut command = cluster.command(0, "script");
    command
        .args(["-q", "-e", "-c", &shell, "/dev/null"])
        .env("TERM", "vt100");
    let mut shell = Process::spawn("remote shell", &mut command);
    shell.await_log("Eshell", Duration::from_secs(20));
    b.until("nodes(connected) =/= []", Duration::from_secs(10));
    // The sum is not in what was typed, so it can only be the answer.
    shell.type_line("{shell_of, node(), 1000000 + 234567}.");
    shell.await_log("{shell_of,'b@127.0.0.1',1234567}", Duration::from_secs(10));
    shell.type_line("lists:foldl(fun(X, Y) -> X + Y end, 0, lists:seq(1, 1001)).");
    shell.await_log("501501", Duration::from_secs(10));
    assert!(
        !b.eval("nodes(connected)").contains("undefined"),
        "the shell kept the name undefined"
    );
    shell.kill();
    b.await_value("nodes(connected)", "[]", Duration::from_secs(10));
    b.assert_alive();
    cluster.assert_healthy();
}

/// `erl_call` is a node written in C: hidden, without fragments, gone after one call.
fn c_node(carrier: Carrier) {
    let (mut cluster, mut a, b) = Cluster::pair(carrier);
    let call = |what: &[&str]| erl_call(&cluster, b.full_name(), what, "");
    assert_eq!(call(&["-a", "erlang node []"]), b.atom());
    let hidden = call(&["-r", "-a", "erlang nodes [hidden]"]);
    assert!(hidden.contains('@'), "b does not see the C node: {hidden}");
    // A result that a BEAM would receive in fragments.
    let long = call(&["-a", "lists duplicate [300000, 7]"]);
    assert_eq!(long.matches('7').count(), 300_000, "{} bytes", long.len());
    let evaluated = erl_call(
        &cluster,
        b.full_name(),
        &["-e"],
        "X = lists:sum(lists:seq(1, 1000)), {X, node()}.\n",
    );
    assert_eq!(evaluated, format!("{{ok, {{500500, {}}}}}", b.atom()));
    // A request longer than a fragment.
    let long = format!("X = length(\"{}\"), X.\n", "x".repeat(150_000));
    assert_eq!(erl_call(&cluster, b.full_name(), &["-e"], &long), "{ok, 150000}");
    for _ in 0..10 {
        assert_eq!(call(&["-r", "-a", "erlang node []"]), b.atom());
    }
    a.eval(&format!("real_connections:chat({})", b.atom()));
    cluster.assert_healthy();
}

fn erl_call(cluster: &Cluster, node: &str, what: &[&str], input: &str) -> String {
    let mut child = cluster
        .command(0, "erl_call")
        .args(["-c", COOKIE, "-timeout", "15", "-name", node])
        .args(what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run erl_call: {error}; install it with: apt install erlang-base"));
    let mut stdin = child.stdin.take().expect("a captured stdin");
    // One that does not want it has closed it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("an erl_call that ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "erl_call {what:?} ended with {}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}
