use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use super::node_settings::NodeSettings;
use super::workspace::Workspace;

/// Name and source of the Erlang side; compiled in the workspace at run time.
pub const MODULE: (&str, &str) = ("beamway_testbed", include_str!("beamway_testbed.erl"));

/// How to get Erlang, in one line.
pub const HOW_TO_INSTALL: &str = "install it (Debian, Ubuntu: `apt install erlang-base erlang-ssl`; \
     macOS: `brew install erlang`; Fedora: `dnf install erlang`)";

/// Compiling the module takes a second; on a busy machine, several times that.
const COMPILE_MAX: Duration = Duration::from_secs(30);

/// The Erlang of this machine.
#[derive(Clone, Debug, Deserialize)]
pub struct Erlang {
    /// Its release, as `25`.
    pub otp: String,
    /// Whether the applications that distribution over TLS needs are there.
    pub tls: bool,
    /// Where the compiled modules are.
    #[serde(skip)]
    folder: PathBuf,
    /// The module that a node runs.
    #[serde(skip)]
    module: String,
}

/// Whether the programs of Erlang are in the path.
#[must_use]
pub fn installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    ["erl", "erlc"]
        .iter()
        .all(|program| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

impl Erlang {
    /// Compiles these modules, names and sources, into a folder of the workspace, and asks the runtime what it has. Nodes run
    /// the last module.
    ///
    /// # Errors
    ///
    /// When this Erlang cannot compile them (older than OTP 25).
    pub async fn prepare(workspace: &Workspace, folder: &str, modules: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = workspace.folder(folder)?;
        let mut compile = clean(Command::new("erlc"), workspace);
        compile.arg("-o").arg(&folder);
        for (name, source) in modules {
            compile.arg(workspace.write(folder.join(format!("{name}.erl")), source)?);
        }
        output(&mut compile, "erlc").await?;
        let mut ask = clean(Command::new("erl"), workspace);
        ask.args(["-noinput", "-boot", "start_clean", "-eval"]).arg(
            "Has = fun(Daemon) -> not is_tuple(code:lib_dir(Daemon)) end, \
             io:format(\"{\\\"otp\\\":\\\"~s\\\",\\\"tls\\\":~w}~n\", \
             [erlang:system_info(otp_release), lists:all(Has, [ssl, crypto, public_key, asn1])]), halt().",
        );
        let answer = output(&mut ask, "erl").await?;
        let erlang = serde_json::from_slice(&answer).context("`erl` did not say what it has")?;
        let module = modules.last().map_or_else(String::new, |(name, _)| (*name).to_owned());
        Ok(Self {
            folder,
            module,
            ..erlang
        })
    }

    /// A compiled module.
    ///
    /// # Errors
    ///
    /// When there is none of that name.
    pub fn object(&self, module: &str) -> anyhow::Result<Vec<u8>> {
        let file = self.folder.join(format!("{module}.beam"));
        fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
    }

    /// A node of it that runs the module.
    pub(super) fn command(&self, workspace: &Workspace, settings: &NodeSettings) -> Command {
        let NodeSettings {
            name,
            epmd,
            arguments,
            host,
            ..
        } = settings;
        let long = name.split_once('@').is_some_and(|(_, host)| host.contains('.'));
        let mut command = clean(host.command("erl"), workspace);
        command
            .args(["-noshell", if long { "-name" } else { "-sname" }, name])
            .args(["-start_epmd", "false"])
            .arg("-kernel")
            .args(host.kernel_arguments())
            .args(arguments)
            .arg("-pa")
            .arg(&self.folder)
            .args(["-s", &self.module, "main"])
            .env("ERL_EPMD_PORT", epmd.to_string());
        command
    }
}

/// A program of Erlang with nothing of the user's own settings in its way.
fn clean(mut command: Command, workspace: &Workspace) -> Command {
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
    let output = timeout(COMPILE_MAX, run)
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
