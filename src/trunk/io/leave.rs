//! When a daemon leaves, it closes its circuits in all its sessions at the same time.

use tokio::sync::watch;

/// Counts the sessions of a leaving daemon in which nodes may still send. When it reaches zero, all sessions close their circuits.
#[derive(Clone, Debug, Default)]
pub struct LeaveBarrier(watch::Sender<usize>);

/// One of these sessions. Dropping the guard lowers the count.
#[derive(Debug)]
pub struct LeaveGuard(watch::Sender<usize>);

impl LeaveBarrier {
    /// Adds a session.
    pub fn join(&self) -> LeaveGuard {
        self.0.send_modify(|sessions| *sessions += 1);
        LeaveGuard(self.0.clone())
    }

    /// Waits until the count is zero.
    pub async fn opens(&self) {
        // This fails only if the sender is gone, and `self` holds it.
        let _ = self.0.subscribe().wait_for(|sessions| *sessions == 0).await;
    }
}

impl Drop for LeaveGuard {
    fn drop(&mut self) {
        self.0.send_modify(|sessions| *sessions -= 1);
    }
}
