use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use rustc_hash::FxHashSet;

use crate::dist::Sender;
use crate::etf::Pid;
use crate::wire::FrameId;
use crate::wire::StrandId;

/// The bytes of a circuit that are on the way before senders are suspended, however much the peer allows. It is a quarter of the
/// backlog of a session by default, and fills a path of 640 Mbit/s with a round trip of 200 ms.
const MOST: u64 = 16 << 20;

/// With so little on the way nobody is suspended, however little the peer allows.
const LEAST: u64 = 256 << 10;

/// How much more must be on the way before senders are looked at again.
const STEP: u64 = 64 << 10;

/// Frames of one sender that follow one another on a strand count as one until the last one is delivered, up to this many bytes.
const JOINED: u64 = 32 << 10;

/// Which processes have most on the way to the far node, and which of them must not send for now.
///
/// The credit of a circuit belongs to all processes that send. Before it is spent, those with most of what is on the way are
/// suspended, and the others always find credit. Without this, all of them wait for the one that floods.
#[derive(Debug, Default)]
pub(super) struct Backpressure {
    /// What is on the way, in order.
    strands: FxHashMap<StrandId, VecDeque<Underway>>,
    /// The number of entries of all strands.
    entries: u64,
    senders: FxHashMap<Pid, u64>,
    total: u64,
    suspended: FxHashSet<Pid>,
    /// The total when senders were last looked at.
    looked_at: u64,
}

/// Frames of one sender.
#[derive(Debug)]
struct Underway {
    sender: Sender,
    /// The number of the last frame.
    last: u64,
    cost: u64,
}

impl Backpressure {
    /// A frame was given to the lanes.
    pub(super) fn sent(&mut self, frame: FrameId, sender: Sender, cost: u64) {
        self.total += cost;
        if let Sender::Process(pid) = sender {
            *self.senders.entry(pid).or_default() += cost;
        }
        let strand = self.strands.entry(frame.strand).or_default();
        match strand.back_mut() {
            Some(back) if back.sender == sender && back.cost + cost <= JOINED => {
                back.last = frame.number;
                back.cost += cost;
            }
            _ => {
                self.entries += 1;
                strand.push_back(Underway {
                    sender,
                    last: frame.number,
                    cost,
                });
            }
        }
    }

    /// The far side has delivered everything of a strand up to a frame.
    pub(super) fn delivered(&mut self, up_to: FrameId) {
        let Some(strand) = self.strands.get_mut(&up_to.strand) else {
            return;
        };
        while let Some(front) = strand.front()
            && front.last <= up_to.number
            && let Some(Underway { sender, cost, .. }) = strand.pop_front()
        {
            self.entries -= 1;
            self.total -= cost;
            if let Sender::Process(pid) = sender
                && let Some(held) = self.senders.get_mut(&pid)
            {
                *held -= cost;
                if *held == 0 {
                    self.senders.remove(&pid);
                }
            }
        }
        if strand.is_empty() {
            self.strands.remove(&up_to.strand);
        }
        self.looked_at = self.looked_at.min(self.total);
    }

    /// The processes that must not send from now on, all of them, if that has changed. `credit` is what may still be sent.
    pub(super) fn poll(&mut self, credit: u64) -> Option<Vec<Pid>> {
        if self.total >= LEAST && self.total > credit.min(MOST) {
            return self.suspend();
        }
        // What is on the way is delivered sooner or later, so nobody stays suspended.
        let is_over = self.total == 0 || self.total <= (credit / 3).min(MOST / 2);
        if is_over && !self.suspended.is_empty() {
            self.suspended.clear();
            self.looked_at = 0;
            return Some(Vec::new());
        }
        None
    }

    /// Suspends every process that has at least half as much on the way as the average. Those that send little go on.
    fn suspend(&mut self) -> Option<Vec<Pid>> {
        if self.looked_at > 0 && self.total < self.looked_at + STEP {
            return None;
        }
        self.looked_at = self.total;
        let least = self.total / (2 * self.senders.len() as u64).max(1);
        let before = self.suspended.len();
        let most = self.senders.iter().filter(|(_, held)| **held >= least);
        self.suspended.extend(most.map(|(pid, _)| *pid));
        (self.suspended.len() > before).then(|| self.suspended.iter().copied().collect())
    }

    /// The memory of all this in bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.entries * size_of::<Underway>() as u64 * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const NOBODY: [u32; 0] = [];

    const fn pid(id: u32) -> Pid {
        Pid {
            id,
            serial: 0,
            creation: 1,
        }
    }

    /// A circuit with a window, whose strands are numbered like their senders.
    #[derive(Default)]
    struct Line {
        backpressure: Backpressure,
        numbers: FxHashMap<StrandId, u64>,
        window: u64,
        suspended: Vec<u32>,
    }

    impl Line {
        fn new(window: u64) -> Self {
            Self {
                window,
                ..Self::default()
            }
        }

        fn poll(&mut self) -> bool {
            let credit = self.window.saturating_sub(self.backpressure.total);
            let Some(suspended) = self.backpressure.poll(credit) else {
                return false;
            };
            self.suspended = suspended.iter().map(|pid| pid.id).collect();
            self.suspended.sort_unstable();
            true
        }

        fn send(&mut self, sender: u16, cost: u64) {
            let number = self.numbers.entry(sender).or_default();
            *number += 1;
            let frame = FrameId {
                strand: sender,
                number: *number,
            };
            self.backpressure.sent(frame, Sender::Process(pid(sender.into())), cost);
            self.poll();
        }

        /// Everything of a sender is delivered but so many frames.
        fn deliver(&mut self, sender: u16, except: u64) {
            let number = self.numbers.get(&sender).copied().unwrap_or_default() - except;
            self.backpressure.delivered(FrameId { strand: sender, number });
            self.poll();
        }
    }

    #[test]
    fn whoever_has_most_on_the_way_is_suspended_before_the_credit_is_spent() {
        let mut line = Line::new(4 * MIB);
        for _ in 0..19 {
            line.send(1, 100_000);
            line.send(2, 100);
        }
        assert_eq!(line.suspended, NOBODY, "less than half of the window");
        for _ in 0..3 {
            line.send(1, 100_000);
        }
        assert_eq!(line.suspended, [1]);
        // What the suspended process had sent before it was.
        line.send(1, MIB);
        line.send(2, 100);
        assert_eq!(line.suspended, [1]);
    }

    #[test]
    fn everybody_goes_on_when_a_quarter_of_the_window_is_used() {
        let mut line = Line::new(4 * MIB);
        for _ in 0..30 {
            line.send(1, 100_000);
        }
        assert_eq!(line.suspended, [1]);
        line.deliver(1, 11);
        assert_eq!(line.suspended, [1], "more than a quarter");
        line.deliver(1, 10);
        assert_eq!(line.suspended, NOBODY);
        assert_eq!(line.backpressure.total, 1_000_000);
        assert!(!line.poll(), "it is told once");
    }

    #[test]
    fn many_that_flood_together_are_all_suspended() {
        let mut line = Line::new(4 * MIB);
        for _ in 0..4 {
            for sender in 1..=100 {
                line.send(sender, 10_000);
            }
            for sender in 101..=200 {
                line.send(sender, 100);
            }
        }
        assert_eq!(line.suspended, (1..=100).collect::<Vec<_>>());
    }

    /// Others may begin while those that are suspended have not been delivered.
    #[test]
    fn further_ones_are_suspended_later() {
        let mut line = Line::new(4 * MIB);
        for _ in 0..22 {
            line.send(1, 100_000);
        }
        assert_eq!(line.suspended, [1]);
        for _ in 0..10 {
            line.send(2, 100_000);
        }
        assert_eq!(line.suspended, [1, 2]);
        line.deliver(1, 0);
        line.deliver(2, 0);
        assert_eq!(line.suspended, NOBODY);
    }

    /// When memory is short, the peer allows little, and the VM's own backpressure is left.
    #[test]
    fn nobody_is_suspended_in_a_small_window() {
        let mut line = Line::new(128 << 10);
        for _ in 0..10 {
            line.send(1, 20_000);
        }
        assert_eq!(line.suspended, NOBODY);
    }

    #[test]
    fn nobody_stays_suspended_when_the_window_has_shrunk_to_nothing() {
        let mut line = Line::new(4 * MIB);
        for _ in 0..30 {
            line.send(1, 100_000);
        }
        line.window = 0;
        line.deliver(1, 1);
        assert_eq!(line.suspended, [1]);
        line.deliver(1, 0);
        assert_eq!(line.suspended, NOBODY);
    }

    #[test]
    fn a_large_window_is_not_filled() {
        let mut line = Line::new(64 * MIB);
        for _ in 0..170 {
            line.send(1, 100_000);
        }
        assert_eq!(line.suspended, [1]);
    }

    #[test]
    fn frames_that_follow_one_another_are_joined_and_nothing_is_left() {
        let mut line = Line::new(4 * MIB);
        for _ in 0..1000 {
            line.send(1, 100);
        }
        assert!(line.backpressure.entries <= 4, "{}", line.backpressure.entries);
        line.deliver(1, 1);
        assert!(line.backpressure.total < JOINED);
        line.deliver(1, 0);
        let left = &line.backpressure;
        assert_eq!((left.total, left.entries, left.bytes()), (0, 0, 0));
        assert!(left.senders.is_empty() && left.strands.is_empty());
    }
}
