//! Who runs which block. An entry is a page and the beginning of the block.

const ATTACH: &str = "docs/ATTACH.md";
const APPLICATIONS: &str = "docs/APPLICATIONS.md";
const ERLANG: &str = "erlang/README.md";
const CERTS: &str = "certs/README.md";
const MIGRATING: &str = "docs/MIGRATING.md";
const OPERATING: &str = "docs/OPERATING.md";
const PACKAGING: &str = "docs/PACKAGING.md";
const UPGRADING: &str = "docs/UPGRADING.md";

/// Walks, and the blocks that each of them runs.
pub(super) const LIST: &[(&str, &[(&str, &str)])] = &[
    (
        "two nodes on one machine",
        &[
            (ATTACH, "cargo build --release\n"),
            (ATTACH, "[gateway]\nname   = \"left\""),
            (ATTACH, "[gateway]\nname   = \"right\""),
            (ATTACH, "beamway check --config left.toml"),
            (ATTACH, "ERL_EPMD_PORT=5002 erl"),
            (ATTACH, "net_adm:ping('b@127.0.0.1')"),
            (ATTACH, "ERL_EPMD_PORT=5001 elixir"),
            ("README.md", "beamway ping --config left.toml"),
        ],
    ),
    (
        "two hosts",
        &[
            (ATTACH, "beamway certs init"),
            (ATTACH, "[gateway]\nname   = \"gw1\""),
            (ATTACH, "[gateway]\nname   = \"gw2\""),
            (ATTACH, "beamway check --config /etc"),
            (
                ATTACH,
                "mkdir -p ebin && erlc -o ebin erlang/src/beamway_epmd.erl\nerl -name a@",
            ),
            (
                ATTACH,
                "mkdir -p ebin && erlc -o ebin erlang/src/beamway_epmd.erl\nerl -name b@",
            ),
            (ATTACH, "net_adm:ping('b@host2.example')"),
            (ATTACH, "{ok, _, Node} = peer:start_link"),
            (ATTACH, "127.0.0.1  host2.example"),
            (ATTACH, "erl_call"),
            (ERLANG, "ERL_EPMD_PORT=4369 erl"),
        ],
    ),
    (
        "at boot",
        &[
            (ATTACH, "[Unit]"),
            (ATTACH, "useradd"),
            (ATTACH, "beamway run --config /etc/beamway/gateway.toml >>"),
            (ATTACH, "/var/log/beamway.log {"),
        ],
    ),
    (
        "files",
        &[
            (ATTACH, "# on the host of a\n"),
            (ATTACH, "# on the host of b,"),
            (ATTACH, "[{kernel, [{epmd_module"),
            (APPLICATIONS, "# on one.test"),
            ("docs/CONFIGURATION.md", "[gateway]"),
        ],
    ),
    (
        "certificates",
        &[
            (CERTS, "beamway certs init"),
            (CERTS, "certs/ca.pem "),
            (CERTS, "[gateway]"),
            (CERTS, "beamway certs renew"),
            (CERTS, "beamway certs revoke"),
        ],
    ),
    (
        "operating",
        &[
            (OPERATING, "[admin]"),
            (OPERATING, "beamway status"),
            (OPERATING, "beamway doctor"),
            (OPERATING, "[[discover]]\ndns = "),
            (OPERATING, "[[discover]]\ndns      = "),
            ("docs/CONFIGURATION.md", "[[policy]]"),
            (OPERATING, "beamway check"),
            (OPERATING, "beamway reload"),
            (OPERATING, "beamway certs renew"),
            (OPERATING, "beamway certs revoke"),
            (UPGRADING, "beamway --version"),
        ],
    ),
    (
        "in the VM",
        &[
            (ERLANG, "erlang/build"),
            (ERLANG, "beamway certs init"),
            (ERLANG, "# left.toml"),
            (ERLANG, "# right.toml"),
            (ERLANG, "erl -pa erlang/ebin -proto_dist"),
            (ERLANG, "beamway certs issue --dir certs host1"),
            (ERLANG, "# node.toml"),
            (ERLANG, "erl -name a@host1.example -pa"),
            (ERLANG, "[hosts]"),
            ("README.md", "erl -name a@host1.example"),
        ],
    ),
    (
        "migrating",
        &[
            (MIGRATING, "beamway certs init"),
            (MIGRATING, "%% ssl_dist.conf"),
            (
                MIGRATING,
                "erl -name a@host1.example -setcookie secret -proto_dist inet_tls -ssl",
            ),
            (MIGRATING, "# node.toml"),
            (
                MIGRATING,
                "erl -name a@host1.example -setcookie secret -proto_dist inet_tls beamway",
            ),
            (
                MIGRATING,
                "erl -name a@host1.example -setcookie secret -proto_dist beamway inet_tls",
            ),
            (MIGRATING, "[Node || #{node"),
            (MIGRATING, "[select]"),
            (
                MIGRATING,
                "erl -name a@host1.example -setcookie secret -proto_dist beamway -start",
            ),
        ],
    ),
    ("a program of one's own", &[("docs/NODES.md", "[dependencies]")]),
];

const BY_APPS: &str = "needs packages of Debian (260 MB) with their configuration: `tests/apps` installs and runs them";
const ELIXIR: &str = "needs a release of the reader's own application; `elixir` runs Elixir nodes";
const HOURS: &str = "takes minutes to hours; demo and bench are run in short form by `demo`";
const BY_PACKAGING: &str = "needs a clean Debian and the network: `packaging/debian/try` does it";
const CONGESTION: &str = "takes an hour; `./check` runs each benchmark once";

/// Blocks that no test runs: page, beginning, reason.
pub(super) const NOT_RUN: &[(&str, &str, &str)] = &[
    ("README.md", "cargo run --release -- demo", HOURS),
    (
        "README.md",
        "cargo install",
        "compiles everything once more; the tests run what cargo has built",
    ),
    (
        ATTACH,
        "ufw allow",
        "changes the firewall of the machine, by tools of which each distribution has one",
    ),
    (APPLICATIONS, "mkdir -p /opt/beamway/ebin", BY_APPS),
    (APPLICATIONS, "USE_LONGNAME=true", BY_APPS),
    (APPLICATIONS, "rabbitmqctl stop_app", BY_APPS),
    (APPLICATIONS, "ERLANG_NODE=", BY_APPS),
    (APPLICATIONS, "ejabberdctl join_cluster", BY_APPS),
    (
        APPLICATIONS,
        "mnesia:stop()",
        "`mnesia` does it with a partitioned table, in Erlang",
    ),
    (APPLICATIONS, "{:beamway, path:", ELIXIR),
    (APPLICATIONS, "-epmd_module beamway_epmd", ELIXIR),
    (APPLICATIONS, "export RELEASE_DISTRIBUTION", ELIXIR),
    (APPLICATIONS, "bin/demo rpc", ELIXIR),
    (APPLICATIONS, "tests/apps", BY_APPS),
    ("docs/BENCHMARKS.md", "beamway bench --quick", HOURS),
    ("docs/COMPATIBILITY.md", "./check --otp all", HOURS),
    ("docs/COMPATIBILITY.md", "tests/lines", HOURS),
    (
        "docs/NODES.md",
        "use beamway::carrier::Lanes",
        "compiling it takes minutes; `examples` runs such programs",
    ),
    (
        "docs/OPERATING.md",
        "ssh -L",
        "needs a host with ssh; `monitoring` asks for the page on the socket",
    ),
    (
        "docs/OPERATING.md",
        "beamway top",
        "does not end by itself; `monitoring` runs it on a terminal and in a pipe",
    ),
    (
        OPERATING,
        "cargo build --release --locked\nBEAMWAY_SIZED",
        "takes minutes, and needs a release build; `sizing` of the tests with real nodes does it",
    ),
    (
        PACKAGING,
        "beamway man",
        "writes into folders of the system; `packaging` of the tests without Erlang makes them elsewhere",
    ),
    (PACKAGING, "cargo install cargo-deb", BY_PACKAGING),
    (PACKAGING, "apt install ./beamway", BY_PACKAGING),
    (
        PACKAGING,
        "podman build",
        "needs a container engine; `packaging/container/try` does without",
    ),
    (
        "docs/TESTING.md",
        "beamway linkem",
        "`linkem` does it with namespaces of its own names",
    ),
    (
        "docs/TESTING.md",
        "$ beamway sim",
        "takes hours; `./check` runs 100 seeds",
    ),
    ("docs/notes/congestion-control.md", "chrt", CONGESTION),
    ("docs/notes/congestion-fairness.md", "cargo bench", CONGESTION),
    ("docs/notes/method.md", "beamway bench --between", HOURS),
    ("docs/notes/term-codec.md", "cargo bench", CONGESTION),
    (
        "fuzz/README.md",
        "fuzz/run",
        "needs the nightly compiler and half an hour; `regressions` runs what fuzzing has found",
    ),
];
