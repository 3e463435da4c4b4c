use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::children::Children;
use super::workspace::Workspace;

/// The Erlang side of the demo; compiled in the workspace at run time.
pub const MODULE: &str = include_str!("beamway_demo.erl");

/// How to get Erlang, in one line.
pub const HOW_TO_INSTALL: &str = "install it (Debian, Ubuntu: `apt install erlang-base erlang-ssl`; \
     macOS: `brew install erlang`; Fedora: `dnf install erlang`)";

/// What an answer of a node starts with; every other line is the runtime's own.
const ANSWER_PREFIX: &str = "beamway_demo ";

/// Starting a virtual machine takes half a second; on a busy machine, several times that.
const START_MAX: Duration = Duration::from_secs(30);

/// Longer than any measurement, and than the waits inside the Erlang module: so its own reason is heard first.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Answers that may wait to be read. A node gives one per command.
const ANSWERS_MAX: usize = 16;

/// The Erlang of this machine.
#[derive(Clone, Debug, Deserialize)]
pub struct Erlang {
    /// Its release, as `25`.
    pub otp: String,
    /// Whether the applications that distribution over TLS needs are there.
    pub tls: bool,
    /// Where the compiled module is.
    #[serde(skip)]
    folder: PathBuf,
}

/// Whether the programs of Erlang are in the path.
#[must_use]
pub fn installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    ["erl", "erlc", "epmd"]
        .iter()
        .all(|program| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

impl Erlang {
    /// Compiles the module into the workspace and asks the runtime what it has.
    ///
    /// # Errors
    ///
    /// When this Erlang cannot compile the module (older than OTP 25).
    pub async fn prepare(workspace: &Workspace) -> anyhow::Result<Self> {
        Self::prepare_module(workspace, "ebin", MODULE).await
    }

    /// As [`Erlang::prepare`], with another source of the module in a folder of its own: a test has a node that cheats.
    ///
    /// # Errors
    ///
    /// As [`Erlang::prepare`].
    pub async fn prepare_module(workspace: &Workspace, folder: &str, source: &str) -> anyhow::Result<Self> {
        let folder = workspace.folder(folder)?;
        let source = workspace.write(folder.join("beamway_demo.erl"), source)?;
        let mut compile = clean("erlc", workspace);
        compile.arg("-o").arg(&folder).arg(source);
        output(&mut compile, "erlc").await?;
        let mut ask = clean("erl", workspace);
        ask.args(["-noinput", "-boot", "start_clean", "-eval"]).arg(
            "Has = fun(App) -> not is_tuple(code:lib_dir(App)) end, \
             io:format(\"{\\\"otp\\\":\\\"~s\\\",\\\"tls\\\":~w}~n\", \
             [erlang:system_info(otp_release), lists:all(Has, [ssl, crypto, public_key, asn1])]), halt().",
        );
        let answer = output(&mut ask, "erl").await?;
        let erlang = serde_json::from_slice(&answer).context("`erl` did not say what it has")?;
        Ok(Self { folder, ..erlang })
    }
}

/// A program of Erlang with nothing of the user's own settings in its way.
fn clean(program: impl AsRef<OsStr>, workspace: &Workspace) -> Command {
    let mut command = Command::new(program);
    for name in [
        "ERL_AFLAGS",
        "ERL_COMPILER_OPTIONS",
        "ERL_EPMD_ADDRESS",
        "ERL_FLAGS",
        "ERL_LIBS",
        "ERL_ZFLAGS",
    ] {
        command.env_remove(name);
    }
    command
        .env("HOME", workspace.path())
        .env("ERL_CRASH_DUMP_SECONDS", "0")
        .current_dir(workspace.path())
        .kill_on_drop(true);
    command
}

async fn output(command: &mut Command, name: &str) -> anyhow::Result<Vec<u8>> {
    let run = command.stdin(Stdio::null()).output();
    let output = timeout(START_MAX, run)
        .await
        .with_context(|| format!("`{name}` does not end"))?
        .with_context(|| format!("cannot start `{name}`"))?;
    anyhow::ensure!(
        output.status.success(),
        "`{name}` failed ({}): {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}

/// Starts a port mapper of our own in the foreground, at `port` of 127.0.0.1. One that runs already is never touched.
///
/// # Errors
///
/// When `epmd` cannot be started.
pub fn start_port_mapper(children: &Children, workspace: &Workspace, name: &str, port: u16) -> anyhow::Result<()> {
    let mut command = clean("epmd", workspace);
    command.args(["-address", "127.0.0.1", "-port", &port.to_string()]);
    // It needs no input; dropping the handle closes it.
    children.start(name, &mut command, |_: &str| {}).map(drop)
}

/// How a node is started.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// Full name, as `a@127.0.0.1`. A host part without a dot makes it a short name.
    pub name: String,
    /// What the child is called in messages.
    pub label: String,
    /// Port of the port mapper, on 127.0.0.1.
    pub epmd: u16,
    /// Further arguments of `erl`.
    pub arguments: Vec<String>,
}

/// A running Erlang node that obeys commands. It halts when dropped.
pub struct Node {
    name: String,
    label: String,
    input: ChildStdin,
    answers: mpsc::Receiver<String>,
    children: Children,
}

impl Node {
    /// Starts a node and waits until it answers.
    ///
    /// # Errors
    ///
    /// When it does not come up.
    pub async fn start(
        erlang: &Erlang,
        children: &Children,
        workspace: &Workspace,
        settings: NodeSettings,
    ) -> anyhow::Result<Self> {
        let NodeSettings {
            name,
            label,
            epmd,
            arguments,
        } = settings;
        let long = name.split_once('@').is_some_and(|(_, host)| host.contains('.'));
        let mut command = clean("erl", workspace);
        command
            .args(["-noshell", if long { "-name" } else { "-sname" }, &name])
            .args([
                "-start_epmd",
                "false",
                "-kernel",
                "inet_dist_use_interface",
                "{127,0,0,1}",
            ])
            .args(arguments)
            .arg("-pa")
            .arg(&erlang.folder)
            .args(["-s", "beamway_demo", "main"])
            .env("ERL_EPMD_PORT", epmd.to_string());
        let (sender, answers) = mpsc::channel(ANSWERS_MAX);
        let input = children.start(&label, &mut command, move |line: &str| {
            if let Some(answer) = line.strip_prefix(ANSWER_PREFIX) {
                // A node that answers what it was not asked is at fault; its surplus is dropped.
                let _ = sender.try_send(answer.to_owned());
            }
        })?;
        let children = children.clone();
        let mut node = Self {
            name,
            label,
            input,
            answers,
            children,
        };
        let _: Value = node.answer(START_MAX).await?;
        Ok(node)
    }

    /// Its full name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Has the node run one command (an Erlang term, see `beamway_demo.erl`) and reads its answer.
    ///
    /// # Errors
    ///
    /// When the node ended, failed, or answers something else than a `T`.
    pub async fn ask<T: DeserializeOwned>(&mut self, command: &str) -> anyhow::Result<T> {
        let sent = async {
            self.input.write_all(format!("{command}.\n").as_bytes()).await?;
            self.input.flush().await
        };
        sent.await
            .with_context(|| format!("{} no longer listens", self.label))?;
        self.answer(ANSWER_MAX)
            .await
            .with_context(|| format!("{} was asked `{command}`", self.label))
    }

    async fn answer<T: DeserializeOwned>(&mut self, limit: Duration) -> anyhow::Result<T> {
        let answer = match timeout(limit, self.answers.recv()).await {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                self.children.check(&self.label)?;
                anyhow::bail!("{} ended", self.label);
            }
            Err(_) => anyhow::bail!("{} does not answer within {} s", self.label, limit.as_secs()),
        };
        let value: Value =
            serde_json::from_str(&answer).with_context(|| format!("{} answered `{answer}`", self.label))?;
        if let Some(failed) = value.get("failed") {
            anyhow::bail!("{} failed: {failed}", self.label);
        }
        serde_json::from_value(value).with_context(|| format!("{} answered `{answer}`", self.label))
    }
}
