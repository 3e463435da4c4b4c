use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::children::Children;
use super::erlang::Erlang;
use super::node_settings::NodeSettings;
use super::protocol::ANSWER_PREFIX;
use super::protocol::command_line;
use super::workspace::Workspace;
use crate::etf::Atom;

/// Starting a virtual machine takes half a second; on a busy machine, several times that.
const START_MAX: Duration = Duration::from_secs(30);

/// Longer than any measurement, and than the waits inside the nodes: so their own reason is heard first.
const ANSWER_MAX: Duration = Duration::from_secs(200);

/// Answers that may wait to be read. A node gives one per command.
const ANSWERS_MAX: usize = 16;

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A BEAM that runs `beamway_testbed.erl`.
    Beam(Erlang),
    /// A native node: this program, of that path, as `beamway demo-node`.
    Native(PathBuf),
}

impl Kind {
    /// The Erlang that it runs on; `None` of a native node.
    #[must_use]
    pub fn erlang(&self) -> Option<&Erlang> {
        match self {
            Self::Beam(erlang) => Some(erlang),
            Self::Native(_) => None,
        }
    }

    fn command(&self, workspace: &Workspace, settings: &NodeSettings) -> Command {
        match self {
            Self::Beam(erlang) => erlang.command(workspace, settings),
            Self::Native(executable) => {
                let mut command = settings.host.command(executable);
                command
                    .args(["demo-node", "--name", &settings.name])
                    .args(["--epmd", &settings.epmd.to_string()])
                    .args(&settings.arguments)
                    .arg("--cookie")
                    .arg(workspace.cookie())
                    .current_dir(workspace.path());
                command
            }
        }
    }
}

/// A running node that takes commands. It ends when dropped.
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
        kind: &Kind,
        children: &Children,
        workspace: &Workspace,
        settings: NodeSettings,
    ) -> anyhow::Result<Self> {
        let mut command = kind.command(workspace, &settings);
        let NodeSettings { name, label, .. } = settings;
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

    /// What it is called among the children.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The name as the atom that commands have.
    pub(in crate::lab) fn atom(&self) -> anyhow::Result<Atom> {
        Ok(Atom::new(&self.name)?)
    }

    /// Has the node run one command and reads its answer.
    ///
    /// # Errors
    ///
    /// When the node ended, failed, or answers something else than a `T`.
    pub async fn ask<T: DeserializeOwned>(&mut self, command: &impl Serialize) -> anyhow::Result<T> {
        let line = command_line(command)?;
        let sent = async {
            self.input.write_all(format!("{line}\n").as_bytes()).await?;
            self.input.flush().await
        };
        sent.await
            .with_context(|| format!("{} no longer listens", self.label))?;
        self.answer(ANSWER_MAX)
            .await
            // Its beginning says which command it was; the rest of one may be a hundred numbers.
            .with_context(|| format!("{} was asked `{line:.80}`", self.label))
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
