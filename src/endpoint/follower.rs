use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use super::Nodes;
use crate::dist::HandshakeError;
use crate::dist::Party;
use crate::dist::Relay;
use crate::dist::Relayed;
use crate::router::Denied;
use crate::router::NotAllowed;
use crate::router::Policy;
use crate::session::Agreed;

/// Follows the handshake of the two nodes of a circuit at its local end: masks their flags, and refuses a far node for which the peer
/// may not speak as soon as it tells its name.
#[derive(Debug)]
pub struct Follower {
    relay: Relay,
    local: Party,
    peer: Arc<str>,
    policy: Policy,
}

/// Why a handshake is not passed on.
#[derive(Debug, Error)]
pub enum FollowError {
    /// A message is malformed or unexpected.
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// The policy does not let the peer speak for the node.
    #[error("peer {peer} may not speak for node {node}: {reason}")]
    Policy {
        /// The peer.
        peer: String,
        /// The node it claims.
        node: String,
        /// What does not fit.
        reason: NotAllowed,
    },
    /// The policy does not let the two nodes be connected.
    #[error(transparent)]
    Denied(#[from] Denied),
}

impl Follower {
    /// Begins after the initiator's first message. `local` says which of the two nodes is the local one, and `policy` for which
    /// nodes the peer may speak.
    pub const fn new(relay: Relay, local: Party, peer: Arc<str>, policy: Policy) -> Self {
        Self {
            relay,
            local,
            peer,
            policy,
        }
    }

    /// What the nodes have told so far.
    pub const fn relay(&self) -> &Relay {
        &self.relay
    }

    /// Which of the two nodes is the local one.
    pub const fn local(&self) -> Party {
        self.local
    }

    /// The name of the local node, once it is known.
    pub fn local_name(&self) -> Option<&str> {
        match self.local {
            Party::Acceptor => self.relay.acceptor_name(),
            Party::Initiator => self.relay.initiator_name(),
        }
    }

    /// The name of the far node, once it is known.
    pub fn far_name(&self) -> Option<&str> {
        match self.local {
            Party::Acceptor => self.relay.initiator_name(),
            Party::Initiator => self.relay.acceptor_name(),
        }
    }

    /// Both nodes, as far as their names are known.
    pub fn nodes(&self) -> Nodes {
        Nodes::new(
            self.local_name().unwrap_or_default(),
            self.far_name().unwrap_or_default(),
        )
    }

    /// A message of the local node: what to pass on, and whether it completes the handshake.
    ///
    /// # Errors
    /// If it is malformed or unexpected, or the nodes may not be connected.
    pub fn sent(&mut self, message: &Bytes) -> Result<(Bytes, bool), FollowError> {
        self.follow(self.local, message)
    }

    /// The same for a message of the far node.
    ///
    /// # Errors
    /// If it is malformed or unexpected, names a node for which the peer may not speak, or the nodes may not be connected.
    pub fn received(&mut self, message: &Bytes) -> Result<(Bytes, bool), FollowError> {
        let far = match self.local {
            Party::Acceptor => Party::Initiator,
            Party::Initiator => Party::Acceptor,
        };
        self.follow(far, message)
    }

    fn follow(&mut self, from: Party, message: &Bytes) -> Result<(Bytes, bool), FollowError> {
        let followed = match self.relay.handle(from, message)? {
            Relayed::Pass(message) => (message, false),
            Relayed::Complete(message) => (message, true),
        };
        if let Some(node) = self.far_name()
            && let Err(reason) = self.policy.check(node)
        {
            return Err(FollowError::Policy {
                peer: self.peer.to_string(),
                node: node.to_owned(),
                reason,
            });
        }
        if let (Some(from), Some(to)) = (self.relay.initiator_name(), self.relay.acceptor_name()) {
            self.policy.check_pair(from, to)?;
        }
        Ok(followed)
    }

    /// What the nodes have agreed on, once the handshake is complete.
    pub fn agreed(&self) -> Option<Agreed> {
        let (format, initiator, acceptor) = self.relay.agreed()?;
        Some(Agreed {
            format,
            creation: match self.local {
                Party::Acceptor => acceptor,
                Party::Initiator => initiator,
            },
            is_reader: false,
            suspends: false,
        })
    }
}
