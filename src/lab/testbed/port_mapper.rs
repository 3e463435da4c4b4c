use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::epmd::Registry;
use crate::epmd::io::port_mapper;
use crate::epmd::io::question::QUESTIONS;
use crate::epmd::io::question::Question;

/// Starts a port mapper of our own on 127.0.0.1, for nodes that reach each other without gateways, and gives its port. It
/// serves until the runtime ends.
///
/// # Errors
///
/// When there is no free port.
pub async fn start() -> anyhow::Result<u16> {
    let listener = port_mapper::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let port = listener.local_addr().context("the port mapper has no address")?.port();
    let (asking, questions) = mpsc::channel(QUESTIONS);
    tokio::spawn(port_mapper::serve(listener, asking));
    tokio::spawn(answer(questions));
    Ok(port)
}

/// Whoever does not wait for the answer any more does without.
async fn answer(mut questions: mpsc::Receiver<Question>) {
    let mut registry = Registry::default();
    let mut nodes: BTreeMap<String, CancellationToken> = BTreeMap::new();
    while let Some(question) = questions.recv().await {
        // Nodes are few here, so it is enough to look when somebody asks.
        nodes.retain(|name, gone| {
            if gone.is_cancelled() {
                registry.unregister(name);
            }
            !gone.is_cancelled()
        });
        match question {
            Question::Register {
                registration,
                gone,
                answer,
            } => {
                let name = registration.name.clone();
                let creation = registry.register(registration, unix_seconds());
                if creation.is_some() {
                    nodes.insert(name, gone);
                }
                let _ = answer.send(creation);
            }
            Question::LookUp { name, answer, .. } => {
                let _ = answer.send(registry.get(&name).cloned());
            }
            Question::Names { answer, .. } => {
                let _ = answer.send(registry.iter().cloned().collect());
            }
        }
    }
}

fn unix_seconds() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}
