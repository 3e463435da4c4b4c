//! `beamway call`, `send` and `ping` towards real nodes: through a peer's gateway, on this host, beside a daemon that runs
//! under the same name and certificate, and without one.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::Duration;
use std::time::Instant;

use crate::basics::each_way;
use crate::harness::BEAMWAY;
use crate::harness::COOKIE;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::harness::NodeSpec;
use crate::harness::Site;

/// Runs a one-shot command with the configuration of a site, in a home without a cookie.
fn run(folder: &Path, site: &str, words: &[&str]) -> Output {
    run_at(&folder.join("nobody"), folder, site, words)
}

fn run_at(home: &Path, folder: &Path, site: &str, words: &[&str]) -> Output {
    let config = folder.join(format!("{site}.toml"));
    std::process::Command::new(BEAMWAY)
        .args([words[0], "--config"])
        .arg(config)
        .args(&words[1..])
        .env("HOME", home)
        .env_remove("RUST_LOG")
        .output()
        .expect("beamway runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What it prints, when it must succeed.
fn done(folder: &Path, site: &str, words: &[&str]) -> String {
    let words: Vec<&str> = [&[words[0], "--cookie", COOKIE], &words[1..]].concat();
    let output = run(folder, site, &words);
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{words:?}: {said}{complained}");
    assert_eq!(complained, "", "{words:?}");
    said.trim_end().to_owned()
}

/// What it complains of, when it must fail with status 1 and print nothing.
fn failed(folder: &Path, site: &str, words: &[&str]) -> String {
    let words: Vec<&str> = [&[words[0], "--cookie", COOKIE], &words[1..]].concat();
    complaint(&run(folder, site, &words))
}

fn complaint(output: &Output) -> String {
    let complained = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complained}");
    assert_eq!(text(&output.stdout), "", "{complained}");
    complained
}

/// Both nodes watch, and calls between them go on, while one-shot commands come and go.
fn watched() -> (Cluster, Node, Node) {
    let (cluster, mut a, mut b) = Cluster::pair(Carrier::Bridge);
    each_way(&mut a, &mut b, |node, _| {
        node.eval("real:watch()");
    });
    (cluster, a, b)
}

/// No node and no session noticed anything.
fn assert_undisturbed(mut cluster: Cluster, mut a: Node, mut b: Node) {
    each_way(&mut a, &mut b, |node, other| {
        let seen = node.eval(&format!("real:watched({other})"));
        assert_eq!(seen, "[]", "{} noticed a one-shot command", node.full_name());
    });
    for site in [0, 1] {
        let log = cluster.gateway(site).process().log();
        let is_harm = |line: &&String| line.contains("peer=left ") && line.contains("a session has ended");
        let harm = log.iter().find(is_harm);
        assert!(harm.is_none(), "gateway {site}: {harm:?}");
    }
    cluster.assert_healthy();
}

#[test]
fn calls() {
    let (cluster, a, b) = watched();
    // Through the peer, and on this host, with the configuration of a daemon that runs.
    for node in [&a, &b] {
        let name = node.full_name();
        let call = |words: &[&str]| done(cluster.folder(), "left", &[&["call", name], words].concat());
        assert_eq!(call(&["erlang", "node", "[]"]), node.atom());
        assert_eq!(call(&["erlang", "node"]), node.atom());
        assert_eq!(call(&["lists", "sum", "[[1,2,39]]"]), "42");
        assert_eq!(
            call(&["erlang", "list_to_tuple", "[[#{a => <<\"b\">>}, 'C d', \"text\", 1.5]]"]),
            "{#{a => <<\"b\">>},'C d',\"text\",1.5}"
        );
        let long = call(&["binary", "copy", "[<<\"x\">>, 300000]"]);
        assert_eq!(long.len(), 300_000 + "<<\"\">>".len());
    }
    assert_undisturbed(cluster, a, b);
}

/// On standard error, as standard output is for the result.
#[test]
fn what_a_function_prints_appears() {
    let (cluster, a, b) = watched();
    for node in [&a, &b] {
        let call = |words: &[&str]| {
            let words = [&["call", "--cookie", COOKIE, node.full_name()], words].concat();
            let output = run(cluster.folder(), "left", &words);
            assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
            (text(&output.stdout), text(&output.stderr))
        };
        let printed = |result: &str, printed: &str| (format!("{result}\n"), printed.to_owned());
        for (words, expected) in [
            (
                ["io", "format", r#"["~p of ~ts~n", [{a, 1}, "\x{fc}\x{1F600}"]]"#],
                printed("ok", "{a,1} of \u{fc}\u{1f600}\n"),
            ),
            (
                ["io", "put_chars", r#"[<<"no end of line">>]"#],
                printed("ok", "no end of line"),
            ),
            (["io", "get_line", r#"["? "]"#], printed("eof", "")),
            (["io", "getopts", "[]"], printed("{error,request}", "")),
        ] {
            assert_eq!(call(&words), expected, "{words:?}");
        }
        let many = call(&["lists", "foreach", "[fun io:write/1, [1, {2}, []]]"]);
        assert_eq!(many, printed("ok", "1{2}[]"));
    }
    assert_undisturbed(cluster, a, b);
}

#[test]
fn what_cannot_be_called() {
    let (cluster, a, b) = watched();
    for node in [&a, &b] {
        let name = node.full_name();
        let call = |words: &[&str]| failed(cluster.folder(), "left", &[&["call", name], words].concat());
        let undefined = call(&["no_such", "function", "[1]"]);
        assert!(
            undefined.contains("error: undef") && undefined.contains("no_such"),
            "{undefined}"
        );
        let error = call(&["erlang", "error", "[{my, reason}]"]);
        assert!(error.contains("error: {my,reason}"), "{error}");
        let thrown = call(&["erlang", "throw", "[ball]"]);
        assert!(thrown.contains("throw: ball"), "{thrown}");
        let exited = call(&["erlang", "exit", "[gone]"]);
        assert!(exited.contains("exit: gone"), "{exited}");
        assert!(call(&["erlang", "node", "{}"]).contains("not a list"));
        assert!(call(&["erlang", "node", "[X]"]).contains("column 2"));
        let late = call(&["timer", "sleep", "[60000]", "--timeout", "2"]);
        assert!(late.contains("timeout"), "{late}");
        let cookie = complaint(&run(
            cluster.folder(),
            "left",
            &["call", "--cookie", "other", name, "erlang", "node"],
        ));
        assert!(cookie.contains("another cookie?"), "{cookie}");
        let none = complaint(&run(cluster.folder(), "left", &["call", name, "erlang", "node"]));
        assert!(none.contains("--cookie"), "{none}");
    }
    let nobody = failed(
        cluster.folder(),
        "left",
        &["call", "x@nowhere", "erlang", "node", "--timeout", "1"],
    );
    assert!(
        nobody.contains("x@nowhere") && nobody.contains(b.full_name()),
        "{nobody}"
    );
    assert!(failed(cluster.folder(), "left", &["call", "x", "erlang", "node"]).contains("name@host"));
    assert_undisturbed(cluster, a, b);
}

#[test]
fn messages() {
    let (cluster, mut a, mut b) = watched();
    for node in [&mut a, &mut b] {
        node.eval("real_basics:collect(oneshot)");
        let name = node.full_name().to_owned();
        for number in 1..=3 {
            let message = format!("{{hello, {number}}}");
            assert_eq!(
                done(cluster.folder(), "left", &["send", &name, "oneshot", &message]),
                ""
            );
        }
        // It was there when the command ended.
        assert_eq!(
            node.eval("real_basics:collected(oneshot)"),
            "[{hello,1},{hello,2},{hello,3}]"
        );
        let nobody = failed(cluster.folder(), "left", &["send", &name, "no_such", "x"]);
        assert!(nobody.contains("no_such"), "{nobody}");
    }
    assert_undisturbed(cluster, a, b);
}

#[test]
fn pings() {
    let (mut cluster, a, b) = watched();
    let said = done(cluster.folder(), "left", &["ping", b.full_name()]);
    assert!(said.starts_with(&format!("pong: {} answers", b.full_name())), "{said}");
    assert!(
        said.contains("daemon right: joined in ") && said.contains("10 calls"),
        "{said}"
    );
    let json = done(
        cluster.folder(),
        "left",
        &["ping", b.full_name(), "--json", "--count", "3"],
    );
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["daemon"]["name"], "right");
    assert!(
        json["daemon"]["round_trip_us"].as_u64().is_some_and(|us| us > 0),
        "{json}"
    );
    assert_eq!(json["node"]["round_trips_us"].as_array().map(Vec::len), Some(3));
    let near = done(cluster.folder(), "left", &["ping", a.full_name()]);
    assert!(near.contains("this host"), "{near}");
    // Many at once, which share the name and the certificate of a daemon that runs.
    let (folder, name) = (cluster.folder(), b.full_name());
    std::thread::scope(|scope| {
        let pings: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| done(folder, "left", &["ping", name])))
            .collect();
        pings.into_iter().for_each(|ping| drop(ping.join().expect("a ping")));
    });
    // The peer forgets them.
    let log = cluster.gateway(1).process().log();
    let count = |what: &str| {
        log.iter()
            .filter(|line| line.contains("peer=left/") && line.contains(what))
            .count()
    };
    assert_eq!(count("a session has ended"), 10, "{log:#?}");
    assert_undisturbed(cluster, a, b);
}

/// As nodes of that person find it.
#[test]
fn the_cookie_is_that_of_the_home_folder() {
    let (cluster, a, b) = watched();
    let home = cluster.folder().join("somebody");
    std::fs::create_dir(&home).expect("a folder");
    for (cookie, is_right) in [(format!("{COOKIE}\n"), true), ("another".to_owned(), false)] {
        let file = home.join(".erlang.cookie");
        std::fs::write(&file, cookie).expect("a file");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("our own file");
        for node in [&a, &b] {
            let words = ["call", node.full_name(), "erlang", "node"];
            let output = run_at(&home, cluster.folder(), "left", &words);
            if is_right {
                assert_eq!(
                    text(&output.stdout),
                    format!("{}\n", node.atom()),
                    "{}",
                    text(&output.stderr)
                );
            } else {
                assert!(complaint(&output).contains("another cookie?"));
            }
        }
    }
    assert_undisturbed(cluster, a, b);
}

/// The daemon of the configuration is not there, nor is anything that it would listen on.
#[test]
fn without_a_daemon_of_our_own() {
    let sites = ["left", "right"].map(Site::loopback);
    let mut cluster = Cluster::of(Carrier::Bridge, sites.to_vec());
    let b = cluster.node(&NodeSpec::new("b", 1));
    cluster.gateway(0).terminate();
    assert_eq!(
        done(cluster.folder(), "left", &["call", b.full_name(), "erlang", "node"]),
        b.atom()
    );
    // Every peer is there and has told of its nodes: it need not be waited for.
    let began = Instant::now();
    let unknown = failed(cluster.folder(), "left", &["ping", "nobody@127.0.0.9"]);
    assert!(
        unknown.contains(&format!("known nodes: {};", b.full_name())),
        "{unknown}"
    );
    assert!(unknown.contains("unreachable peers: none"), "{unknown}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    cluster.gateway(1).terminate();
    let alone = failed(cluster.folder(), "left", &["ping", b.full_name(), "--timeout", "2"]);
    assert!(alone.contains("unreachable peers: right at "), "{alone}");
    cluster.gateway(0).run();
    cluster.gateway(1).run();
    cluster.assert_healthy();
}
