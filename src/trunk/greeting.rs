use std::cmp::Ordering;
use std::sync::Arc;
use std::time::SystemTime;

use super::TrunkError;
use crate::router::Acceptance;
use crate::router::DaemonPattern;
use crate::router::daemon_of;
use crate::router::temporary_name;
use crate::tls::PeerCertificate;
use crate::wire::Hello;
use crate::wire::SessionId;
use crate::wire::VERSION;
use crate::wire::VERSION_MIN;

/// The identity of this daemon, as it presents itself to peers.
#[derive(Clone, Debug)]
pub struct LocalDaemon {
    /// The name of the daemon. Its certificate must contain this name.
    pub name: String,
    /// Random bytes, drawn when the daemon started. They distinguish restarts.
    pub boot: [u8; 16],
    /// The number of lanes in each direction that the daemon wants.
    pub lanes: u8,
    /// Whether the daemon runs only for a single command or a remote shell, possibly while another daemon with the same name is
    /// running.
    pub is_temporary: bool,
    /// The UDP port at which it listens for peers; 0 if it does not.
    pub port: u16,
    /// Who may dial this daemon.
    pub accepts: Acceptance,
}

/// What two daemons agreed on in their greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The peer's name. If the peer runs for a single command only, [`temporary_name`] makes it unique.
    pub peer: String,
    /// The peer's random bytes, which distinguish its restarts.
    pub boot: [u8; 16],
    /// The version of the protocol: the highest that both speak.
    pub version: u32,
    /// The lowest and the highest version that the peer speaks, for logs.
    pub versions: (u32, u32),
    /// The number of lanes in each direction: the smaller of both wishes.
    pub lanes: u8,
    /// The name and version of the peer's software, for logs.
    pub software: String,
    /// The session that the peer still holds with this daemon.
    pub session: Option<SessionId>,
    /// The UDP port at which the peer listens; 0 if it does not, or does not say.
    pub port: u16,
    /// Whether the peer may be told of other peers.
    pub exchanges: bool,
    /// The hosts in the peer's certificate: DNS names and IP addresses.
    pub hosts: Arc<[String]>,
    /// The last moment at which that certificate is valid.
    pub valid_until: SystemTime,
}

/// Whom this daemon has dialled. The certificate that answers must contain the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialled<'a> {
    /// The daemon of this name.
    Daemon(&'a str),
    /// Any daemon of this host.
    Host(&'a str),
    /// Any daemon whose name matches one of the patterns, whatever host it is at.
    Any(&'a [DaemonPattern]),
}

impl<'a> Dialled<'a> {
    /// The name that TLS must find in the certificate; `None` if the name is checked when the daemon has said it.
    pub const fn name(self) -> Option<&'a str> {
        match self {
            Self::Daemon(name) | Self::Host(name) => Some(name),
            Self::Any(_) => None,
        }
    }
}

impl LocalDaemon {
    /// The greeting to a peer. `session` is the session that this daemon still holds with it.
    pub fn hello(&self, session: Option<SessionId>) -> Hello {
        Hello {
            versions: (VERSION_MIN, VERSION),
            name: self.name.clone(),
            boot: self.boot,
            lanes: self.lanes,
            software: concat!("beamway ", env!("CARGO_PKG_VERSION")).to_owned(),
            session,
            temporary: self.is_temporary,
            port: self.port,
            exchanges: true,
        }
    }

    /// Checks a peer's greeting against its certificate and, if this daemon dialled, against the name that it dialled.
    ///
    /// # Errors
    /// If the certificate does not contain the peer's name, if that name is not the dialled one or is this daemon's own, if the
    /// peer dialled and may not, or if there is no common protocol version.
    pub fn agree(
        &self,
        hello: Hello,
        certificate: &PeerCertificate,
        dialled: Option<Dialled<'_>>,
    ) -> Result<Agreement, TrunkError> {
        let refuse = |reason: String| TrunkError::Identity {
            claimed: hello.name.clone(),
            reason,
        };
        if !certificate.carries(&hello.name) {
            return Err(refuse("its certificate does not contain that name".into()));
        }
        if let Some(Dialled::Daemon(wanted)) = dialled
            && !wanted.eq_ignore_ascii_case(&hello.name)
        {
            return Err(refuse(format!("this daemon dialled {wanted:?}")));
        }
        if hello.name.eq_ignore_ascii_case(&self.name) && hello.boot == self.boot {
            return Err(TrunkError::Myself);
        }
        if let Some(Dialled::Any(wanted)) = dialled {
            Self::wants(wanted, std::slice::from_ref(&hello.name))?;
        }
        // A command or a remote shell uses the name and the certificate of the daemon of its host, and may dial it.
        let is_one_temporary = self.is_temporary != hello.temporary;
        if hello.name.eq_ignore_ascii_case(&self.name) && !is_one_temporary {
            return Err(refuse(
                "that is this daemon's own name; give each daemon its own".into(),
            ));
        }
        if dialled.is_none() {
            self.accepts
                .check(&hello.name)
                .map_err(|error| refuse(error.to_string()))?;
        }
        let (min, max) = hello.versions;
        let version = max.min(VERSION);
        if version < min.max(VERSION_MIN) {
            return Err(TrunkError::Version(min, max));
        }
        Ok(Agreement {
            version,
            versions: hello.versions,
            lanes: self.lanes.min(hello.lanes),
            peer: if hello.temporary {
                temporary_name(&hello.name, hello.boot)
            } else {
                hello.name
            },
            boot: hello.boot,
            software: hello.software,
            session: hello.session,
            port: hello.port,
            exchanges: hello.exchanges,
            hosts: certificate.hosts().into(),
            valid_until: certificate.valid_until(),
        })
    }

    /// Checks that one of these names of a daemon that was found matches one of the patterns.
    ///
    /// # Errors
    /// If none does.
    pub(in crate::trunk) fn wants(patterns: &[DaemonPattern], names: &[String]) -> Result<(), TrunkError> {
        let is_wanted = |name: &String| patterns.iter().any(|pattern| pattern.matches(name));
        if names.iter().any(is_wanted) {
            return Ok(());
        }
        Err(TrunkError::Identity {
            claimed: names.join(", "),
            reason: "the `name` of the [[discover]] that has found it does not match".into(),
        })
    }

    /// Whether this daemon decides which trunk carries the session with `peer`. The daemon with the lower name decides; of two with the
    /// same name, the one that is not temporary.
    pub fn is_lower_than(&self, peer: &str) -> bool {
        let order = self
            .name
            .to_ascii_lowercase()
            .cmp(&daemon_of(peer).to_ascii_lowercase());
        match order {
            Ordering::Less => true,
            Ordering::Equal => !self.is_temporary,
            Ordering::Greater => false,
        }
    }
}
