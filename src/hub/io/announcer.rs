//! Tells one session about local nodes. The hub never waits for a session that is busy: it leaves word, and a task passes it on.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::endpoint::io::session::Command;
use crate::endpoint::io::session::SessionHandle;
use crate::hub::outbox::Outbox;
use crate::hub::outbox::Told;
use crate::router::Policy;
use crate::session::Bounds;

/// The way to tell a session about local nodes. Dropping it ends the task.
#[derive(Debug)]
pub(super) struct Announcer {
    pub(super) session: SessionHandle,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    outbox: Mutex<Outbox<Command>>,
    /// The last change of the configuration that the session has not been told of.
    change: Mutex<(Option<Policy>, Option<Bounds>)>,
    filled: Notify,
}

impl Shared {
    fn change(&self) -> MutexGuard<'_, (Option<Policy>, Option<Bounds>)> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Outbox<Command>) -> T) -> T {
        act(&mut self.outbox.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Announcer {
    pub(super) fn new(session: SessionHandle) -> Self {
        let shared = Arc::<Shared>::default();
        let task = tokio::spawn(pass_on(session.clone(), Arc::clone(&shared)));
        Self { session, shared, task }
    }

    /// A local node came up; `up` says so.
    pub(super) fn up(&self, name: &str, up: Command) {
        self.shared.with(|outbox| outbox.up(name, up));
        self.shared.filled.notify_one();
    }

    /// A local node went down.
    pub(super) fn down(&self, name: &str) {
        self.shared.with(|outbox| outbox.down(name));
        self.shared.filled.notify_one();
    }
}

impl Announcer {
    /// The peer may speak for other nodes from now on.
    pub(super) fn allow(&self, policy: Policy) {
        self.shared.change().0 = Some(policy);
        self.shared.filled.notify_one();
    }

    /// The session has other bounds from now on.
    pub(super) fn bound(&self, bounds: Bounds) {
        self.shared.change().1 = Some(bounds);
        self.shared.filled.notify_one();
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(session: SessionHandle, shared: Arc<Shared>) {
    loop {
        let (policy, bounds) = std::mem::take(&mut *shared.change());
        let changes = policy
            .map(Command::Allow)
            .into_iter()
            .chain(bounds.map(Command::Bounds));
        for change in changes {
            if !session.send(change).await {
                return;
            }
        }
        while let Some(told) = shared.with(Outbox::pop) {
            let command = match told {
                Told::Up(up) => up,
                Told::Down(name) => Command::NodeDown { name },
            };
            if !session.send(command).await {
                return;
            }
        }
        shared.filled.notified().await;
    }
}
