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
    change: Mutex<Option<(Policy, Bounds)>>,
    filled: Notify,
}

impl Shared {
    fn change(&self) -> MutexGuard<'_, Option<(Policy, Bounds)>> {
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
    /// The configuration has changed: for which nodes the peer may speak, and the bounds of the session.
    pub(super) fn change(&self, policy: Policy, bounds: Bounds) {
        *self.shared.change() = Some((policy, bounds));
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
        let change = shared.change().take();
        if let Some((policy, bounds)) = change
            && !(session.send(Command::Allow(policy)).await && session.send(Command::Bounds(bounds)).await)
        {
            return;
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
