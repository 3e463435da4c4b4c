use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::Address;
use super::Aliases;
use super::address::hash_of_pid;
use super::address::hash_of_reference;
use super::senders::Senders;
use super::strand_of;
use super::strands::Strands;
use crate::dist::Sender;
use crate::etf::Pid;
use crate::wire::FrameId;
use crate::wire::StrandId;

/// The parts of a control term that determine the strand and the fences of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The sender.
    pub sender: Sender,
    /// The address.
    pub address: Address,
}

/// A complete signal or a part of one, in the order of arrival from the BEAM.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A complete signal, or a run.
    Whole(&'a Head),
    /// The first fragment of a signal.
    First {
        /// The sender and address of the signal.
        head: &'a Head,
        /// Identifies the signal among the fragmented ones.
        message: u64,
    },
    /// A later fragment.
    Next {
        /// The signal it belongs to.
        message: u64,
        /// Whether it is the last fragment.
        last: bool,
    },
}

/// The place of a frame among the others.
#[derive(Debug, PartialEq, Eq)]
pub struct Placed {
    /// The strand.
    pub strand: StrandId,
    /// Its number in the strand.
    pub number: u64,
    /// Whose signal it carries.
    pub sender: Sender,
    /// The fences.
    pub fences: Vec<FrameId>,
}

/// The route of a signal, kept for its later fragments.
#[derive(Clone, Copy, Debug)]
struct Route {
    strand: StrandId,
    sender: Sender,
    ambiguous: bool,
}

/// The numbers of the last frame of a strand and of the last one that was delivered; zero if there is none.
#[derive(Clone, Copy, Debug, Default)]
struct Strand {
    last: u64,
    delivered: u64,
}

/// The number of fences that a frame may have on frames of others, before one frame stands for all of them.
const FEW: usize = 16;

/// The last frame per strand of one class, as long as it is not delivered. For a whole circuit there may be many, so
/// this is a table, unlike the list of a sender.
///
/// A frame that waits for all of them stands for them ([`Undelivered::stand_in`]): whatever comes later has a fence on that
/// one only. Otherwise thousands of DOWN signals of one dead server would be thousands of fences of each signal that follows. It
/// waits for a little more than it must, so a few are left alone.
#[derive(Debug, Default)]
struct Undelivered {
    last: FxHashMap<StrandId, u64>,
    /// The number of frames that stood for many others.
    #[cfg(test)]
    stood_in: usize,
}

impl Undelivered {
    /// A frame that has a fence on all others has been placed.
    fn stand_in(&mut self, frame: FrameId) {
        if self.last.len() > FEW {
            self.last.clear();
            self.set(frame);
            #[cfg(test)]
            {
                self.stood_in += 1;
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    fn set(&mut self, frame: FrameId) {
        self.last.insert(frame.strand, frame.number);
    }

    fn delivered(&mut self, up_to: FrameId) {
        if self
            .last
            .get(&up_to.strand)
            .is_some_and(|number| *number <= up_to.number)
        {
            self.last.remove(&up_to.strand);
        }
    }

    /// The frames of all strands but one.
    fn fences(&self, except: StrandId) -> impl Iterator<Item = FrameId> {
        let frames = self.last.iter().map(|(&strand, &number)| FrameId { strand, number });
        frames.filter(move |frame| frame.strand != except)
    }
}

/// The machine on the side where signals enter: it chooses strand and fences, and charges credit.
#[derive(Debug)]
pub struct Outbound {
    /// The number of strands.
    width: u16,
    senders: Senders,
    /// Fragmented signals whose last fragment has not arrived.
    ongoing: FxHashMap<u64, Route>,
    /// The strands in use.
    strands: Strands<Strand>,
    /// Frames of ambiguous signals, and of signals with an unknown sender.
    ambiguous: Undelivered,
    senderless: Undelivered,
    charged: u64,
    granted: u64,
    fences_off: bool,
}

impl Outbound {
    /// Creates a machine that distributes signals over `width` strands, with an initial credit of `granted` bytes.
    pub fn new(width: u16, granted: u64) -> Self {
        Self {
            width,
            senders: Senders::default(),
            ongoing: FxHashMap::default(),
            strands: Strands::default(),
            ambiguous: Undelivered::default(),
            senderless: Undelivered::default(),
            charged: 0,
            granted,
            fences_off: false,
        }
    }

    /// Violates the order on purpose, to show that the tests detect it.
    #[cfg(test)]
    pub(super) fn without_fences(mut self) -> Self {
        self.fences_off = true;
        self
    }

    /// Whether the next frame may be sent. One frame may overdraw the credit, so that a frame of any size can pass.
    pub const fn has_credit(&self) -> bool {
        self.charged < self.granted
    }

    /// The number of bytes that were charged.
    pub const fn charged(&self) -> u64 {
        self.charged
    }

    /// The bytes that may still be sent.
    pub const fn credit(&self) -> u64 {
        self.granted.saturating_sub(self.charged)
    }

    /// Charges a frame. Call it in the order of arrival, before the frame is sent.
    pub const fn charge(&mut self, cost: u64) {
        self.charged += cost;
    }

    /// Records that the receiver has granted `total` bytes since the start. A lower total than before is outdated and ignored.
    pub fn grant(&mut self, total: u64) {
        self.granted = self.granted.max(total);
    }

    /// Records that everything up to this frame of its strand has been delivered.
    ///
    /// # Errors
    /// If there is no such frame. The error is the number of the strand's last frame.
    pub fn delivered(&mut self, up_to: FrameId) -> Result<(), u64> {
        // The peer names the strand: it gets no entry for that.
        let Some(strand) = self.strands.get_mut(up_to.strand) else {
            return if up_to.number == 0 { Ok(()) } else { Err(0) };
        };
        if strand.last < up_to.number {
            return Err(strand.last);
        }
        strand.delivered = up_to.number.max(strand.delivered);
        self.ambiguous.delivered(up_to);
        self.senderless.delivered(up_to);
        self.senders.delivered(up_to);
        Ok(())
    }

    /// Chooses the strand of a frame and its fences.
    ///
    /// Returns `None` for a later fragment whose first fragment is unknown.
    pub fn place(&mut self, part: &Part<'_>, aliases: &mut Aliases) -> Option<Placed> {
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
        // The first fragment carries the fences. The others follow it on its strand.
        let fences = if opens { self.fences(&route) } else { Vec::new() };
        let frame = self.record(&route, opens);
        if opens && !fences.is_empty() {
            self.stand_in(&route, frame);
        }
        Some(Placed {
            strand: route.strand,
            number: frame.number,
            sender: route.sender,
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
            // No signal can depend on the request before the reply has arrived, so its order does not matter.
            Address::Node => match head.sender {
                Sender::Process(sender) => by_pid(&sender),
                Sender::Unknown | Sender::Service => (0, true),
            },
        };
        Route {
            strand: strand_of(hash, self.width),
            sender: head.sender,
            ambiguous,
        }
    }

    fn fences(&self, route: &Route) -> Vec<FrameId> {
        if self.width == 1 || self.fences_off {
            return Vec::new();
        }
        match route.sender {
            Sender::Service => Vec::new(),
            // Any earlier ambiguous signal of the circuit may have the same sender and the same destination.
            Sender::Unknown if route.ambiguous => {
                let is_other = |fence: &FrameId| fence.strand != route.strand;
                self.undelivered().into_iter().filter(is_other).collect()
            }
            Sender::Unknown => self.ambiguous.fences(route.strand).collect(),
            Sender::Process(sender) => {
                let mut fences = self.senders.fences(&sender, route.strand, route.ambiguous);
                if route.ambiguous && !self.senderless.is_empty() {
                    fences.extend(self.senderless.fences(route.strand));
                    keep_last(&mut fences);
                }
                fences
            }
        }
    }

    /// A frame that waits for a whole class stands for that class.
    fn stand_in(&mut self, route: &Route, frame: FrameId) {
        if route.sender == Sender::Unknown {
            self.ambiguous.stand_in(frame);
        }
        if route.ambiguous && route.sender != Sender::Service {
            self.senderless.stand_in(frame);
        }
    }

    fn record(&mut self, route: &Route, opens: bool) -> FrameId {
        let strand = self.strands.entry(route.strand);
        strand.last += 1;
        let frame = FrameId {
            strand: route.strand,
            number: strand.last,
        };
        if route.ambiguous {
            self.ambiguous.set(frame);
        }
        match route.sender {
            Sender::Process(sender) => self.senders.placed(sender, frame, route.ambiguous, opens),
            Sender::Unknown => self.senderless.set(frame),
            Sender::Service => {}
        }
        frame
    }

    /// The last frame of each strand that is not known to be delivered, for a close notice. An old circuit has used all its
    /// strands, and nearly all are idle.
    pub fn undelivered(&self) -> Vec<FrameId> {
        let undelivered = |(strand, state): (StrandId, &Strand)| {
            (state.last > state.delivered).then_some(FrameId {
                strand,
                number: state.last,
            })
        };
        self.strands.iter().filter_map(undelivered).collect()
    }

    /// Whatever is not delivered need not be delivered any more.
    pub fn give_up(&mut self) {
        self.strands = Strands::default();
    }

    /// The number of frames that stood for many others.
    #[cfg(test)]
    pub(super) const fn stood_in(&self) -> usize {
        self.ambiguous.stood_in + self.senderless.stood_in
    }

    /// The memory of the table of strands in bytes.
    pub const fn table_bytes(&self) -> u64 {
        self.strands.bytes()
    }

    /// The number of senders with undelivered frames.
    #[cfg(test)]
    pub(super) fn outstanding(&self) -> usize {
        self.senders.len()
    }
}

/// Keeps one fence per strand: a later frame implies the earlier ones.
fn keep_last(fences: &mut Vec<FrameId>) {
    fences.sort_unstable_by_key(|fence| (fence.strand, Reverse(fence.number)));
    fences.dedup_by_key(|fence| fence.strand);
}
