use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use super::finding::Finding;
use crate::endpoint::io::near::exposed;
use crate::epmd::Registration;
use crate::epmd::io::registration::look_up;
use crate::epmd::io::registration::names;
use crate::etf::Atom;
use crate::node::Cookie;
use crate::node::Node;

/// Nodes that are looked at.
const NODES: usize = 32;

/// How long each may take.
const TIME: Duration = Duration::from_secs(5);

/// The nodes that are registered at the port mapper, and its address.
pub(super) async fn registered(addresses: &[SocketAddr]) -> Option<(SocketAddr, Vec<Registration>)> {
    for address in addresses {
        let Ok(Ok(names)) = timeout(TIME, names(*address)).await else {
            continue;
        };
        let mut nodes = Vec::new();
        for name in names.iter().take(NODES) {
            if let Ok(Ok(Some(node))) = timeout(TIME, look_up(*address, name)).await {
                nodes.push(node);
            }
        }
        return Some((*address, nodes));
    }
    None
}

/// Whether nodes accept unencrypted distribution from other machines, past the carrier.
pub(super) fn exposure(nodes: &[Registration]) -> Vec<Finding> {
    let check = "nodes";
    let open = nodes.iter().filter_map(|node| Some((node, exposed(node.port)?)));
    let mut found: Vec<Finding> = open
        .map(|(node, address)| {
            Finding::warning(
                check,
                format!(
                    "{} accepts unencrypted distribution at {address}:{} from other machines, past the carrier",
                    node.name, node.port
                ),
                "start it with -kernel inet_dist_use_interface '{127,0,0,1}' (IPv6: '{0,0,0,0,0,0,0,1}')",
            )
        })
        .collect();
    if found.is_empty() {
        let count = nodes.len();
        found.push(Finding::ok(
            check,
            format!("{count} registered, none of which other machines reach past the carrier"),
        ));
    }
    found
}

/// Whether nodes of this host have the cookie. `host` is the host part of their names.
pub(super) async fn cookies(epmd: SocketAddr, nodes: &[Registration], host: &str, cookie: &Cookie) -> Vec<Finding> {
    let check = "cookies";
    let name = format!("beamway-doctor-{}@{host}", std::process::id());
    let ours = match Node::builder(&name).cookie(cookie.expose()).epmd(epmd).start().await {
        Ok(node) => node,
        Err(error) => return vec![Finding::warning(check, format!("not compared: {error}"), "")],
    };
    let mut found = Vec::new();
    for node in nodes {
        let full = format!("{}@{host}", node.name);
        let Ok(target) = Atom::new(&full) else {
            continue;
        };
        let outcome = timeout(TIME, ours.connect(&target)).await;
        found.push(match outcome {
            Ok(Ok(())) => Finding::ok(check, format!("{full} has this cookie")),
            Ok(Err(error)) if error.to_string().contains("cookie") => Finding::failure(
                check,
                format!("{full} has another cookie"),
                "start all nodes of the cluster with the same cookie (-setcookie, ~/.erlang.cookie)",
            ),
            Ok(Err(error)) => Finding::warning(check, format!("{full}: {error}"), ""),
            Err(_) => Finding::warning(
                check,
                format!("{full} does not answer within {TIME:?}"),
                "is it stopped?",
            ),
        });
    }
    ours.stop().await;
    found
}
