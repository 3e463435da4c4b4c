//! What a greeted connection waits for before the cluster uses it.

use std::sync::Arc;
use std::time::Duration;

use quinn::Connection;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::debug;
use tracing::warn;

use super::dialling::WELCOME_TIME;
use crate::trunk::TrunkConfig;
use crate::trunk::io::greet::Greeted;
use crate::trunk::io::probe::acknowledges;
use crate::wire::Notice;
use crate::wire::SessionId;

/// How long a peer may take to acknowledge besides four round trips: what a busy daemon, and QUIC's delay of
/// acknowledgements, take.
const PROBE_TIME: Duration = Duration::from_millis(100);

/// What becomes of a greeted connection.
#[derive(Debug)]
pub(super) enum Step {
    /// We have the lower name, and decide what it is used for. `is_alone`: no other daemon of that name answers.
    Choose { trunk: Greeted, is_alone: bool },
    /// The daemon with the lower name has sent its welcome.
    Welcomed {
        trunk: Greeted,
        id: SessionId,
        is_alone: bool,
    },
}

/// Waits for the welcome of the peer, which has the lower name.
pub(super) async fn await_welcome(mut trunk: Greeted, steps: mpsc::Sender<Step>) {
    match timeout(WELCOME_TIME, trunk.notices.read()).await {
        Ok(Ok((_, Notice::Welcome(id)))) => {
            let is_alone = false;
            let _ = steps.send(Step::Welcomed { trunk, id, is_alone }).await;
        }
        Ok(Ok(_)) => trunk
            .connection
            .close(TrunkConfig::BROKEN, b"expected a Welcome notice"),
        Ok(Err(error)) => debug!(peer = trunk.agreement.peer, %error, "a trunk ended before its welcome"),
        // The welcome may be in flight on a path that is broken in our direction. The session that it was for must not end
        // because of that.
        Err(_) => trunk
            .connection
            .close(TrunkConfig::DROPPED, b"no Welcome notice arrived in time"),
    }
}

/// A daemon greets under a name with which there is a session that seems to work. Usually it was restarted: then nothing
/// acknowledges what is sent to its former life. But if that does, there are two daemons of one name, which would end each
/// other's sessions for ever. The newcomer is refused, and both are named.
pub(super) async fn find_alone(step: Step, connection: Connection, probe: Arc<Notify>, steps: mpsc::Sender<Step>) {
    if !acknowledges(&connection, &probe, PROBE_TIME).await {
        let alone = match step {
            Step::Choose { trunk, .. } => Step::Choose { trunk, is_alone: true },
            Step::Welcomed { trunk, id, .. } => Step::Welcomed {
                trunk,
                id,
                is_alone: true,
            },
        };
        let _ = steps.send(alone).await;
        return;
    }
    let (Step::Choose { trunk, .. } | Step::Welcomed { trunk, .. }) = step;
    let (peer, here) = (&trunk.agreement.peer, trunk.connection.remote_address());
    let other = connection.remote_address();
    warn!(
        peer,
        refused = %here,
        running = %other,
        "two daemons have the same name: give each its own [gateway] name and certificate"
    );
    let reason = format!("another daemon named {peer:?} is running, at {other}; this one came from {here}");
    trunk.connection.close(TrunkConfig::REFUSED, reason.as_bytes());
}
