//! Looks from time to time which nodes of other hosts have bypassed the gateways.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;

use crate::endpoint::io::near;
use crate::gateway::direct::DirectConnections;

/// The time between two looks. A connection between nodes lasts; one that nobody answers ends after 7 s.
const LOOK: Duration = Duration::from_secs(10);

/// What the kernel says of its connections. Elsewhere than on Linux nothing is there, and nothing is said.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// Warns of connections to these nodes, by their ports, as long as there are any.
pub(super) async fn direct_connections(mut exposed: watch::Receiver<BTreeMap<u16, String>>) {
    let mut direct = DirectConnections::default();
    while exposed.wait_for(|nodes| !nodes.is_empty()).await.is_ok() {
        tokio::time::sleep(LOOK).await;
        let nodes = exposed.borrow().clone();
        let look = move || {
            let tables = TABLES.map(|table| fs::read_to_string(table).unwrap_or_default());
            let new = direct.look(&tables.concat(), &nodes, &near::interfaces());
            (direct, new)
        };
        // A long table takes the kernel some milliseconds.
        let Ok((again, new)) = tokio::task::spawn_blocking(look).await else {
            return;
        };
        direct = again;
        for (node, from) in new {
            warn!(
                node, %from,
                "another host is connected to this node without a gateway, unencrypted: look there for -erl_epmd_port or an epmd \
                 module that is not beamway_epmd, and start this node with -kernel inet_dist_use_interface '{{127,0,0,1}}'"
            );
        }
    }
}
