use std::time::Duration;

use anyhow::Context as _;
use anyhow::bail;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use super::modules::MODULES;
use super::near::Near;
use super::protocol::Command;
use crate::cli::oneshot::Joining;
use crate::etf::Atom;
use crate::etf::Term;
use crate::etf::from_term;
use crate::etf::to_term;
use crate::lab::testbed::erlang::Erlang;
use crate::lab::testbed::erlang::Programs;
use crate::lab::testbed::protocol::NotWhatWasSent;
use crate::lab::testbed::protocol::Verdict;
use crate::lab::testbed::protocol::Verified;
use crate::lab::testbed::workspace::Workspace;
use crate::node;

/// Longer than any measurement, and than the waits inside the nodes: so their own reason is heard first.
const ANSWER_MAX: Duration = Duration::from_secs(200);

/// Until modules are removed, which happens within a second.
const LEAVE_MAX: Duration = Duration::from_secs(10);

/// How often it is looked whether they are.
const LOOK: Duration = Duration::from_millis(100);

/// What carries distribution between the two nodes, in the findings.
pub(super) const CARRIER: &str = "as they are";

/// Two nodes that exist already.
#[derive(Debug)]
pub struct Between {
    /// How to join the cluster of the near one, which measures.
    pub joining: Joining,
    /// The far one, which answers and verifies.
    pub far: String,
}

/// The modules that nodes are visited with: names, and what the compiler made of them.
pub(super) struct Luggage(Vec<(Atom, Bytes)>);

impl Luggage {
    /// Compiles them with that Erlang.
    pub(super) async fn pack(programs: Programs, workspace: &Workspace) -> anyhow::Result<Self> {
        let [_, modules @ ..] = MODULES;
        let erlang = Erlang::prepare(programs, workspace, "ebin", &modules).await?;
        let packed = modules
            .iter()
            .map(|(name, _)| Ok((Atom::new(name)?, Bytes::from(erlang.object(name)?))));
        Ok(Self(packed.collect::<anyhow::Result<_>>()?))
    }
}

/// A node of ours that has the near node measure.
pub(super) struct Visitor<'a> {
    context: node::Context,
    near: Atom,
    far: Atom,
    luggage: &'a Luggage,
}

impl<'a> Visitor<'a> {
    /// Brings the modules to both nodes.
    pub(super) async fn arrive(
        context: node::Context,
        near: Atom,
        far: &str,
        luggage: &'a Luggage,
    ) -> anyhow::Result<Self> {
        let far = Atom::new(far)?;
        let mut visitor = Self {
            context,
            near,
            far,
            luggage,
        };
        for node in visitor.both() {
            for (name, _) in &luggage.0 {
                if visitor.is_loaded(&node, name).await? {
                    bail!(
                        "{} has a module {}: somebody measures there already",
                        node.as_str(),
                        name.as_str()
                    );
                }
            }
        }
        for (name, object) in &luggage.0 {
            let arguments = vec![
                name.clone().into(),
                Term::charlist("beamway bench"),
                Term::Binary(object.clone()),
            ];
            visitor.call("code", "load_binary", arguments).await?;
        }
        let modules = luggage.0.iter();
        let modules = modules.map(|(name, object)| term!({(name.clone()), (Term::Binary(object.clone()))}));
        let own = visitor.context.node().name().clone();
        let arguments = vec![visitor.far.clone().into(), own.into(), Term::List(modules.collect())];
        visitor.call("beamway_bench", "visit", arguments).await?;
        Ok(visitor)
    }

    /// The release of Erlang/OTP of the near node.
    pub(super) async fn otp(&mut self) -> anyhow::Result<String> {
        let release = self.call("erlang", "system_info", vec![term!(otp_release)]).await?;
        Ok(from_term(&release)?)
    }

    /// Takes everything away, and sees that it is gone.
    pub(super) async fn leave(mut self) -> anyhow::Result<()> {
        self.call("beamway_bench", "leave", Vec::new()).await?;
        let look = async {
            for node in self.both() {
                for (name, _) in &self.luggage.0 {
                    while self.is_loaded(&node, name).await? {
                        sleep(LOOK).await;
                    }
                }
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(LEAVE_MAX, look)
            .await
            .context("the modules are still there")?
    }

    fn both(&self) -> [Atom; 2] {
        [self.near.clone(), self.far.clone()]
    }

    async fn is_loaded(&mut self, node: &Atom, module: &Atom) -> anyhow::Result<bool> {
        let arguments = vec![
            node.clone().into(),
            term!(code),
            term!(is_loaded),
            term!([(module.clone())]),
        ];
        Ok(!self.call("erpc", "call", arguments).await?.is_atom("false"))
    }

    async fn call(
        &mut self,
        module: &'static str,
        function: &'static str,
        arguments: Vec<Term>,
    ) -> anyhow::Result<Term> {
        let called = self
            .context
            .rpc(&self.near, module, function, arguments, ANSWER_MAX)
            .await;
        called.with_context(|| format!("{} was asked for {module}:{function}", self.near.as_str()))
    }
}

impl Near for Visitor<'_> {
    fn far(&self) -> anyhow::Result<Atom> {
        Ok(self.far.clone())
    }

    async fn measure<T: Verified + DeserializeOwned>(&mut self, command: &Command) -> anyhow::Result<T> {
        let answered = self.call("beamway_bench", "command", vec![to_term(command)?]).await?;
        let answer: T = from_term(&answered).with_context(|| format!("the answer {answered}"))?;
        let Verdict { verified, wrong } = answer.verdict();
        if *verified {
            return Ok(answer);
        }
        Err(NotWhatWasSent {
            carrier: CARRIER.to_owned(),
            wrong: wrong.clone(),
        }
        .into())
    }

    /// Not known of nodes on other hosts.
    fn processor_us(&self) -> Option<f64> {
        None
    }
}
