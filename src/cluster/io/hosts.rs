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
    hub: mpsc::Sender<PeerEvent>,
    /// The addresses that are being dialled.
    busy: BTreeSet<String>,
    /// Those that could not be reached lately.
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
    pub(super) fn new(hub: mpsc::Sender<PeerEvent>) -> Self {
        Self {
            hub,
            busy: BTreeSet::new(),
            paused: BTreeSet::new(),
            dials: JoinSet::new(),
        }
    }

    /// A node of the host at this address is asked for, and nobody has announced it.
    pub(super) fn want(&mut self, address: String, dialler: &Arc<Dialler>) {
        if self.busy.contains(&address) {
            return;
        }
        if self.busy.len() >= HOSTS || self.paused.contains(&address) {
            self.answer(address);
            return;
        }
        self.busy.insert(address.clone());
        let dialler = Arc::clone(dialler);
        self.dials.spawn(async move {
            match timeout(TIME, dial_host(&dialler, &address)).await {
                Ok(Ok((trunk, peer))) => return Dialled::Met(Box::new(trunk), peer, address),
                Ok(Err(error)) => {
                    warn!(address, %error, "a node of this host was asked for, but no daemon of it can be reached");
                }
                Err(_) => warn!(
                    address,
                    "a node of this host was asked for, but nobody answers there within {TIME:?}"
                ),
            }
            Dialled::Failed(address)
        });
    }

    /// The next attempt that has ended.
    pub(super) async fn next(&mut self) -> Option<Dialled> {
        let dialled = self.dials.join_next().await?.ok()?;
        match &dialled {
            Dialled::Met(_, peer, address) => {
                debug!(address, peer = peer.name, "a daemon of the host was found");
                let address = address.clone();
                self.dials.spawn(async move {
                    sleep(TELL).await;
                    Dialled::Told(address)
                });
            }
            Dialled::Told(address) => {
                self.busy.remove(address);
                self.answer(address.clone());
            }
            Dialled::Failed(address) => {
                self.busy.remove(address);
                if self.paused.len() < PAUSED {
                    self.paused.insert(address.clone());
                }
                self.answer(address.clone());
                let address = address.clone();
                self.dials.spawn(async move {
                    sleep(PAUSE).await;
                    Dialled::Rested(address)
                });
            }
            Dialled::Rested(address) => {
                self.paused.remove(address);
            }
        }
        Some(dialled)
    }

    /// Questions for nodes of the host need not wait any longer. If the hub has no room for that, they wait for their own deadline.
    fn answer(&self, address: String) {
        let _ = self.hub.try_send(PeerEvent::HostDialled { address });
    }
}
