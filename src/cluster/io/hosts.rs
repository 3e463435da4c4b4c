//! Hosts that are dialled because a node of theirs is asked for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio::time::timeout;
use tracing::debug;
use tracing::warn;

use super::dialling::Dialler;
use super::dialling::dial_host;
use crate::cluster::StaticPeer;
use crate::endpoint::io::session::PeerEvent;
use crate::trunk::io::greet::Greeted;

/// Hosts that are dialled at the same time. Others are not: a program that asks for nodes of any hosts floods no network.
const HOSTS: usize = 64;

/// How long a host is dialled: shorter than a node waits for a connection (`net_setuptime`, 7 s).
const TIME: Duration = Duration::from_secs(5);

/// How long after it greets a daemon its nodes may still be announced.
const TELL: Duration = Duration::from_millis(500);

/// Whoever was not there is not dialled again for this time.
const PAUSE: Duration = Duration::from_secs(1);

/// Hosts of which that is remembered.
const PAUSED: usize = 1024;

/// The hosts that are being dialled.
#[derive(Debug)]
pub(super) struct HostDials {
    /// The port at which daemons of any host listen.
    port: u16,
    hub: mpsc::Sender<PeerEvent>,
    busy: BTreeSet<String>,
    /// Hosts that could not be reached lately.
    paused: BTreeSet<String>,
    dials: JoinSet<Dialled>,
}

/// The end of an attempt.
#[derive(Debug)]
pub(super) enum Dialled {
    /// A daemon has greeted.
    Met(Box<Greeted>, StaticPeer, String),
    /// Nobody of the host can be reached.
    Failed(String),
    /// What a daemon of the host announces is known.
    Told(String),
    /// The host may be dialled again.
    Rested(String),
}

impl HostDials {
    pub(super) fn new(port: u16, hub: mpsc::Sender<PeerEvent>) -> Self {
        Self {
            port,
            hub,
            busy: BTreeSet::new(),
            paused: BTreeSet::new(),
            dials: JoinSet::new(),
        }
    }

    /// A node of this host is asked for, and nobody has announced it.
    pub(super) fn want(&mut self, host: String, dialler: &Arc<Dialler>) {
        if self.busy.contains(&host) {
            return;
        }
        if self.busy.len() >= HOSTS || self.paused.contains(&host) {
            self.answer(host);
            return;
        }
        self.busy.insert(host.clone());
        let (dialler, port) = (Arc::clone(dialler), self.port);
        self.dials.spawn(async move {
            match timeout(TIME, dial_host(&dialler, &host, port)).await {
                Ok(Ok((trunk, peer))) => return Dialled::Met(Box::new(trunk), peer, host),
                Ok(Err(error)) => {
                    warn!(host, port, %error, "a node of this host was asked for, but no daemon of it can be reached");
                }
                Err(_) => warn!(
                    host,
                    port, "a node of this host was asked for, but nobody answers there within {TIME:?}"
                ),
            }
            Dialled::Failed(host)
        });
    }

    /// The next attempt that has ended.
    pub(super) async fn next(&mut self) -> Option<Dialled> {
        let dialled = self.dials.join_next().await?.ok()?;
        match &dialled {
            Dialled::Met(_, peer, host) => {
                debug!(host, peer = peer.name, "a daemon of the host was found");
                let host = host.clone();
                self.dials.spawn(async move {
                    sleep(TELL).await;
                    Dialled::Told(host)
                });
            }
            Dialled::Told(host) => {
                self.busy.remove(host);
                self.answer(host.clone());
            }
            Dialled::Failed(host) => {
                self.busy.remove(host);
                if self.paused.len() < PAUSED {
                    self.paused.insert(host.clone());
                }
                self.answer(host.clone());
                let host = host.clone();
                self.dials.spawn(async move {
                    sleep(PAUSE).await;
                    Dialled::Rested(host)
                });
            }
            Dialled::Rested(host) => {
                self.paused.remove(host);
            }
        }
        Some(dialled)
    }

    /// Questions for nodes of the host need not wait any longer. If the hub has no room for that, they wait for their own deadline.
    fn answer(&self, host: String) {
        let _ = self.hub.try_send(PeerEvent::HostDialled { host });
    }
}
