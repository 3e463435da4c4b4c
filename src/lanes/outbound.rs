use rustc_hash::FxHashMap;

use super::Address;
use super::Aliases;
use super::address::hash_of_pid;
use super::address::hash_of_reference;
use super::lane_of;
use super::senders::Senders;
use crate::dist::Sender;
use crate::etf::Pid;
use crate::wire::Fence;
use crate::wire::LaneId;
use crate::wire::Mark;

/// What decides where a signal goes: read from its control term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Who sent it.
    pub sender: Sender,
    /// Whom it addresses.
    pub address: Address,
}

/// A whole signal or a part of one, in the order of arrival from the BEAM.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A signal in one piece.
    Whole(&'a Head),
    /// The first fragment of a signal.
    First {
        /// Where the signal goes.
        head: &'a Head,
        /// Names the signal among those in fragments.
        message: u64,
    },
    /// A later fragment.
    Next {
        /// The signal it belongs to.
        message: u64,
        /// Whether it is the last one.
        last: bool,
    },
}

/// Where a frame was put.
#[derive(Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its lane.
    pub lane: LaneId,
    /// What it waits for.
    pub fences: Vec<Fence>,
}

/// A signal's place, kept for its later fragments.
#[derive(Clone, Copy, Debug)]
struct Route {
    lane: LaneId,
    sender: Sender,
    ambiguous: bool,
}

/// The machine of the side where signals come in: key → lane, fences, credit.
#[derive(Debug)]
pub struct Outbound {
    lanes: u8,
    senders: Senders,
    /// Signals in fragments whose last fragment has not come yet.
    ongoing: FxHashMap<u64, Route>,
    /// Per lane: the last frame, the last ambiguous one, the last one without a sender; and what was delivered.
    last: Vec<u64>,
    ambiguous: Vec<u64>,
    senderless: Vec<u64>,
    delivered: Vec<u64>,
    frames: Vec<u64>,
    charged: u64,
    granted: u64,
    fences_off: bool,
}

impl Outbound {
    /// A machine for `lanes` lanes that may charge `granted` bytes at first.
    pub fn new(lanes: u8, granted: u64) -> Self {
        let zeros = || vec![0; usize::from(lanes)];
        Self {
            lanes,
            senders: Senders::new(lanes),
            ongoing: FxHashMap::default(),
            last: zeros(),
            ambiguous: zeros(),
            senderless: zeros(),
            delivered: zeros(),
            frames: zeros(),
            charged: 0,
            granted,
            fences_off: false,
        }
    }

    /// Breaks the promise of order, to show that the tests notice.
    #[cfg(test)]
    pub(super) fn without_fences(mut self) -> Self {
        self.fences_off = true;
        self
    }

    /// Whether the next frame may enter a lane. One frame may overdraw the credit, so a frame of any size can pass.
    pub const fn has_credit(&self) -> bool {
        self.charged < self.granted
    }

    /// Charges a frame, in the order of arrival, before it enters a lane.
    pub const fn charge(&mut self, cost: u64) {
        self.charged += cost;
    }

    /// The receiver may be charged `total` bytes since the start; a lower total than before is an old one.
    pub fn grant(&mut self, total: u64) {
        self.granted = self.granted.max(total);
    }

    /// Bytes charged since the start.
    pub const fn charged(&self) -> u64 {
        self.charged
    }

    /// Everything up to `mark` has been delivered.
    pub fn delivered(&mut self, mark: Mark) {
        if let Some(delivered) = self.delivered.get_mut(usize::from(mark.lane)) {
            *delivered = mark.number.max(*delivered);
            self.senders.delivered(mark.lane, mark.number);
        }
    }

    /// Chooses the lane of a frame and its fences. `next` gives the number that the lane's next frame will have.
    ///
    /// Returns `None` for a later fragment whose first one was never placed.
    pub fn place(
        &mut self,
        part: &Part<'_>,
        aliases: &mut Aliases,
        next: impl FnOnce(LaneId) -> u64,
    ) -> Option<Placed> {
        let (route, opens) = match *part {
            Part::Whole(head) => (self.route(head, aliases), true),
            Part::First { head, message } => {
                let route = self.route(head, aliases);
                self.ongoing.insert(message, route);
                (route, true)
            }
            Part::Next { message, last: false } => (*self.ongoing.get(&message)?, false),
            Part::Next { message, last: true } => (self.ongoing.remove(&message)?, false),
        };
        // The fences of a signal stand on its first fragment: the others follow it on its lane.
        let fences = if opens { self.fences(&route) } else { Vec::new() };
        self.record(&route, next(route.lane));
        Some(Placed {
            lane: route.lane,
            fences,
        })
    }

    fn route(&self, head: &Head, aliases: &mut Aliases) -> Route {
        let by_pid = |pid: &Pid| (hash_of_pid(pid), false);
        let (hash, ambiguous) = match head.address {
            Address::Process(pid) => by_pid(&pid),
            Address::Alias(alias) => match aliases.resolve(&alias) {
                Some(owner) => by_pid(&owner),
                None => (hash_of_reference(&alias), true),
            },
            Address::Name(hash) => (hash, true),
            // No signal can depend on the request before its reply came back, so its order does not matter.
            Address::Node => match head.sender {
                Sender::Process(sender) => by_pid(&sender),
                Sender::Unknown | Sender::Service => (0, true),
            },
        };
        Route {
            lane: lane_of(hash, self.lanes),
            sender: head.sender,
            ambiguous,
        }
    }

    fn fences(&self, route: &Route) -> Vec<Fence> {
        if self.lanes == 1 || self.fences_off {
            return Vec::new();
        }
        match route.sender {
            Sender::Service => Vec::new(),
            // Any earlier ambiguous signal of the circuit may be of the same sender, to the same process.
            Sender::Unknown if route.ambiguous => self.undelivered(&self.last, route.lane).collect(),
            Sender::Unknown => self.undelivered(&self.ambiguous, route.lane).collect(),
            Sender::Process(sender) => {
                let mut fences = self.senders.fences(&sender, route.lane, route.ambiguous);
                if route.ambiguous {
                    for fence in self.undelivered(&self.senderless, route.lane) {
                        merge(&mut fences, fence);
                    }
                }
                fences
            }
        }
    }

    /// The marks that are not delivered yet, of all lanes but one.
    fn undelivered<'a>(&'a self, marks: &'a [u64], except: LaneId) -> impl Iterator<Item = Fence> + 'a {
        (0..self.lanes)
            .zip(marks.iter().zip(&self.delivered))
            .filter_map(move |(lane, (number, delivered))| {
                (lane != except && number > delivered).then_some(Fence { lane, number: *number })
            })
    }

    fn record(&mut self, route: &Route, number: u64) {
        let index = usize::from(route.lane);
        let set = |marks: &mut Vec<u64>| {
            if let Some(mark) = marks.get_mut(index) {
                *mark = number;
            }
        };
        set(&mut self.last);
        if let Some(frames) = self.frames.get_mut(index) {
            *frames += 1;
        }
        if route.ambiguous {
            set(&mut self.ambiguous);
        }
        match route.sender {
            Sender::Process(sender) => self.senders.placed(sender, route.lane, number, route.ambiguous),
            Sender::Unknown => set(&mut self.senderless),
            Sender::Service => {}
        }
    }

    /// The last frame on each lane that carried one: what a close names.
    pub fn last(&self) -> Vec<Mark> {
        (0..self.lanes)
            .zip(&self.last)
            .filter(|(_, number)| **number > 0)
            .map(|(lane, number)| Mark { lane, number: *number })
            .collect()
    }

    /// How many frames each lane has carried.
    pub fn frames(&self) -> &[u64] {
        &self.frames
    }

    /// How many senders have something outstanding.
    #[cfg(test)]
    pub(super) fn outstanding(&self) -> usize {
        self.senders.len()
    }
}

/// At most one fence a lane: the later frame stands for the earlier ones.
fn merge(fences: &mut Vec<Fence>, fence: Fence) {
    match fences.iter_mut().find(|other| other.lane == fence.lane) {
        Some(other) => other.number = other.number.max(fence.number),
        None => fences.push(fence),
    }
}
