use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::fault::KINDS;
use super::ledger::Tally;
use super::network::Damage;
use super::world::Outcome;

/// The sums of all runs.
#[derive(Debug, Default)]
pub(super) struct Report {
    seeds: u64,
    steps: u64,
    time: Duration,
    tally: Tally,
    damage: Damage,
    faults: [u64; KINDS.len()],
    resumptions: u64,
    worst_recovery: Duration,
    most_kept: u64,
    failed: Vec<u64>,
    failed_steps: u64,
    /// A fingerprint of all traces, in whatever order they came.
    digest: u64,
}

impl Report {
    /// One more run: of a seed, or of a step of a resume.
    pub(super) fn add(&mut self, outcome: &Outcome, is_step: bool) {
        let Outcome { tally, damage, .. } = outcome;
        let has_failed = !outcome.complaints.is_empty();
        if is_step {
            self.steps += 1;
            self.failed_steps += u64::from(has_failed);
        } else {
            self.seeds += 1;
            self.failed.extend(has_failed.then_some(outcome.seed));
        }
        self.digest ^= outcome.digest.rotate_left((outcome.seed % 64) as u32);
        self.time += outcome.time;
        self.resumptions += outcome.resumptions;
        self.worst_recovery = self.worst_recovery.max(outcome.recovery);
        self.most_kept = self.most_kept.max(outcome.most_kept);
        for (sum, count) in self.faults.iter_mut().zip(outcome.faults) {
            *sum += count;
        }
        self.tally.circuits += tally.circuits;
        self.tally.sent += tally.sent;
        self.tally.delivered += tally.delivered;
        self.tally.lost += tally.lost;
        self.tally.doubled += tally.doubled;
        self.tally.reordered += tally.reordered;
        self.tally.unpromised += tally.unpromised;
        self.tally.unread += tally.unread;
        self.tally.crowded_out += tally.crowded_out;
        self.tally.worst_stall = self.tally.worst_stall.max(tally.worst_stall);
        self.tally.sessions += tally.sessions;
        self.tally.ended += tally.ended;
        self.damage.sent += damage.sent;
        self.damage.dropped += damage.dropped;
        self.damage.duplicated += damage.duplicated;
        self.damage.reordered += damage.reordered;
        self.damage.corrupted += damage.corrupted;
        self.damage.swallowed += damage.swallowed;
        self.damage.unroutable += damage.unroutable;
    }

    pub(super) const fn runs(&self) -> u64 {
        self.seeds + self.steps
    }

    pub(super) const fn has_failed(&self) -> bool {
        !self.failed.is_empty() || self.failed_steps > 0
    }

    /// One line for people.
    pub(super) fn line(&self) -> String {
        let Self { tally, damage, .. } = self;
        let faults: Vec<String> = KINDS
            .iter()
            .zip(self.faults)
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        format!(
            "{seeds} seeds and {steps} resume steps, {hours:.1} simulated hours, {sent} signals in {circuits} circuits; \
             {datagrams} datagrams: dropped {dropped}, duplicated {duplicated}, reordered {reordered_datagrams}, corrupted \
             {corrupted}, lost in blackouts {swallowed}; faults: {faults}; {resumptions} resumes, {ended} sessions ended (with \
             {unpromised} undelivered signals); signals lost {lost}, duplicated {doubled}, reordered {reordered}; longest stall \
             {stall:.1} s, longest recovery {recovery:.1} s, at most {kept} KiB buffered; {failed} failed",
            seeds = self.seeds,
            steps = self.steps,
            hours = self.time.as_secs_f64() / 3600.0,
            sent = tally.sent,
            circuits = tally.circuits,
            datagrams = damage.sent,
            dropped = damage.dropped,
            duplicated = damage.duplicated,
            reordered_datagrams = damage.reordered,
            corrupted = damage.corrupted,
            swallowed = damage.swallowed,
            faults = faults.join(", "),
            resumptions = self.resumptions,
            ended = tally.ended,
            unpromised = tally.unpromised,
            lost = tally.lost,
            doubled = tally.doubled,
            reordered = tally.reordered,
            stall = tally.worst_stall.as_secs_f64(),
            recovery = self.worst_recovery.as_secs_f64(),
            kept = self.most_kept / 1024,
            failed = self.failed.len() as u64 + self.failed_steps,
        )
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let Self { tally, damage, .. } = self;
        let faults: serde_json::Map<String, Value> = KINDS
            .iter()
            .zip(self.faults)
            .map(|(kind, count)| ((*kind).to_owned(), count.into()))
            .collect();
        json!({
            "seeds": self.seeds,
            "steps_of_resume": self.steps,
            "simulated_seconds": self.time.as_secs_f64(),
            "datagrams": {
                "sent": damage.sent,
                "dropped": damage.dropped,
                "duplicated": damage.duplicated,
                "reordered": damage.reordered,
                "corrupted": damage.corrupted,
                "swallowed": damage.swallowed,
                "unroutable": damage.unroutable,
            },
            "faults": faults,
            "circuits": tally.circuits,
            "sent": tally.sent,
            "delivered": tally.delivered,
            "resumptions": self.resumptions,
            "sessions": tally.sessions,
            "sessions_ended": tally.ended,
            "gone_with_sessions": tally.unpromised,
            "sent_to_closed": tally.unread,
            "ended_for_memory": tally.crowded_out,
            "lost": tally.lost,
            "doubled": tally.doubled,
            "reordered": tally.reordered,
            "worst_stall_seconds": tally.worst_stall.as_secs_f64(),
            "worst_recovery_seconds": self.worst_recovery.as_secs_f64(),
            "most_kept_bytes": self.most_kept,
            "failed_seeds": self.failed,
            "failed_steps": self.failed_steps,
            "digest": format!("{:016x}", self.digest),
        })
    }
}
