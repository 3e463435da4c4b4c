//! The trunk that currently carries a session, if there is one.

use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

use quinn::ConnectionError;
use quinn::VarInt;
use tokio::sync::watch;
use tracing::info;

use super::greet::Greeted;
use super::streams::Arrival;
use super::streams::Streams;
use crate::endpoint::Outages;
use crate::endpoint::TrunkReport;
use crate::session::Session;
use crate::session::Share;
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkState;
use crate::trunk::keeper::Keeper;
use crate::wire::LaneId;

/// Holds the streams of the trunk, monitors whether the trunk works, and publishes its state to the code that dials.
pub(super) struct TrunkKeeper {
    /// The peer's name, for logs.
    peer: Arc<str>,
    streams: Option<Streams>,
    judge: Keeper,
    state: watch::Sender<TrunkState>,
    /// What former trunks told, all together.
    past: TrunkReport,
    trunks: u64,
    /// Since when the peer was silent, if the session has just resumed.
    outage: Option<Instant>,
    outages: Outages,
}

impl TrunkKeeper {
    /// Creates the keeper of a session with `lanes` lanes, which starts on `trunk`. The trunk's state is published through
    /// `state`.
    pub(super) fn new(
        trunk: Greeted,
        lanes: u8,
        judge: Keeper,
        state: watch::Sender<TrunkState>,
        memory: &Share,
    ) -> Self {
        let keeper = Self {
            peer: trunk.agreement.peer.as_str().into(),
            streams: Some(Streams::new(trunk, lanes, memory.account().clone())),
            judge,
            state,
            past: TrunkReport::default(),
            trunks: 1,
            outage: None,
            outages: Outages::default(),
        };
        keeper.state.send_replace(keeper.judge.state());
        keeper
    }

    /// Takes the arrivals of a turn, and returns their weight. If there are none, the task is woken when one comes.
    pub(super) fn poll_arrive(&mut self, context: &mut Context<'_>, arrived: &mut Vec<Arrival>) -> Poll<usize> {
        match &mut self.streams {
            Some(streams) => streams.poll_arrive(context, arrived),
            None => Poll::Pending,
        }
    }

    /// Records that the peer sent something.
    pub(super) fn heard(&mut self) {
        self.judge.heard();
        self.tell_state();
    }

    /// Records that a stream has written its last batch.
    pub(super) fn written(&mut self, lane: Option<LaneId>) {
        if let Some(streams) = &mut self.streams {
            streams.written(lane);
        }
    }

    /// Gives up the trunk. Returns `false` if the session ends with it: the peer ended it, or it cannot be resumed.
    pub(super) fn lose(&mut self, reason: &str, is_resumable: bool, stalled: Option<Instant>, now: Instant) -> bool {
        self.close_account();
        let ended = self.streams.take().and_then(|streams| streams.close_reason());
        // A peer that ends the session says so by its close code. A peer that closes with `DUPLICATE` is about to use a newer
        // trunk. A peer that gave up an attempt to dial may have closed, with `DROPPED`, the very trunk that we chose.
        let is_ended = matches!(&ended, Some(ConnectionError::ApplicationClosed(close))
            if ![TrunkConfig::DUPLICATE, TrunkConfig::DROPPED].contains(&close.error_code));
        let grace = self.judge.grace();
        if is_ended || grace.is_zero() || !is_resumable {
            return false;
        }
        info!(peer = %self.peer, reason, ?grace, "trunk lost; trying to get another one");
        self.judge.lose(stalled, now);
        true
    }

    /// Replaces the trunk by another one, which carries the session from now on.
    pub(super) fn resume(&mut self, trunk: Greeted, lanes: u8, memory: &Share, stalled: Option<Instant>, now: Instant) {
        let silent = self.judge.silent_since(stalled).map_or(now, |since| since.min(now));
        self.outage = Some(self.outage.map_or(silent, |since| since.min(silent)));
        self.close(TrunkConfig::DUPLICATE, "a newer trunk carries the session");
        self.close_account();
        self.streams = Some(Streams::new(trunk, lanes, memory.account().clone()));
        self.trunks += 1;
        self.judge.resume();
        self.tell_state();
    }

    /// The peer has told what it has: an outage is over, and the rest is sent again.
    fn survived(&mut self, session: &Session, now: Instant) {
        let Some(since) = self.outage.take() else {
            return;
        };
        let length = now.saturating_duration_since(since);
        let (frames, bytes) = session.to_send_again();
        self.outages.add(length);
        self.outages.resent_frames += frames;
        self.outages.resent_bytes += bytes;
        info!(
            peer = %self.peer, outage = ?length, resent_frames = frames, resent_bytes = bytes,
            "the session has resumed on another trunk"
        );
    }

    /// The counters of the trunk belong to the past.
    fn close_account(&mut self) {
        if let Some(streams) = &mut self.streams {
            self.past = self.past.then(streams.report());
        }
    }

    /// What there is to tell of all trunks, their number, and the outages that the session survived.
    pub(super) fn report(&mut self) -> (TrunkReport, u64, Outages) {
        let trunk = match &mut self.streams {
            Some(streams) => self.past.then(streams.report()),
            None => self.past,
        };
        (trunk, self.trunks, self.outages.clone())
    }

    /// Closes the connection. Only the first call has an effect.
    pub(super) fn close(&self, code: VarInt, reason: &str) {
        if let Some(streams) = &self.streams {
            streams.close(code, reason);
        }
    }

    /// Whether there is no trunk, or the peer acknowledges nothing on it.
    pub(super) fn is_stalled(&self) -> bool {
        self.judge.state() == TrunkState::Stalled
    }

    pub(super) const fn is_lost(&self) -> bool {
        self.streams.is_none()
    }

    /// QUIC's estimate of the round-trip time, if there is a trunk.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.streams.as_ref().map(Streams::round_trip)
    }

    /// Updates and publishes the state of the trunk. Returns a reason if the session ends.
    pub(super) fn watch(&mut self, stalled: Option<Instant>, now: Instant) -> Option<String> {
        if self.judge.is_count_due(stalled, now)
            && let Some(streams) = &mut self.streams
        {
            self.judge.count(streams.acknowledgements(), now);
        }
        if self.judge.is_look_due(now)
            && let Some(streams) = &self.streams
        {
            self.judge.look(streams.datagrams(), now);
        }
        // The round-trip time is needed only if the peer is silent, and reading it takes the connection's lock.
        let silence = self.judge.silent_since(stalled).filter(|since| *since < now);
        let round_trip = silence.and_then(|_| self.round_trip()).unwrap_or_default();
        let over = self.judge.judge(stalled, round_trip, now);
        self.tell_state();
        over
    }

    /// When [`TrunkKeeper::watch`] must be called next.
    pub(super) fn poll_timeout(&self, stalled: Option<Instant>) -> Option<Instant> {
        self.judge.poll_timeout(stalled)
    }

    /// Hands the session's output to the streams that are idle.
    pub(super) fn fill(&mut self, session: &mut Session, now: Instant) {
        if self.streams.is_none() {
            return;
        }
        let first = session.poll_start();
        if first.is_some() {
            self.survived(session, now);
        }
        let Some(streams) = &mut self.streams else {
            return;
        };
        streams.tell_calls(session.calls());
        if let Some(first) = first {
            streams.open_lanes(first);
        }
        if streams.is_idle(None)
            && let Some(bytes) = session.poll_control()
        {
            streams.write_control(bytes);
        }
        for lane in 0..session.lanes() {
            if !streams.is_idle(Some(lane)) {
                continue;
            }
            let is_call = session.has_call(lane);
            if let Some(batch) = session.poll_lane(lane) {
                streams.write(lane, batch, is_call);
            }
        }
    }

    fn tell_state(&self) {
        let state = self.judge.state();
        self.state
            .send_if_modified(|before| std::mem::replace(before, state) != state);
    }
}
