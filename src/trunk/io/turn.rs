//! What a session handles in one turn, before it lets the other sessions of its daemon go on.

use std::task::Context;
use std::task::Poll;

use tokio::sync::mpsc;

/// How many inputs are handled before the outputs are drained: large enough for batching, small enough to starve nobody.
const INPUTS: usize = 64;

/// The weight of the inputs of a turn, in small frames or signals. A peer that floods its session with tiny frames, or with notices of
/// thousands of names, costs the other sessions about an eighth of a millisecond a turn.
pub(super) const WEIGHT: usize = 256;

/// Lets others go on after a turn that had its full weight: the other tasks of this thread, and the other programs of its core, among
/// them the nodes whose signals these are. Bytes do not count: beside bulk data, calls were slower with a pause every 256 KiB.
pub(super) async fn give_way() {
    std::thread::yield_now();
    tokio::task::yield_now().await;
}

/// Takes what one queue has for a turn, and returns its weight. If there is nothing, the task is woken when something comes.
pub(super) fn poll_turn<T>(
    queue: &mut mpsc::Receiver<T>,
    context: &mut Context<'_>,
    taken: &mut Vec<T>,
    weight: impl Fn(&T) -> usize,
) -> Poll<usize> {
    let mut all = 0;
    for _ in 0..INPUTS {
        let Poll::Ready(Some(input)) = queue.poll_recv(context) else {
            break;
        };
        all += weight(&input);
        taken.push(input);
        if all >= WEIGHT {
            break;
        }
    }
    if taken.is_empty() {
        Poll::Pending
    } else {
        Poll::Ready(all)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_turn_ends_with_its_weight_or_its_number() {
        let (queue_in, mut queue) = mpsc::channel(1000);
        let mut turn = |taken: &mut Vec<usize>| {
            let context = &mut Context::from_waker(Waker::noop());
            poll_turn(&mut queue, context, taken, |weight| *weight)
        };
        assert_eq!(turn(&mut Vec::new()), Poll::Pending);
        for weight in [1, WEIGHT, 5, 6].into_iter().chain([1; INPUTS]) {
            queue_in.try_send(weight).unwrap();
        }
        let mut taken = Vec::new();
        assert_eq!(turn(&mut taken), Poll::Ready(1 + WEIGHT));
        assert_eq!(taken, [1, WEIGHT]);
        taken.clear();
        assert_eq!(turn(&mut taken), Poll::Ready(11 + INPUTS - 2));
        assert_eq!(taken.len(), INPUTS);
    }
}
