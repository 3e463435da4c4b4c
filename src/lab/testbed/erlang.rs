use std::fs;
use std::path::Path;
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

/// An Erlang: where it is, what it is and what it has.
#[derive(Clone, Debug, Deserialize)]
pub struct Erlang {
    /// Its version, as `29.0.2`.
    pub otp: String,
    /// The versions of what distribution over TLS is made of, as `ssl 11.7.7, OpenSSL 3.6.5 29 Sep 2026`; `None` if the applications
    /// are not there.
    pub tls: Option<String>,
    /// Its programs.
    #[serde(skip)]
    programs: Programs,
    /// Where the compiled modules are.
    #[serde(skip)]
    folder: PathBuf,
    /// The module that a node runs.
    #[serde(skip)]
    module: String,
}

/// The programs of an Erlang.
#[derive(Clone, Debug)]
pub struct Programs {
    erl: PathBuf,
    erlc: PathBuf,
}

impl Default for Programs {
    /// Those in the path.
    fn default() -> Self {
        Self {
            erl: "erl".into(),
            erlc: "erlc".into(),
        }
    }
}

impl Programs {
    /// The programs of the `erl` at that path, or else those in the path; `None` if none are in the path.
    ///
    /// # Errors
    ///
    /// When there is no `erl` at that path, or no `erlc` beside it.
    pub fn find(erl: Option<&Path>) -> anyhow::Result<Option<Self>> {
        let Some(erl) = erl else {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let is_there = |program| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
            return Ok((is_there("erl") && is_there("erlc")).then(Self::default));
        };
        // Programs are started in another folder. A link is not followed: some wrappers know by it what to run.
        let erl = std::path::absolute(erl)?;
        let erlc = erl.with_file_name("erlc");
        for program in [&erl, &erlc] {
            anyhow::ensure!(program.is_file(), "there is no program {}", program.display());
        }
        Ok(Some(Self { erl, erlc }))
    }
}

/// Prints version and TLS as JSON. The file with the whole version belongs to every installation, but packages may leave it out.
const ASK: &str = r#"
    Release = erlang:system_info(otp_release),
    Version = case file:read_file(filename:join([code:root_dir(), "releases", Release, "OTP_VERSION"])) of
        {ok, Text} -> string:trim(Text);
        _ -> Release
    end,
    Needed = [ssl, crypto, public_key, asn1],
    Tls = case [A || A <- Needed, is_tuple(code:lib_dir(A))] of
        [] ->
            [application:load(A) || A <- Needed],
            {ok, Ssl} = application:get_key(ssl, vsn),
            [{_, _, Library} | _] = crypto:info_lib(),
            ["\"ssl ", Ssl, ", ", Library, "\""];
        _ -> "null"
    end,
    io:format("{\"otp\":\"~s\",\"tls\":~s}~n", [Version, Tls]),
    halt()."#;

impl Erlang {
    /// Compiles these modules, names and sources, into a folder of the workspace, and asks the runtime what it is and has. Nodes
    /// run the last module.
    ///
    /// # Errors
    ///
    /// When this Erlang cannot compile them (older than OTP 25).
    pub async fn prepare(
        programs: Programs,
        workspace: &Workspace,
        folder: &str,
        modules: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let folder = workspace.folder(folder)?;
        let mut compile = clean(Command::new(&programs.erlc), workspace);
        compile.arg("-o").arg(&folder);
        for (name, source) in modules {
            compile.arg(workspace.write(folder.join(format!("{name}.erl")), source)?);
        }
        output(&mut compile, "erlc").await?;
        let mut ask = clean(Command::new(&programs.erl), workspace);
        ask.args(["-noinput", "-boot", "start_clean", "-eval", ASK]);
        let answer = output(&mut ask, "erl").await?;
        let erlang = serde_json::from_slice(&answer).context("`erl` did not say what it has")?;
        let module = modules.last().map_or_else(String::new, |(name, _)| (*name).to_owned());
        Ok(Self {
            programs,
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
        let mut command = clean(host.command(&self.programs.erl), workspace);
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
