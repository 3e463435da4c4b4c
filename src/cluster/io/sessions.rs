//! The existing sessions, and which of them must end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::SystemTime;

use quinn::Connection;
use rand::rngs::StdRng;
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::warn;

use super::control::PeerReport;
use crate::cluster::choice::Running;
use crate::router::Acceptance;
use crate::router::daemon_of;
use crate::session::Bounds;
use crate::tls::NotTrusted;
use crate::tls::Trust;
use crate::trunk::Agreement;
use crate::trunk::Known;
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkState;
use crate::trunk::io::greet::Greeted;
use crate::trunk::io::leave::LeaveBarrier;
use crate::trunk::io::trunks::TrunkSender;
use crate::wire::SessionId;

/// Maximum number of sessions with temporary daemons (`beamway call`, `send`, `ping`): enough for scripts that run in
/// parallel, and a bound for one that runs wild.
const TEMPORARY: usize = 256;

/// Of these with one certificate: nobody takes all of them.
const TEMPORARY_OF_ONE: usize = 64;

/// A session that is running or has ended.
#[derive(Debug)]
pub(super) struct Active {
    /// The peer, as it spells its name.
    pub(super) name: String,
    pub(super) boot: [u8; 16],
    pub(super) id: SessionId,
    /// The connection that carries it.
    pub(super) connection: Connection,
    /// The last moment at which the certificate that the peer has shown there is valid.
    pub(super) valid_until: SystemTime,
    /// Where the peer listens, as far as that is known.
    pub(super) listens: Option<SocketAddr>,
    /// Whether this daemon dialled the first trunk.
    pub(super) is_ours: bool,
    pub(super) trunks: TrunkSender,
    pub(super) task: JoinHandle<()>,
}

impl Active {
    /// Another trunk carries the session.
    pub(super) fn resume(&mut self, id: SessionId, trunk: Shown) {
        let Shown {
            connection,
            valid_until,
            listens,
        } = trunk;
        self.listens = listens.or(self.listens);
        self.id = id;
        self.connection = connection;
        self.valid_until = valid_until;
    }

    fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    fn end(&self, reason: String) {
        warn!(peer = self.name, reason, "a session is ended");
        self.trunks.end.tell(reason);
    }

    /// Whether the certificate of the peer is still accepted.
    fn check(&self, trust: &Trust, now: SystemTime) -> Result<(), NotTrusted> {
        let identity = self.connection.peer_identity();
        let chain = identity.and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
        trust.check(&chain.unwrap_or_default(), now)
    }
}

/// The existing sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    /// The state of the trunk of each peer, by the name of the peer.
    states: BTreeMap<String, watch::Sender<TrunkState>>,
    pub(super) active: BTreeMap<String, Active>,
    /// Coordinates the end of their circuits when the daemon stops.
    pub(super) barrier: LeaveBarrier,
    pub(super) random: StdRng,
    /// The bounds of those that begin.
    pub(super) bounds: Bounds,
    /// Whether they end when the certificate of the peer expires.
    pub(super) ends_expired: bool,
}

impl Sessions {
    pub(super) fn new(random: StdRng, bounds: Bounds, ends_expired: bool) -> Self {
        Self {
            states: BTreeMap::new(),
            active: BTreeMap::new(),
            barrier: LeaveBarrier::default(),
            random,
            bounds,
            ends_expired,
        }
    }

    pub(super) fn state(&mut self, name: &str) -> &watch::Sender<TrunkState> {
        self.states
            .entry(name.to_owned())
            .or_insert_with(|| watch::channel(TrunkState::Down).0)
    }

    pub(super) fn is_absent(&self, peer: &str) -> bool {
        let state = self.states.get(&key(peer));
        state.is_none_or(|state| *state.borrow() == TrunkState::Down)
    }

    /// The session that works with a daemon of this name, if it is another life than the one that greets.
    pub(super) fn other_life(&self, agreement: &Agreement) -> Option<&Active> {
        let running = self.running(&agreement.peer)?;
        let works = matches!(running.state, TrunkState::Up | TrunkState::Fresh);
        let active = self.active.get(&key(&agreement.peer))?;
        (works && running.boot != agreement.boot).then_some(active)
    }

    /// Removes temporary daemons that have left. Returns whether there is room for this one.
    pub(super) fn has_room_for(&mut self, peer: &str) -> bool {
        if !is_temporary(peer) {
            return true;
        }
        let states = &mut self.states;
        self.active.retain(|name, session| {
            let is_kept = !is_temporary(name) || !session.is_over();
            if !is_kept {
                states.remove(name);
            }
            is_kept
        });
        let temporary = || self.active.keys().filter(|name| is_temporary(name));
        let same = temporary().filter(|name| daemon_of(name).eq_ignore_ascii_case(daemon_of(peer)));
        temporary().count() < TEMPORARY && same.count() < TEMPORARY_OF_ONE
    }

    pub(super) fn running(&self, peer: &str) -> Option<Running> {
        let name = key(peer);
        let active = self.active.get(&name)?;
        Some(Running {
            boot: active.boot,
            id: active.id,
            state: *self.states.get(&name)?.borrow(),
        })
    }

    /// The daemon that listens at an address, if there is a session with it.
    pub(super) fn at(&self, address: SocketAddr) -> Option<String> {
        let mut alive = self.alive().filter(|active| !is_temporary(&active.name));
        alive
            .find(|active| active.listens == Some(address))
            .map(|active| key(&active.name))
    }

    /// The daemons with a session, and where they listen.
    pub(super) fn known(&self) -> Known {
        let alive = self
            .alive()
            .filter(|active| !is_temporary(&active.name) && !self.is_absent(&active.name));
        alive
            .filter_map(|active| Some((key(&active.name), vec![active.listens?])))
            .collect()
    }

    fn alive(&self) -> impl Iterator<Item = &Active> {
        self.active.values().filter(|active| !active.is_over())
    }

    /// Ends the sessions with peers whose certificates are not accepted any more.
    pub(super) fn verify(&self, trust: &Trust, now: SystemTime) {
        for active in self.alive() {
            match active.check(trust, now) {
                Ok(()) => {}
                Err(NotTrusted::Expired) if !self.ends_expired => {}
                Err(error) => active.end(error.to_string()),
            }
        }
    }

    /// Ends the sessions with peers whose certificates have expired.
    pub(super) fn expire(&self, now: SystemTime) {
        let expired = self.alive().filter(|active| active.valid_until < now);
        for active in expired.filter(|_| self.ends_expired) {
            active.end(NotTrusted::Expired.to_string());
        }
    }

    /// Ends the sessions with peers that may not dial in any more, and that are or were not to be dialled. `was_configured` tells which
    /// peers were configured before.
    pub(super) fn refuse(&self, accepts: &Acceptance, was_configured: impl Fn(&str) -> bool) {
        for active in self.alive() {
            let name = daemon_of(&active.name);
            let is_found = active.is_ours && !was_configured(name);
            if !accepts.is_configured(name)
                && !is_found
                && let Err(error) = accepts.check(name)
            {
                active.end(format!("the configuration has changed: {error}"));
            }
        }
    }

    /// Closes all trunks, so that others replace them: the peers see the new certificate of this daemon. Commands are over soon.
    pub(super) fn renew(&self) {
        for active in self.alive().filter(|active| !is_temporary(&active.name)) {
            let reason = b"this daemon has a new certificate";
            active.connection.close(TrunkConfig::DROPPED, reason);
        }
    }

    /// What there is to tell of the peers with a session.
    pub(super) fn report(&self) -> Vec<PeerReport> {
        let report = |active: &Active| PeerReport {
            name: active.name.clone(),
            state: self
                .states
                .get(&key(&active.name))
                .map(|state| *state.borrow())
                .unwrap_or_default(),
            configured: None,
            remote: Some(active.connection.remote_address()),
            failure: String::new(),
            valid_until: Some(active.valid_until),
        };
        self.alive().map(report).collect()
    }
}

/// What is known of the peer from its trunk.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) connection: Connection,
    /// Until when the certificate is valid that the peer has shown.
    pub(super) valid_until: SystemTime,
    /// Where the peer listens: where it was dialled, or at the port that it tells.
    pub(super) listens: Option<SocketAddr>,
}

impl Shown {
    pub(super) fn of(trunk: &Greeted) -> Self {
        let remote = trunk.connection.remote_address();
        let port = if trunk.is_ours {
            remote.port()
        } else {
            trunk.agreement.port
        };
        Self {
            connection: trunk.connection.clone(),
            valid_until: trunk.agreement.valid_until,
            listens: (port > 0).then(|| (remote.ip().to_canonical(), port).into()),
        }
    }
}

pub(super) fn is_temporary(peer: &str) -> bool {
    daemon_of(peer) != peer
}

pub(super) fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}
