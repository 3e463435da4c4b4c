//! The programs of `examples/`, run as a user runs them: what they answer and what they print.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::BEAMWAY;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::harness::NodeSpec;
use crate::harness::Process;

/// An example is done, or answers, within this.
const PATIENCE: Duration = Duration::from_secs(60);

/// The cookie of the examples.
const COOKIE: &str = "secret";

/// Cargo builds examples with the tests, beside the program; asked for one test alone, it does not.
fn example(name: &str) -> PathBuf {
    let folder = Path::new(BEAMWAY).parent().expect("a folder").join("examples");
    let program = folder.join(name);
    if !program.is_file() {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--locked", "--examples"])
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "the examples cannot be built"
        );
    }
    program
}

fn start(cluster: &Cluster, name: &str, arguments: &[&str]) -> Process {
    let program = example(name);
    let mut command = cluster.command(0, program.to_str().expect("a path in UTF-8"));
    Process::spawn(format!("example {name}"), command.args(arguments))
}

/// A real node that knows the cookie of a native one, once that answers.
fn beam(cluster: &Cluster, native: &str) -> Node {
    let mut beam = cluster.node(&NodeSpec::new("me", 0));
    beam.eval(&format!("erlang:set_cookie('{native}', {COOKIE})"));
    beam.await_value(&format!("net_adm:ping('{native}')"), "pong", PATIENCE);
    beam
}

/// Ctrl-C ends it in order.
fn interrupt(mut example: Process) {
    example.signal(Signal::SIGINT);
    assert!(example.wait(PATIENCE).success());
}

#[test]
fn echo() {
    let cluster = Cluster::new(Carrier::Plain, 1);
    let example = start(&cluster, "echo", &[]);
    let mut beam = beam(&cluster, "echo@127.0.0.1");
    let asked =
        "begin {echo, 'echo@127.0.0.1'} ! {self(), hello}, receive {echo, _} = A -> A after 5000 -> none end end";
    assert_eq!(beam.eval(asked), "{echo,hello}");
    interrupt(example);
    beam.await_value("nodes(hidden)", "[]", PATIENCE);
}

#[test]
fn cache() {
    let cluster = Cluster::new(Carrier::Plain, 1);
    let example = start(&cluster, "cache", &[]);
    let mut beam = beam(&cluster, "cache@127.0.0.1");
    let server = "{cache, 'cache@127.0.0.1'}";
    assert_eq!(
        beam.eval(&format!("gen_server:call({server}, {{get, price}})")),
        "error"
    );
    assert_eq!(
        beam.eval(&format!("gen_server:cast({server}, {{put, price, 12.5}})")),
        "ok"
    );
    assert_eq!(
        beam.eval(&format!("gen_server:call({server}, {{get, price}})")),
        "{ok,12.5}"
    );
    assert_eq!(
        beam.eval("erpc:call('cache@127.0.0.1', cache, hash, [<<\"some text\">>])"),
        "11158630452276271175"
    );
    // Elixir, for which it is; and what one of them puts there the other gets.
    let mut elixir = cluster.node(&NodeSpec::new("elixir", 0).elixir("real_elixir.exs"));
    elixir.await_value(
        "erlang:function_exported('Elixir.RealElixir', cache, 1)",
        "true",
        PATIENCE,
    );
    elixir.eval(&format!("erlang:set_cookie('cache@127.0.0.1', {COOKIE})"));
    assert_eq!(elixir.eval("'Elixir.RealElixir':cache('cache@127.0.0.1')"), "ok");
    assert_eq!(
        beam.eval(&format!("gen_server:call({server}, {{get, #{{sku => <<\"tea\">>}}}})")),
        "{ok,\"list\"}"
    );
    interrupt(example);
}

#[test]
fn work_queue() {
    let cluster = Cluster::new(Carrier::Plain, 1);
    let mut example = start(&cluster, "work_queue", &[]);
    let told = example.await_log("200 jobs done; ", PATIENCE);
    assert!(!told.contains(" 0 workers were lost"), "{told}");
    assert!(example.wait(PATIENCE).success());
}

fn fan_out(arguments: &[&str]) {
    let cluster = Cluster::new(Carrier::Plain, 1);
    let mut example = start(&cluster, "fan_out", arguments);
    example.await_log("10000 processes on 4 nodes", PATIENCE);
    for round in 1..=5 {
        example.await_log(&format!("round {round}: all have answered"), PATIENCE);
    }
    assert!(example.wait(PATIENCE).success());
}

#[test]
fn fan_out_on_one_host() {
    fan_out(&[]);
}

#[test]
fn fan_out_over_lanes() {
    fan_out(&["lanes"]);
}
