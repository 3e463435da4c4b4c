//! When the circuits of a daemon that leaves are closed: in all its sessions at once.

use tokio::sync::watch;

/// The sessions of a daemon that have nodes to listen to, though it leaves: when there are none left, all close their circuits at once.
#[derive(Clone, Debug, Default)]
pub struct LeaveBarrier(watch::Sender<usize>);

/// One of these sessions, until it is dropped.
#[derive(Debug)]
pub struct LeaveGuard(watch::Sender<usize>);

impl LeaveBarrier {
    /// One more session.
    pub fn join(&self) -> LeaveGuard {
        self.0.send_modify(|sessions| *sessions += 1);
        LeaveGuard(self.0.clone())
    }

    /// Waits until no session listens any more.
    pub async fn opens(&self) {
        // It fails only without a sender, and this is one.
        let _ = self.0.subscribe().wait_for(|sessions| *sessions == 0).await;
    }
}

impl Drop for LeaveGuard {
    fn drop(&mut self) {
        self.0.send_modify(|sessions| *sessions -= 1);
    }
}
