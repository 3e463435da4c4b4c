//! What the hub must hear of a peer and has no room for yet.

use std::collections::VecDeque;

use crate::endpoint::io::session::PeerEvent;

/// Maximum number of events that wait: every circuit that there can be, every node that a peer may announce, and the end of each
/// of them. Only a peer that floods us gets there.
const EVENTS: usize = 16_384;

/// Maximum size of their names in memory, in bytes.
const SIZE: usize = 8 << 20;

/// A queue of events, in order.
#[derive(Debug, Default)]
pub(super) struct News {
    events: VecDeque<PeerEvent>,
    size: usize,
}

impl News {
    pub(super) fn push(&mut self, event: PeerEvent) {
        self.size += size(&event);
        self.events.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<PeerEvent> {
        let event = self.events.pop_front()?;
        self.size -= size(&event);
        Some(event)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether more waits than an honest peer causes.
    pub(super) fn is_flooded(&self) -> bool {
        self.events.len() > EVENTS || self.size > SIZE
    }
}

/// The memory of an event besides its place in the queue, in bytes.
fn size(event: &PeerEvent) -> usize {
    let text = |text: &String| size_of::<String>() + text.len();
    match event {
        PeerEvent::NodeUp { name, hosts, .. } => text(name) + hosts.iter().map(text).sum::<usize>(),
        PeerEvent::NodeDown { name, .. } => text(name),
        PeerEvent::Opened { open, .. } => text(&open.target) + open.send_name.len(),
        PeerEvent::HostDialled { address } => text(address),
        PeerEvent::Up { .. } | PeerEvent::Certified { .. } | PeerEvent::Down { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(hosts: usize) -> PeerEvent {
        PeerEvent::NodeUp {
            peer: "peer".into(),
            name: "a".into(),
            hosts: vec!["h".repeat(200); hosts],
            hidden: false,
        }
    }

    #[test]
    fn events_are_bounded_by_their_number_and_by_their_size() {
        let mut news = News::default();
        for _ in 0..EVENTS {
            news.push(up(1));
        }
        assert!(!news.is_flooded());
        news.push(up(1));
        assert!(news.is_flooded());
        assert_eq!(std::iter::from_fn(|| news.pop()).count(), EVENTS + 1);
        assert!(news.is_empty() && !news.is_flooded());
        for _ in 0..SIZE / (224 * 512 + 25) {
            news.push(up(512));
            assert!(!news.is_flooded());
        }
        news.push(up(512));
        assert!(news.is_flooded());
    }
}
