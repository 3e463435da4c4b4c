//! Nodes that know the cookie and misbehave after, or in, the handshake.

use std::time::Duration;

use super::Healthy;
use crate::harness::COOKIE;
use crate::harness::NodeSpec;

/// Each must end within the gateway's or the virtual machine's patience.
const PATIENCE: Duration = Duration::from_secs(40);

/// A fake node connects to b through the bridge and completes the handshake; then comes a malformed packet.
#[test]
fn that_connect() {
    let mut healthy = Healthy::new();
    let port = healthy.persona_port();
    let mut tool = healthy.cluster.node(&NodeSpec::new("tool", 0));
    // The fake is right as far as it goes: well-formed packets of its arrive.
    tool.eval(&format!("real_fake:behaves({port}, '{COOKIE}')"));
    healthy.assert_unharmed("a fake that behaves");
    let list = tool.eval("real_fake:malformed()");
    let names: Vec<&str> = list.trim_matches(['[', ']']).split(',').collect();
    assert!(names.len() > 15, "the list of malformed packets is {list}");
    healthy.beside("nodes that connect", |healthy| {
        for name in names {
            tool.eval_within(&format!("real_fake:sends({port}, '{COOKIE}', {name})"), PATIENCE);
            healthy.assert_unharmed(name);
        }
    });
    healthy.beside("messages that are never finished", |_| {
        tool.eval_within(&format!("real_fake:floods({port}, '{COOKIE}')"), PATIENCE)
    });
    let honest = format!("real_fake:honest({})", healthy.b.atom());
    healthy.beside("as many bytes of an honest node", |_| {
        tool.eval_within(&honest, PATIENCE)
    });
    healthy.assert_unharmed("thousands of messages that are never finished");
    healthy.assert_open();
}

/// A fake node registers behind the far gateway; whoever connects to it is told nonsense at each step.
#[test]
fn that_are_connected_to() {
    let mut healthy = Healthy::new();
    let epmd = healthy.cluster.epmd_port(1);
    let mut tool = healthy.cluster.node(&NodeSpec::new("tool", 1));
    healthy.beside("nodes that are connected to", |healthy| {
        for behaviour in [
            "closes",
            "noise",
            "long",
            "status",
            "challenge",
            "another_name",
            "digest",
            "afterwards",
            "silent",
        ] {
            tool.eval(&format!(
                "real_fake:serve({epmd}, \"fake_{behaviour}\", '{COOKIE}', {behaviour})"
            ));
            let fake = format!("'fake_{behaviour}@127.0.0.1'");
            let known = format!("real:known(\"fake_{behaviour}\", \"127.0.0.1\")");
            healthy.a.await_value(&known, "true", Duration::from_secs(10));
            // Only the one that misbehaves after the handshake is ever connected.
            let answer = healthy.a.eval(&format!("net_kernel:connect_node({fake})"));
            if behaviour == "afterwards" {
                healthy
                    .a
                    .await_value(&format!("lists:member({fake}, nodes(connected))"), "false", PATIENCE);
            } else {
                assert_eq!(answer, "false", "a connected to a fake that {behaviour}");
            }
            healthy.assert_unharmed(behaviour);
            tool.eval(&format!("real_fake:stop(\"fake_{behaviour}\")"));
        }
    });
    healthy.assert_open();
}
