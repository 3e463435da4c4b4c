use super::ConnectionError;
use super::links::Cause;
use super::machine::Machine;
use crate::dist::Signal;
use crate::etf::Atom;

/// Signals of other nodes.
impl Machine {
    /// Handles a signal from `node` that is not a message.
    ///
    /// # Errors
    /// If the claimed sender is on another node. The connection must then be closed, as a BEAM does.
    pub(super) fn handle_signal(
        &mut self,
        node: &Atom,
        connection: u32,
        signal: Signal,
    ) -> Result<(), ConnectionError> {
        // Late signals of a connection that has ended do not affect the next one.
        if self.peers.get(node).is_none_or(|peer| peer.connection != connection) {
            return Ok(());
        }
        authentic(node, &signal)?;
        match signal {
            Signal::Link { from, to } => self.linked(connection, from, to),
            Signal::Unlink { id, from, to } => self.unlinked(connection, id, from, to),
            Signal::Unlinked { id, from, to } => self.unlink_acknowledged(id, &from, to.pid),
            Signal::Exit { from, to, reason } => self.link_broken(from, to.pid, reason),
            Signal::Exit2 { from, to, reason } => self.exit_signal(to.pid, from, reason, Cause::Request),
            Signal::GroupLeader { leader, to } => {
                if let Some(relations) = self.relations(to.pid) {
                    relations.group_leader = Some(leader);
                }
            }
            Signal::Monitor { from, to, reference } => self.monitored(connection, from, to, reference),
            Signal::Demonitor { from, reference, .. } => self.demonitored(&from, &reference),
            Signal::Down {
                to, reference, reason, ..
            } => self.down(node, to.pid, reference.reference, reason),
            Signal::Spawn(request) => self.spawn_requested(connection, request),
            Signal::SpawnReply { id, to, flags, result } => self.spawn_answered(node, id, to, flags, result),
        }
        Ok(())
    }
}

/// Checks that a signal comes from a process of the node whose connection brought it.
fn authentic(node: &Atom, signal: &Signal) -> Result<(), ConnectionError> {
    let (operation, from) = match signal {
        Signal::Link { from, .. } => ("LINK", from),
        Signal::Unlink { from, .. } => ("UNLINK_ID", from),
        Signal::Unlinked { from, .. } => ("UNLINK_ID_ACK", from),
        Signal::Exit { from, .. } => ("EXIT", from),
        Signal::Exit2 { from, .. } => ("EXIT2", from),
        Signal::Monitor { from, .. } => ("MONITOR_P", from),
        Signal::Demonitor { from, .. } => ("DEMONITOR_P", from),
        Signal::Spawn(request) => ("SPAWN_REQUEST", &request.from),
        Signal::GroupLeader { .. } | Signal::Down { .. } | Signal::SpawnReply { .. } => return Ok(()),
    };
    if from.node == *node {
        return Ok(());
    }
    Err(ConnectionError::Impostor {
        operation,
        claimed: from.node.clone(),
        node: node.clone(),
    })
}
