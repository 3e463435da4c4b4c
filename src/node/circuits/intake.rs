use crate::dist::Format;
use crate::dist::scan;
use crate::dist::scan_first;
use crate::lanes::Head;
use crate::node::ConnectionError;
use crate::node::outlet::Batch;
use crate::node::outlet::fragments;
use crate::node::outlet::take_tail;
use crate::session::Intake;
use crate::wire::Content;

/// Signals from this size on are handed over one by one.
const SMALL: usize = 4 * 1024;

/// Bytes of a run: as much as a strand sends in its turn.
const RUN: usize = 16 * 1024;

/// The signals of a batch as a session takes them: small ones of one sender to one receiver together. `messages` counts those
/// in fragments on their connection.
///
/// # Errors
/// If one that was not sent by a process is no signal.
pub(in crate::node) fn intakes(batch: Batch, messages: &mut u64) -> Result<Vec<Intake>, ConnectionError> {
    let mut bytes = batch.bytes;
    let mut lengths = batch.lengths.as_slice();
    let mut tails = batch.tails;
    let mut signal = 0;
    let mut intakes = Vec::new();
    for run in batch.runs {
        let (mut own, rest) = lengths.split_at(run.signals.min(lengths.len()));
        lengths = rest;
        while !own.is_empty() {
            let count = run
                .head
                .map_or(1, |_| together(own, tails.front().map(|(of, _)| of - signal)));
            let (taken, left) = own.split_at(count);
            own = left;
            let length: usize = taken.iter().sum();
            let body = bytes.split_to(length.min(bytes.len()));
            match (run.head, taken) {
                (Some(head), [_, _, ..]) => intakes.push(Intake::run(head, body, taken)),
                (head, _) => {
                    let tail = take_tail(&mut tails, signal);
                    one(head, fragments(body, tail, messages), &mut intakes)?;
                }
            }
            signal += count;
        }
    }
    Ok(intakes)
}

/// How many of the first signals make a run: at most those before the next one with a tail.
fn together(lengths: &[usize], before_tail: Option<usize>) -> usize {
    let mut bytes = 0;
    let fits = |length: &&usize| {
        bytes += **length;
        **length < SMALL && bytes <= RUN
    };
    let most = before_tail.unwrap_or(lengths.len());
    lengths.iter().take(most).take_while(fits).count().max(1)
}

fn one(
    head: Option<Head>,
    contents: impl Iterator<Item = Content>,
    intakes: &mut Vec<Intake>,
) -> Result<(), ConnectionError> {
    for content in contents {
        let first = content.body().clone();
        intakes.push(match (&content, head) {
            (Content::Next { .. }, _) => Intake::following(content),
            (_, Some(head)) => Intake::message(head, content),
            (Content::Signal(_), None) => Intake::opening(&scan(&first, Format::Header)?, content),
            (Content::First { .. }, None) => Intake::opening(&scan_first(&first, Format::Header)?, content),
        });
    }
    Ok(())
}
