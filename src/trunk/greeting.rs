use super::TrunkError;
use crate::router::daemon_of;
use crate::router::passing_name;
use crate::tls::PeerCertificate;
use crate::wire::Hello;
use crate::wire::SessionId;
use crate::wire::VERSION;

/// Who this daemon is.
#[derive(Clone, Debug)]
pub struct LocalDaemon {
    /// Its name; its certificate carries it.
    pub name: String,
    /// Drawn at random when it started.
    pub boot: [u8; 16],
    /// Lanes it wants in each direction.
    pub lanes: u8,
    /// Whether it passes by, for a single command, maybe while another runs under its name.
    pub is_passing: bool,
}

/// What two daemons agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The peer's name, made unlike others by [`passing_name`] if it passes by.
    pub peer: String,
    /// Tells the lives of the peer apart.
    pub boot: [u8; 16],
    /// Lanes in each direction.
    pub lanes: u8,
    /// The peer's software, for logs.
    pub software: String,
    /// The session that the peer still has with us.
    pub session: Option<SessionId>,
}

impl LocalDaemon {
    /// How this daemon introduces itself to a peer with which it still has `session`.
    pub fn hello(&self, session: Option<SessionId>) -> Hello {
        Hello {
            versions: (VERSION, VERSION),
            name: self.name.clone(),
            boot: self.boot,
            lanes: self.lanes,
            software: concat!("beamway ", env!("CARGO_PKG_VERSION")).to_owned(),
            session,
            passing: self.is_passing,
        }
    }

    /// Checks how a peer introduced itself against the certificate it came with and, if we dialled, the name we wanted.
    ///
    /// # Errors
    /// If the certificate does not carry the name, it is not the name we dialled, it is our own, or no version is common.
    pub fn agree(
        &self,
        hello: Hello,
        certificate: &PeerCertificate,
        dialled: Option<&str>,
    ) -> Result<Agreement, TrunkError> {
        let refuse = |reason: String| TrunkError::Identity {
            claimed: hello.name.clone(),
            reason,
        };
        if !certificate.carries(&hello.name) {
            return Err(refuse("its certificate does not carry that name".into()));
        }
        if let Some(wanted) = dialled
            && !wanted.eq_ignore_ascii_case(&hello.name)
        {
            return Err(refuse(format!("{wanted:?} was dialled")));
        }
        if hello.name.eq_ignore_ascii_case(&self.name) {
            return Err(refuse(
                "that is this daemon's own name; give each daemon its own".into(),
            ));
        }
        let (min, max) = hello.versions;
        if !(min..=max).contains(&VERSION) {
            return Err(TrunkError::Version(min, max));
        }
        Ok(Agreement {
            lanes: self.lanes.min(hello.lanes),
            peer: if hello.passing {
                passing_name(&hello.name, hello.boot)
            } else {
                hello.name
            },
            boot: hello.boot,
            software: hello.software,
            session: hello.session,
        })
    }

    /// Whether this daemon decides which trunk carries the session with `peer`: the lower name does.
    pub fn is_lower_than(&self, peer: &str) -> bool {
        self.name.to_ascii_lowercase() < daemon_of(peer).to_ascii_lowercase()
    }
}
