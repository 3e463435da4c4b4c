//! One process of a node floods another node: it waits, and nobody else does (`erl -proto_dist beamway` only).

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::lossy::Far;
use crate::netns::pair_of;

const TIME: Duration = Duration::from_secs(120);

/// 100 Mbit/s and 20 ms there and back.
const LINE: &str = "delay=10ms rate=100Mbit buffer=250kB";

/// Calls of one process beside a process that floods, as `real_senders:beside/3` tells it.
#[derive(Debug)]
struct Beside {
    /// The 99th percentile of the calls in microseconds, alone and beside the flood.
    alone: u64,
    beside: u64,
    /// For how many signals of the caller the queue of the VM was full. A call has three.
    signals_held: u64,
    /// Of so many looks at both processes, how many found the caller suspended, and the other one.
    looks: u64,
    caller_suspended: u64,
    flooder_suspended: u64,
    /// As `beamway:info/0` counts.
    suspensions: u64,
}

fn beside(far: &mut Far, alone: u32, beside: u32) -> Beside {
    let call = format!("real_senders:beside({}, {alone}, {beside})", far.b.atom());
    let told = far.a.eval_within(&call, TIME);
    let numbers: Vec<u64> = told
        .trim_matches(['[', ']'])
        .split(',')
        .map(|number| number.trim().parse().expect("a number"))
        .collect();
    let [
        alone,
        beside,
        signals_held,
        looks,
        caller_suspended,
        flooder_suspended,
        suspensions,
    ] = <[u64; 7]>::try_from(numbers).unwrap_or_else(|_| panic!("{told}"));
    Beside {
        alone,
        beside,
        signals_held,
        looks,
        caller_suspended,
        flooder_suspended,
        suspensions,
    }
}

#[test]
fn over_a_slow_line() {
    let Some(mut far) = Far::lay(Carrier::Vm, LINE, 1, 1) else {
        return;
    };
    let before = far.a.resident();
    let seen = beside(&mut far, 100, 400);
    let grown = far.a.resident().saturating_sub(before);
    eprintln!("{seen:?}, {} MB more", grown / 1_000_000);
    assert!(seen.beside <= 2 * seen.alone + 10_000, "{seen:?}");
    assert!(seen.suspensions > 0, "{seen:?}");
    assert!(
        2 * seen.flooder_suspended > seen.looks,
        "it waits most of the time: {seen:?}"
    );
    // While it is let go, the queue of the VM may be full for an instant, and on a busy machine for longer.
    assert!(20 * seen.caller_suspended <= seen.looks, "{seen:?}");
    assert!(seen.signals_held <= 3 * 400 / 10, "{seen:?}");
    assert!(grown < 128 << 20, "{grown} bytes");
    assert_eq!(far.a.eval("real_senders:suspended()"), "[]");
    far.cluster.assert_healthy();
}

/// The control: there everybody waits.
#[test]
fn over_a_slow_line_with_plain_distribution() {
    let Some(mut far) = Far::lay(Carrier::Plain, LINE, 1, 1) else {
        return;
    };
    let seen = beside(&mut far, 50, 20);
    eprintln!("{seen:?}");
    assert!(seen.beside > 4 * seen.alone + 10_000, "{seen:?}");
    assert!(4 * seen.caller_suspended > seen.looks, "{seen:?}");
    assert!(seen.signals_held > 3 * 20 / 2, "{seen:?}");
}

#[test]
fn to_a_node_that_is_stopped_for_a_while() {
    let (mut cluster, mut a, b) = Cluster::pair(Carrier::Vm);
    a.eval("real:watch()");
    a.begin(&format!("real_senders:through_a_stop({}, 5000)", b.atom()));
    std::thread::sleep(Duration::from_secs(1));
    b.signal(Signal::SIGSTOP);
    std::thread::sleep(Duration::from_secs(2));
    let resident = a.resident();
    b.signal(Signal::SIGCONT);
    // So many signals of the caller met a full queue of the VM, and so often a process was suspended.
    let told = a.finish("calls", TIME).unwrap_or_else(|error| panic!("{error}"));
    let (signals_held, suspensions) = pair_of(&told);
    eprintln!(
        "{signals_held} signals held, {suspensions} suspensions, {} MiB",
        resident >> 20
    );
    assert!(suspensions > 0, "{told}");
    assert!(resident < 256 << 20, "{} MiB", resident >> 20);
    assert_eq!(a.eval(&format!("real:watched({})", b.atom())), "[]");
    assert_eq!(a.eval("real_senders:suspended()"), "[]");
    cluster.assert_healthy();
}

/// However a connection ends, or the process that floods it, nobody stays suspended.
#[test]
fn nobody_stays_suspended() {
    for how in ["kill_sender", "kill_controller", "disconnect", "end_peer"] {
        let (_cluster, mut a, b) = Cluster::pair(Carrier::Vm);
        a.eval(&format!("real_senders:flood({})", b.atom()));
        b.signal(Signal::SIGSTOP);
        a.await_value("real_senders:is_suspended()", "true", Duration::from_secs(10));
        match how {
            "end_peer" => b.kill(),
            _ => {
                a.eval(&format!("real_senders:{how}({})", b.atom()));
            }
        }
        a.await_value("real_senders:suspended()", "[]", Duration::from_secs(10));
        eprintln!("{how}");
    }
}

/// Processes that are never suspended: those that send with `nosuspend`, those that send asynchronously (OTP 25.3 and later), and those of
/// kernel.
#[test]
fn some_are_never_suspended() {
    let (mut cluster, mut a, mut b) = Cluster::pair(Carrier::Vm);
    a.eval(&format!("real_senders:prepare({})", b.atom()));
    b.signal(Signal::SIGSTOP);
    // It goes on until there is no room left at all.
    let told = a.eval_within("real_senders:send_without_suspending()", TIME);
    assert_eq!(told, "full");
    b.signal(Signal::SIGCONT);
    b.await_value("1 + 1", "2", Duration::from_secs(10));
    assert_eq!(a.eval("real_senders:suspensions()"), "0");
    send_asynchronously(&mut a, &mut b);
    a.eval(&format!("real_senders:flood_as_kernel({})", b.atom()));
    b.signal(Signal::SIGSTOP);
    // The VM does, when it has no room.
    a.await_value("real_senders:is_held()", "true", Duration::from_secs(10));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(a.eval("real_senders:suspensions()"), "0");
    b.signal(Signal::SIGCONT);
    a.eval(&format!("real_senders:kill_sender({})", b.atom()));
    cluster.assert_healthy();
}

/// A process of `a` that sends asynchronously goes on while `b` is stopped.
pub(crate) fn send_asynchronously(a: &mut Node, b: &mut Node) {
    let before = a.eval("real_senders:suspensions()");
    a.eval(&format!("real_senders:prepare({})", b.atom()));
    b.signal(Signal::SIGSTOP);
    // 30 MB, much more than there is room for.
    let told = a.eval_within("real_senders:send_asynchronously(300)", TIME);
    b.signal(Signal::SIGCONT);
    if told == "too_old" {
        eprintln!("SKIPPED: OTP 25 before 25.3 has no processes that send asynchronously");
    }
    assert_eq!(a.eval("real_senders:suspensions()"), before);
    b.await_value("1 + 1", "2", Duration::from_secs(10));
}
