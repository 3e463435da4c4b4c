//! The local ends of a session's circuits.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use rustc_hash::FxHashMap;

use crate::endpoint::Nodes;
use crate::endpoint::io::attachment::Attachment;
use crate::endpoint::io::attachment::Delivery;
use crate::endpoint::io::attachment::EndpointEvent;
use crate::etf::Pid;
use crate::router::Denied;
use crate::router::Policy;
use crate::router::Rules;
use crate::session::Limits;
use crate::session::Session;
use crate::wire::CircuitId;

/// What the rules say of the signals of two nodes.
fn limits(rules: &Rules, nodes: &Nodes) -> Limits {
    let sent = rules.flow(&nodes.local, &nodes.far);
    let received = rules.flow(&nodes.far, &nodes.local);
    Limits {
        sent: sent.rate.map(|(rate, _)| rate),
        received: received.rate.map(|(rate, _)| rate),
        priority: sent.priority.map(|(priority, _)| priority).unwrap_or_default(),
    }
}

/// The attached endpoints, by circuit. If an endpoint has closed, or its queue has overflowed, its circuit is closed.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    attached: FxHashMap<CircuitId, Attachment>,
    /// The nodes of circuits on which they have agreed.
    nodes: FxHashMap<CircuitId, Nodes>,
}

impl Endpoints {
    pub(super) fn attach(&mut self, circuit: CircuitId, endpoint: Attachment) {
        self.attached.insert(circuit, endpoint);
    }

    pub(super) fn remove(&mut self, circuit: CircuitId) {
        self.attached.remove(&circuit);
        self.nodes.remove(&circuit);
    }

    /// The nodes of a circuit have agreed. What the rules say of them holds from now on.
    pub(super) fn establish(
        &mut self,
        circuit: CircuitId,
        nodes: Nodes,
        rules: &Rules,
        session: &mut Session,
        now: Instant,
    ) {
        if !self.attached.contains_key(&circuit) {
            return;
        }
        // The rules may have changed during the handshake.
        if let Err(denied) = rules.check(&nodes.local, &nodes.far) {
            return self.cut(circuit, &denied, session, now);
        }
        session.limit(circuit, limits(rules, &nodes));
        self.nodes.insert(circuit, nodes);
    }

    /// Closes a circuit that may not be.
    fn cut(&mut self, circuit: CircuitId, denied: &Denied, session: &mut Session, now: Instant) {
        let reason = denied.to_string();
        self.tell(circuit, EndpointEvent::Closed(reason.clone()), session, now);
        self.remove(circuit);
        session.cut(circuit, reason, now);
    }

    /// The nodes of each circuit, and how long the local one was not read.
    pub(super) fn nodes(&self) -> FxHashMap<CircuitId, (Nodes, Duration)> {
        let nodes = self.nodes.iter();
        let known = nodes.filter_map(|(circuit, nodes)| {
            let attachment = self.attached.get(circuit)?;
            Some((*circuit, (nodes.clone(), attachment.blocked())))
        });
        known.collect()
    }

    /// The peer may speak for these nodes from now on, and other rules may hold: circuits that may not be any more are closed.
    pub(super) fn allow(&mut self, policy: &Policy, rules: &Rules, session: &mut Session, now: Instant) {
        let refused: Vec<_> = self
            .nodes
            .iter()
            .filter(|(_, nodes)| !policy.allows(&nodes.far))
            .collect();
        let refused: Vec<_> = refused
            .into_iter()
            .map(|(circuit, nodes)| (*circuit, Arc::clone(&nodes.far)))
            .collect();
        for (circuit, node) in refused {
            let reason = format!("the peer may not speak for node {node} any more");
            self.tell(circuit, EndpointEvent::Closed(reason.clone()), session, now);
            self.remove(circuit);
            session.close(circuit, reason, now);
        }
        let checked = self.nodes.iter();
        let denied: Vec<_> = checked
            .filter_map(|(circuit, nodes)| Some((*circuit, rules.check(&nodes.local, &nodes.far).err()?)))
            .collect();
        for (circuit, denied) in denied {
            self.cut(circuit, &denied, session, now);
        }
        for (circuit, nodes) in &self.nodes {
            session.limit(*circuit, limits(rules, nodes));
        }
    }

    /// Records that the endpoint of a circuit has written a delivery of this cost.
    pub(super) fn written(&mut self, circuit: CircuitId, cost: u64, session: &mut Session, now: Instant) {
        if let Some(endpoint) = self.attached.get_mut(&circuit) {
            endpoint.written(cost);
            session.written(circuit, cost, now);
        }
    }

    /// Tells the endpoint of a circuit that the session has taken signals of this cost from it.
    pub(super) fn taken(&self, circuit: CircuitId, cost: u64) {
        if let Some(endpoint) = self.attached.get(&circuit) {
            endpoint.taken(cost);
        }
    }

    /// Tells the endpoint of a circuit whether the far node is silent.
    pub(super) fn silence(&self, circuit: CircuitId, is_silent: bool) {
        if let Some(endpoint) = self.attached.get(&circuit) {
            endpoint.silence(is_silent);
        }
    }

    /// Tells the endpoint of a circuit which processes of its node must not send for now.
    pub(super) fn suspend(&self, circuit: CircuitId, senders: Vec<Pid>) {
        if let Some(endpoint) = self.attached.get(&circuit) {
            endpoint.suspend(senders);
        }
    }

    /// Hands the session's deliveries to the endpoint of a circuit, as far as it has room.
    pub(super) fn deliver(&mut self, circuit: CircuitId, session: &mut Session, now: Instant) {
        let Some(endpoint) = self.attached.get_mut(&circuit) else {
            return;
        };
        let Some(room) = endpoint.room() else {
            return;
        };
        let mut delivery = Delivery::default();
        while delivery.cost < room
            && let Some(content) = session.poll_delivery(circuit, now)
        {
            delivery.cost += content.cost();
            delivery.contents.push(content);
        }
        if !delivery.contents.is_empty() && endpoint.deliver(delivery).is_err() {
            self.remove(circuit);
            session.close(circuit, "the local end of the circuit has closed".into(), now);
        }
    }

    pub(super) fn tell(&mut self, circuit: CircuitId, event: EndpointEvent, session: &mut Session, now: Instant) {
        let Some(endpoint) = self.attached.get(&circuit) else {
            return;
        };
        if endpoint.tell(event).is_err() {
            self.remove(circuit);
            let reason = "the local end of the circuit has closed, or the peer sent it too many handshake messages";
            session.close(circuit, reason.into(), now);
        }
    }

    /// Tells all endpoints that the session has ended.
    pub(super) fn close_all(&mut self, reason: &str) {
        for (_, endpoint) in self.attached.drain() {
            let _ = endpoint.tell(EndpointEvent::Closed(reason.to_owned()));
        }
    }
}
