use crate::order::Placed;
use crate::session::Bug;

/// Applies [`Bug::DropFence`] to a frame, the `number`th that has fences.
pub(in crate::session) fn with_bug(bug: Option<Bug>, number: u64, mut placed: Placed) -> Placed {
    if bug == Some(Bug::DropFence) && number.is_multiple_of(2) {
        placed.fences.pop();
    }
    placed
}
