//! The node as its tasks and its users see it: one machine under a lock, mailboxes, connections.

use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::Weak;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;
use tracing::info;

use super::super::life::live;
use super::context::Context;
use super::ways::Ways;
use crate::dist::Signal;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::Pid;
use crate::etf::Term;
use crate::etf::TermError;
use crate::node::ConnectionError;
use crate::node::Exited;
use crate::node::NodeConfig;
use crate::node::NodeInfo;
use crate::node::Outcome;
use crate::node::OwnIdentity;
use crate::node::RegisterError;
use crate::node::exports;
use crate::node::exports::Exports;
use crate::node::machine::Machine;
use crate::node::machine::Output;
use crate::node::mail::Mail;
use crate::node::mailbox::Mailbox;
use crate::node::outlet::Connection;
use crate::node::queue::Received;
use crate::node::waits::Waits;

/// Polling interval: whether processes have ended, whether a connection is established.
const STOP_LOOK: Duration = Duration::from_millis(5);

/// A running native node. Cheap to clone.
///
/// **The node stops when its last clone is dropped**, without waiting for the end; [`Node::stop`] waits. A running process
/// does not keep its node running, unless it holds a [`Node`] that [`Context::node`] returned.
#[derive(Clone)]
#[must_use = "a node stops when its last clone is dropped"]
pub struct Node {
    pub(in crate::node) shared: Arc<Shared>,
    /// `None` for a node that is stopping: no clone is left.
    _guard: Option<Arc<Guard>>,
}

/// Shared by all clones of a [`Node`] and held by nothing else: stops the node when it is dropped.
struct Guard {
    shared: Arc<Shared>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        // The task tracker is closed at the end of [`Node::stop`].
        if !shared.tasks.is_closed() {
            shared.stopping.cancel();
            let runtime = shared.runtime.clone();
            runtime.spawn(async move { shared.stop().await });
        }
    }
}

/// Starts a connection attempt to another node.
pub(in crate::node) type Dial = fn(&Arc<Shared>, Atom, u64);

/// What all tasks of a node share.
///
/// Locks are taken in this order, never the other way round: machine, tables, one mailbox or connection. A message whose
/// receiver is known takes only the lock of its mailbox or connection.
pub(in crate::node) struct Shared {
    pub(in crate::node) own: OwnIdentity,
    pub(in crate::node) name: Atom,
    pub(in crate::node) config: NodeConfig,
    pub(in crate::node) exports: Exports,
    pub(in crate::node) ways: Ways,
    /// Connects to a node. A parameter, since the code for connections in turn uses this type.
    dial: Dial,
    machine: Mutex<Machine>,
    /// Indexed by the number of the process.
    mailboxes: RwLock<Vec<Option<Arc<Mailbox>>>>,
    connections: RwLock<FxHashMap<u32, Arc<Connection>>>,
    pub(in crate::node) waits: Waits,
    pub(in crate::node) runtime: Handle,
    /// Tasks of connections. Processes are tracked by the machine.
    pub(in crate::node) tasks: TaskTracker,
    pub(in crate::node) stopping: CancellationToken,
    guard: OnceLock<Weak<Guard>>,
}

impl Shared {
    pub(in crate::node) fn new(
        own: OwnIdentity,
        name: Atom,
        config: NodeConfig,
        exports: Exports,
        ways: Ways,
        dial: Dial,
    ) -> Self {
        Self {
            machine: Mutex::new(Machine::new(name.clone(), own.creation, config.processes)),
            own,
            name,
            config,
            exports,
            ways,
            dial,
            mailboxes: RwLock::default(),
            connections: RwLock::default(),
            waits: Waits::default(),
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            guard: OnceLock::new(),
        }
    }

    /// Calls the machine, and executes its outputs before anyone else can call it.
    pub(in crate::node) fn apply<T>(self: &Arc<Self>, act: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let value = act(&mut machine);
        while let Some(output) = machine.poll_output() {
            self.perform(output);
        }
        value
    }

    fn perform(self: &Arc<Self>, output: Output) {
        match output {
            Output::Mail { to, message } => {
                if let Some(mailbox) = self.mailbox(to) {
                    mailbox.push(message.into(), &self.config.mailbox);
                }
            }
            Output::Kill { process, reason } => {
                if let Some(mailbox) = self.mailbox(process) {
                    mailbox.kill(reason);
                }
            }
            Output::Run { process, request } => {
                let context = self.admit(process);
                let shared = Arc::clone(self);
                self.launch(context, move |context| exports::serve_request(shared, context, request));
            }
            Output::Open { connection, node } => {
                let bounds = (self.config.outlet, self.config.outlet_max);
                let opened = Arc::new(Connection::new(connection, node, bounds, self.config.arrears));
                let mut connections = self.connections.write().unwrap_or_else(PoisonError::into_inner);
                connections.insert(connection, opened);
            }
            Output::Connect { node, attempt } => (self.dial)(self, node, attempt),
            Output::Signal { connection, signal } => {
                if let Some(connection) = self.connection(connection) {
                    push_signal(&connection, signal);
                }
            }
            Output::Close { connection, reason } => {
                let mut connections = self.connections.write().unwrap_or_else(PoisonError::into_inner);
                if let Some(connection) = connections.remove(&connection) {
                    info!(node = %self.name, remote = %connection.node, reason, "disconnected from a node");
                    connection.close(&reason);
                }
            }
        }
    }

    pub(in crate::node) fn mailbox(&self, pid: Pid) -> Option<Arc<Mailbox>> {
        let mailboxes = self.mailboxes.read().unwrap_or_else(PoisonError::into_inner);
        mailboxes
            .get(pid.id as usize)?
            .as_ref()
            .filter(|mailbox| mailbox.pid == pid)
            .cloned()
    }

    pub(in crate::node) fn connection(&self, id: u32) -> Option<Arc<Connection>> {
        self.connections
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    /// The connection to another node. Connects to the node if needed.
    pub(in crate::node) fn connection_to(self: &Arc<Self>, node: &Atom) -> Option<Arc<Connection>> {
        let id = self.apply(|machine| machine.connect(node));
        self.connection(id)
    }

    async fn stop(self: &Arc<Self>) {
        self.stopping.cancel();
        for end in [Machine::shut_down, Machine::kill_all] {
            let deadline = Instant::now() + self.config.stop_time;
            self.apply(end);
            while self.apply(|machine| machine.count()) > 0 && Instant::now() < deadline {
                tokio::time::sleep(STOP_LOOK).await;
            }
        }
        self.apply(|machine| {
            let nodes: Vec<Atom> = machine.peers.keys().cloned().collect();
            for node in nodes {
                machine.lose(&node, "this node is stopping");
            }
        });
        self.tasks.close();
        let _ = tokio::time::timeout(self.config.stop_time, self.tasks.wait()).await;
    }

    // Processes.

    /// Creates the mailbox for a process that the machine has just created.
    fn admit(self: &Arc<Self>, pid: Pid) -> Context {
        let mailbox = Arc::new(Mailbox::new(pid));
        let mut mailboxes = self.mailboxes.write().unwrap_or_else(PoisonError::into_inner);
        let index = pid.id as usize;
        if mailboxes.len() <= index {
            mailboxes.resize(index + 1, None);
        }
        if let Some(place) = mailboxes.get_mut(index) {
            *place = Some(Arc::clone(&mailbox));
        }
        Context::new(Arc::clone(self), mailbox)
    }

    pub(in crate::node) fn make_process(self: &Arc<Self>, group_leader: Option<NodePid>) -> Context {
        self.apply(|machine| {
            let pid = machine.spawn(group_leader);
            self.admit(pid)
        })
    }

    /// Runs a process as a task.
    pub(in crate::node) fn launch<F>(self: &Arc<Self>, context: Context, body: impl FnOnce(Context) -> F)
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let mailbox = Arc::clone(&context.mailbox);
        // Boxed, since each future around it would reserve space for its own copy: 1.4 KB for an idle process.
        let body = Box::pin(body(context));
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            let reason = match live(&mailbox, body).await {
                Ok(outcome) => outcome.reason(),
                Err(reason) => reason,
            };
            shared.end(&mailbox, &reason);
        });
    }

    /// Handles the end of a process. Its mailbox is removed first, so that no message is put into a mailbox that nobody
    /// reads.
    pub(in crate::node) fn end(self: &Arc<Self>, mailbox: &Mailbox, reason: &Term) {
        if !matches!(
            reason.as_atom(),
            Some("normal" | "shutdown" | "killed" | "noconnection")
        ) {
            debug!(node = %self.name, pid = ?mailbox.pid, %reason, "a process has ended");
        }
        self.apply(|machine| {
            let mut mailboxes = self.mailboxes.write().unwrap_or_else(PoisonError::into_inner);
            // A later process may already use the same slot.
            if let Some(place) = mailboxes.get_mut(mailbox.pid.id as usize) {
                place.take_if(|there| there.pid == mailbox.pid);
            }
            drop(mailboxes);
            self.release_all(mailbox.close());
            machine.ended(mailbox.pid, reason);
        });
    }

    /// Pays the debt of full mailboxes, when their messages are received or will never be received.
    pub(in crate::node) fn release_all(&self, mails: impl IntoIterator<Item = Mail>) {
        for mut mail in mails {
            self.release(mail.connection(), mail.settle());
        }
    }

    pub(in crate::node) fn release(&self, connection: u32, debt: u32) {
        if debt > 0
            && let Some(connection) = self.connection(connection)
        {
            connection.release(debt as usize);
        }
    }

    /// Accounts for a received message. If its payload is not a valid term, the connection to its sender is closed. A BEAM
    /// does the same, also only when the receiver reads the message.
    pub(in crate::node) fn settle<T>(self: &Arc<Self>, received: Received<Result<T, TermError>>) -> Option<T> {
        self.release(received.connection, received.settled);
        match received.value {
            Ok(value) => Some(value),
            Err(error) => {
                if let Some(connection) = self.connection(received.connection) {
                    let reason = ConnectionError::Term(error).to_string();
                    self.disconnect(&connection.node, connection.id, &reason);
                }
                None
            }
        }
    }

    /// Puts a message from the node itself into the mailbox of one of its processes.
    pub(in crate::node) fn post(&self, to: &NodePid, message: Term) {
        if let Some(mailbox) = self.mailbox(to.pid) {
            mailbox.push(Mail::Term(message), &self.config.mailbox);
        }
    }

    /// Closes a connection because of an error.
    pub(in crate::node) fn disconnect(self: &Arc<Self>, node: &Atom, connection: u32, reason: &str) {
        self.apply(|machine| machine.disconnected(node, connection, reason));
    }
}

/// If a reason is nested too deeply to be encoded, it is replaced: whoever waits for the signal must get it.
fn push_signal(connection: &Connection, signal: Signal) {
    if connection.push(|out| signal.encode(out)).is_ok() {
        return;
    }
    let unencodable = || Term::atom("unencodable");
    let replaced = match signal {
        Signal::Exit { from, to, .. } => Signal::Exit {
            from,
            to,
            reason: unencodable(),
        },
        Signal::Exit2 { from, to, .. } => Signal::Exit2 {
            from,
            to,
            reason: unencodable(),
        },
        Signal::Down {
            from, to, reference, ..
        } => Signal::Down {
            from,
            to,
            reference,
            reason: unencodable(),
        },
        other => other,
    };
    let _ = connection.push(|out| replaced.encode(out));
}

impl Node {
    pub(super) fn started(shared: Arc<Shared>) -> Self {
        let guard = Arc::new(Guard {
            shared: Arc::clone(&shared),
        });
        let _ = shared.guard.set(Arc::downgrade(&guard));
        Self {
            shared,
            _guard: Some(guard),
        }
    }

    /// The node, seen from one of its processes.
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            _guard: shared.guard.get().and_then(Weak::upgrade),
        }
    }

    /// The node's name, `name@host`.
    pub fn name(&self) -> &Atom {
        &self.shared.name
    }

    /// The node's creation: a number that distinguishes incarnations of a node name.
    pub fn creation(&self) -> u32 {
        self.shared.own.creation
    }

    /// Starts a process: an async function that receives its [`Context`].
    ///
    /// ```no_run
    /// # async fn example(node: beamway::node::Node) {
    /// use beamway::node::Message;
    ///
    /// let echo = node.spawn(|mut context| async move {
    ///     while let Message::Term(term) = context.receive().await {
    ///         println!("{term}");
    ///     }
    /// });
    /// # }
    /// ```
    pub fn spawn<F>(&self, body: impl FnOnce(Context) -> F) -> NodePid
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let context = self.shared.make_process(None);
        let pid = context.pid().clone();
        self.shared.launch(context, body);
        pid
    }

    /// Runs a process inside the caller's own task and returns its result. With it, a program acts in the cluster.
    ///
    /// # Errors
    /// If an exit signal ends the process, or it panics.
    pub async fn run<F: Future>(&self, body: impl FnOnce(Context) -> F) -> Result<F::Output, Exited> {
        let context = self.shared.make_process(None);
        let mut ending = Ending {
            shared: Arc::clone(&self.shared),
            mailbox: Arc::clone(&context.mailbox),
            reason: Term::atom("killed"),
        };
        let outcome = live(&ending.mailbox, body(context)).await;
        ending.reason = outcome.as_ref().err().cloned().unwrap_or_else(|| Term::atom("normal"));
        outcome.map_err(|reason| Exited { reason })
    }

    /// `register/2`: gives a process of this node a name.
    ///
    /// # Errors
    /// If the name is taken, or the process already has a name or has ended.
    pub fn register(&self, name: impl Into<Atom>, process: &NodePid) -> Result<(), RegisterError> {
        let name = name.into();
        self.shared.apply(|machine| {
            if machine.process(process.pid).is_none() || !machine.is_own(process) || name == *"undefined" {
                Err(RegisterError::NoProcess)
            } else if machine.register(&name, process.pid) {
                Ok(())
            } else {
                Err(RegisterError::Taken(name))
            }
        })
    }

    /// `unregister/1`: frees a name. `false` if it was not registered.
    pub fn unregister(&self, name: &Atom) -> bool {
        self.shared.apply(|machine| machine.unregister(name))
    }

    /// The process that is registered under a name.
    pub fn whereis(&self, name: &Atom) -> Option<NodePid> {
        self.shared.apply(|machine| Some(machine.full(machine.whereis(name)?)))
    }

    /// All registered names.
    pub fn registered(&self) -> Vec<Atom> {
        self.shared.apply(|machine| machine.registered())
    }

    /// The number of living processes.
    pub fn process_count(&self) -> usize {
        self.shared.apply(|machine| machine.count())
    }

    /// The connected nodes, visible and hidden.
    pub fn nodes(&self) -> Vec<NodeInfo> {
        self.shared.apply(|machine| machine.nodes())
    }

    /// Connects to a node, unless it is connected already.
    ///
    /// # Errors
    /// If the connection cannot be established, or not within twice [`NodeConfig::setup_time`].
    pub async fn connect(&self, node: &Atom) -> Result<(), ConnectionError> {
        if *node == self.shared.name {
            return Ok(());
        }
        let limit = self.shared.config.setup_time * 2;
        let deadline = Instant::now() + limit;
        let connection = self.shared.connection_to(node);
        loop {
            match self.shared.apply(|machine| machine.is_up(node)) {
                Some(true) => return Ok(()),
                Some(false) => {
                    let reason = connection.and_then(|connection| connection.closed());
                    return Err(ConnectionError::Local(reason.unwrap_or_default()));
                }
                None if Instant::now() >= deadline => return Err(ConnectionError::Late(limit)),
                None => tokio::time::sleep(STOP_LOOK).await,
            }
        }
    }

    /// Closes the connection to a node.
    pub fn disconnect(&self, node: &Atom) {
        self.shared
            .apply(|machine| machine.lose(node, "disconnected by the program"));
    }

    /// Stops the node and waits for the end. New connections are refused, and each process is sent the exit signal
    /// `shutdown`. A process that traps exits receives it as a message from itself, and has [`NodeConfig::stop_time`] to end;
    /// then it is killed. Finally the connections are closed, after everything that was sent.
    pub async fn stop(&self) {
        self.shared.stop().await;
    }
}

/// Ends a process when its future is done, or is dropped earlier.
struct Ending {
    shared: Arc<Shared>,
    mailbox: Arc<Mailbox>,
    reason: Term,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.end(&self.mailbox, &self.reason);
    }
}
