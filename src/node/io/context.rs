//! The operations of a process: send, receive, link, monitor, spawn.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::codec::Reader;
use crate::dist::Sender;
use crate::dist::Target;
use crate::dist::send_term;
use crate::etf::Atom;
use crate::etf::Limits;
use crate::etf::NodePid;
use crate::etf::NodeReference;
use crate::etf::Pid;
use crate::etf::Term;
use crate::etf::TermError;
use crate::etf::TermRef;
use crate::etf::ValueError;
use crate::etf::from_term;
use crate::etf::from_view;
use crate::node::AliasMode;
use crate::node::Message;
use crate::node::Outcome;
use crate::node::RegisterError;
use crate::node::SendError;
use crate::node::Ties;
use crate::node::destination::Destination;
use crate::node::io::node::Node;
use crate::node::io::node::Shared;
use crate::node::mail::Letter;
use crate::node::mail::Mail;
use crate::node::mail::open;
use crate::node::mailbox::Mailbox;
use crate::node::mailbox::Spared;
use crate::node::outlet::Connection;
use crate::node::outlet::Offered;
use crate::node::outlet::start;
use crate::node::queue::Queue;
use crate::order::Address;
use crate::order::Head;

/// Binaries of at least this many bytes are not copied into the send buffer.
const LARGE: usize = 64 * 1024;

/// A process, as its own code uses it.
///
/// The process lives as long as the function that received the context runs.
pub struct Context {
    pub(in crate::node) shared: Arc<Shared>,
    pub(in crate::node) mailbox: Arc<Mailbox>,
    pid: NodePid,
    queue: Queue,
    /// The route of the last message to another node.
    route: Option<Route>,
    /// Messages received and sent since other tasks could last run.
    reductions: u32,
}

/// After this many messages received and sent, other tasks run, as Erlang schedules another process after 4000 reductions.
/// Pending output is then written, so that a server and 64 callers on another machine work at the same time, and not in
/// turns.
const TURN: u32 = 64;

/// A cached route to a receiver on another node: a process that sends much sends to the same receivers again and again.
struct Route {
    to: Destination,
    head: Head,
    /// The start of a message: everything before the payload.
    start: Bytes,
    connection: Arc<Connection>,
}

impl Route {
    fn offer(&self, message: &Term) -> Result<Offered, TermError> {
        let payload = |out: &mut BytesMut| message.write_but(LARGE, out);
        self.connection.offer(self.head, &self.start, payload)
    }
}

impl Context {
    pub(in crate::node) fn new(shared: Arc<Shared>, mailbox: Arc<Mailbox>) -> Self {
        let pid = NodePid {
            node: shared.name.clone(),
            pid: mailbox.pid,
        };
        Self {
            shared,
            mailbox,
            pid,
            queue: Queue::default(),
            route: None,
            reductions: 0,
        }
    }

    /// This process: `self()`.
    pub const fn pid(&self) -> &NodePid {
        &self.pid
    }

    pub(in crate::node) const fn own(&self) -> Pid {
        self.pid.pid
    }

    /// The node on which it runs.
    pub fn node(&self) -> Node {
        Node::of(&self.shared)
    }

    /// Number of messages that wait to be received.
    pub fn queue_len(&self) -> usize {
        self.mailbox.len() - self.queue.received()
    }

    // Sending.

    /// Sends a message: `To ! Message`. Connects to the node first if needed. A message that cannot be delivered is lost.
    ///
    /// Waits while the send buffer for that node is full, or, for a process of this node, while its mailbox is full. It does not
    /// wait for a process that waits for this one in turn, itself or through others: then the mailbox may be filled up to eight times
    /// its bound.
    ///
    /// # Errors
    /// If the receiver is a name of this node that is not registered, the message cannot be encoded, or the mailbox of a process that
    /// waits for this one is filled that far.
    pub async fn send(&mut self, to: impl Into<Destination>, message: impl Into<Term>) -> Result<(), SendError> {
        let (to, message) = (to.into(), message.into());
        // A process that only sends would otherwise never yield.
        self.reductions = self.reductions.saturating_add(1);
        if let Some(route) = &self.route
            && route.to == to
            && route.offer(&message)? == Offered::Taken
        {
            return Ok(());
        }
        if to.node().is_none_or(|node| *node == self.shared.name) {
            self.send_near(to.into(), message).await
        } else {
            self.send_far(to, &message).await
        }
    }

    async fn send_near(&mut self, to: Target, message: Term) -> Result<(), SendError> {
        let to = match to {
            Target::Process(pid) => Some(pid.pid),
            Target::Alias(alias) => self.shared.apply(|machine| machine.resolve_alias(alias.reference)),
            Target::Name(name) => match self.shared.apply(|machine| machine.whereis(&name)) {
                None => return Err(SendError::NotRegistered(name)),
                found => found,
            },
        };
        let Some(mailbox) = to.and_then(|pid| self.shared.mailbox(pid)) else {
            return Ok(());
        };
        self.await_room(&mailbox).await?;
        mailbox.push(Mail::Term(message), &self.shared.config.mailbox);
        Ok(())
    }

    /// Waits until the mailbox of a process of this node has room. If the process waits for this one, that would be for ever: then
    /// the mailbox may be filled further, to a limit.
    async fn await_room(&mut self, mailbox: &Mailbox) -> Result<(), SendError> {
        let bound = &self.shared.config.mailbox;
        if mailbox.has_room(bound) {
            return Ok(());
        }
        // Others may wait for what this process has received.
        self.mailbox.account(&mut self.queue);
        let (waits, own) = (&self.shared.waits, self.mailbox.pid);
        let mut waiting = None;
        poll_fn(move |context| {
            if mailbox.poll_room(context, bound).is_ready() {
                return Poll::Ready(Ok(()));
            }
            if waiting.is_none() {
                waiting = waits.begin(own, mailbox.pid);
            }
            match waiting {
                Some(_) => Poll::Pending,
                None if mailbox.has_reserve(bound) => Poll::Ready(Ok(())),
                None => Poll::Ready(Err(SendError::Deadlock)),
            }
        })
        .await
    }

    async fn send_far(&mut self, to: Destination, message: &Term) -> Result<(), SendError> {
        // The connection may end while this waits for room. The message then goes to the next connection, once.
        for _ in 0..2 {
            if self.route.as_ref().is_none_or(|route| route.to != to) {
                self.turn_to(&to);
            }
            loop {
                let Some(route) = &self.route else {
                    return Ok(());
                };
                match route.offer(message)? {
                    Offered::Taken => return Ok(()),
                    Offered::Full => self.await_outlet(&Arc::clone(&route.connection)).await,
                    Offered::Closed => break,
                }
            }
            self.route = None;
        }
        Ok(())
    }

    /// Waits until a connection has room. This process receives nothing meanwhile, so no connection is charged for what has come for
    /// it, to a limit: at the other end, a process may wait in the same way until this node reads.
    async fn await_outlet(&mut self, connection: &Connection) {
        let mailbox = Arc::clone(&self.mailbox);
        let _sparing = mailbox.spare(Spared::Connections);
        if mailbox.has_reserve(&self.shared.config.mailbox) {
            let there = self.seen();
            self.pass_over(there);
        }
        poll_fn(|context| connection.poll_room(context)).await;
    }

    /// Finds the route to a receiver on another node. Connects to the node if needed.
    fn turn_to(&mut self, to: &Destination) {
        let before = self.route.take().map(|route| route.connection);
        let connection = before
            .filter(|connection| to.node() == Some(&connection.node))
            .or_else(|| self.shared.connection_to(to.node()?));
        let target = Target::from(to.clone());
        self.route = connection.map(|connection| Route {
            to: to.clone(),
            head: Head {
                sender: Sender::Process(self.own()),
                address: match &target {
                    Target::Process(pid) => Address::Process(pid.pid),
                    Target::Name(name) => Address::name(name.as_bytes()),
                    Target::Alias(alias) => Address::Alias(alias.reference),
                },
            },
            start: start(&send_term(&self.pid, &target)),
            connection,
        });
    }

    // Receiving.

    /// Receives the next message, in order of arrival.
    ///
    /// Cancel safe: if the future is dropped, as in `tokio::select!`, no message is lost. Now and then it lets other tasks
    /// run first, even if a message is waiting; [`Context::receive_within`] with a time of zero never does.
    pub async fn receive(&mut self) -> Message {
        self.take_next(open).await
    }

    /// Receives the first message for which `wanted` returns `true`. Other messages stay in their order.
    pub async fn receive_match(&mut self, mut wanted: impl FnMut(&Message) -> bool) -> Message {
        self.receive_map(|message| if wanted(&message) { Ok(message) } else { Err(message) })
            .await
    }

    /// Receives the first message that `take` accepts, and returns what `take` makes of it. `take` gives other messages back;
    /// they stay in their order.
    pub async fn receive_map<T>(&mut self, take: impl FnMut(Message) -> Result<T, Message>) -> T {
        self.receive_from(0, take).await
    }

    /// Receives the next message; `None` if none arrives within `limit`. With a limit of zero, only a message that is already
    /// there.
    pub async fn receive_within(&mut self, limit: Duration) -> Option<Message> {
        self.keep_turn(limit);
        timeout(limit, self.receive()).await.ok()
    }

    /// Receives the next message and deserializes its term, without an intermediate `Term` if it came from another node.
    ///
    /// # Errors
    /// If the term has another type; the message is dropped. Exit signals and other notifications are read as Erlang's terms
    /// for them.
    pub async fn receive_as<T: DeserializeOwned>(&mut self) -> Result<T, ValueError> {
        self.take_next(|letter, limits| match letter {
            Letter::Encoded(payload, _) => TermRef::read(&mut Reader::new(payload), limits).map(from_view),
            Letter::Open(message) => Ok(from_term(&Term::from(message))),
        })
        .await
    }

    /// Receives the next message, as `read` makes of it. Skips payloads that are not valid terms.
    async fn take_next<T>(&mut self, read: impl Fn(Letter<'_>, &Limits) -> Result<T, TermError>) -> T {
        self.take_turns().await;
        loop {
            let limits = &self.shared.config.limits;
            while let Some(received) = self.queue.take(|letter| read(letter, limits)) {
                if let Some(value) = self.shared.settle(received) {
                    return value;
                }
            }
            self.refill().await;
        }
    }

    /// The same as [`Context::receive_map`], but skips the first `seen` messages, which are known not to match.
    pub(in crate::node) async fn receive_from<T>(
        &mut self,
        mut seen: usize,
        mut take: impl FnMut(Message) -> Result<T, Message>,
    ) -> T {
        self.take_turns().await;
        loop {
            let limits = &self.shared.config.limits;
            while let Some(received) = self.queue.take_at(seen, |letter| open(letter, limits)) {
                match self.shared.settle(received).map(&mut take) {
                    None => self.queue.remove(seen),
                    Some(Ok(value)) => {
                        self.queue.remove(seen);
                        return value;
                    }
                    Some(Err(message)) => {
                        self.queue.put_back(seen, message);
                        seen += 1;
                    }
                }
            }
            // The wanted message comes behind the skipped ones, perhaps on the connection that is charged for them.
            self.pass_over(seen);
            // Nor do local senders wait until the skipped ones are received.
            let _sparing = (seen > 0).then(|| self.mailbox.spare(Spared::All));
            poll_fn(|context| self.mailbox.poll_take(context, &mut self.queue)).await;
        }
    }

    /// No connection is charged any more for these first messages.
    fn pass_over(&mut self, seen: usize) {
        for (connection, debt) in self.queue.pass_over(seen) {
            self.shared.release(connection, debt);
        }
    }

    /// Sends a message, and receives the answer as [`Context::receive_from`] does, both within `limit`; `None` when it expires.
    ///
    /// # Errors
    /// If the message cannot be sent. If nobody is registered under its name, an answer is waited for all the same.
    pub(in crate::node) async fn ask<T>(
        &mut self,
        to: Destination,
        message: Term,
        limit: Duration,
        seen: usize,
        take: impl FnMut(Message) -> Result<T, Message>,
    ) -> Result<Option<T>, SendError> {
        self.keep_turn(limit);
        let asked = async {
            match self.send(to, message).await {
                Ok(()) | Err(SendError::NotRegistered(_)) => Ok(self.receive_from(seen, take).await),
                Err(error) => Err(error),
            }
        };
        timeout(limit, asked).await.map_or(Ok(None), |answer| answer.map(Some))
    }

    /// The same as [`Context::receive_from`], with a time limit; `None` when it expires.
    pub(in crate::node) async fn receive_from_within<T>(
        &mut self,
        limit: Duration,
        seen: usize,
        take: impl FnMut(Message) -> Result<T, Message>,
    ) -> Option<T> {
        self.keep_turn(limit);
        timeout(limit, self.receive_from(seen, take)).await.ok()
    }

    /// Called before a message is received: lets other tasks run if this process has had its turn.
    async fn take_turns(&mut self) {
        self.reductions = self.reductions.saturating_add(1);
        if self.reductions >= TURN {
            self.reductions = 0;
            tokio::task::yield_now().await;
        }
    }

    /// With a limit of zero, there is no time to let other tasks run.
    const fn keep_turn(&mut self, limit: Duration) {
        if limit.is_zero() {
            self.reductions = 0;
        }
    }

    /// The number of messages that [`Context::receive_from`] may skip when the wanted message has not been sent yet.
    pub(in crate::node) fn seen(&mut self) -> usize {
        let mut idle = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = self.mailbox.poll_take(&mut idle, &mut self.queue);
        self.queue.len()
    }

    async fn refill(&mut self) {
        poll_fn(|context| self.mailbox.poll_take(context, &mut self.queue)).await;
    }

    /// `rpc:call/4` of an exported function of this node, inside this process.
    pub(in crate::node) async fn apply(&self, module: &Atom, function: &Atom, arguments: &[Term]) -> Term {
        let context = Self::new(Arc::clone(&self.shared), Arc::clone(&self.mailbox));
        self.shared.exports.call(context, module, function, arguments).await
    }

    // Links, monitors and names.

    /// `link/1`. If the other process does not exist, this one receives an exit signal with the reason `noproc`.
    pub fn link(&self, other: &NodePid) {
        self.shared.apply(|machine| machine.link(self.own(), other));
    }

    /// `unlink/1`. An exit message that has arrived before stays in the mailbox. No more come from that link.
    pub fn unlink(&self, other: &NodePid) {
        self.shared.apply(|machine| machine.unlink(self.own(), other));
    }

    /// `monitor/2`: watches a process, or the process that is now registered under a name. Leads to exactly one
    /// [`Message::Down`].
    pub fn monitor(&self, watched: impl Into<Destination>) -> NodeReference {
        self.watch(watched.into(), None)
    }

    /// `monitor/3` with an alias: the reference is also an address of this process, for as long as `mode` says.
    pub fn monitor_with_alias(&self, watched: impl Into<Destination>, mode: AliasMode) -> NodeReference {
        self.watch(watched.into(), Some(mode))
    }

    fn watch(&self, watched: Destination, alias: Option<AliasMode>) -> NodeReference {
        let watched = watched.into_watched(&self.shared.name);
        self.shared.apply(|machine| {
            let reference = machine.monitor(self.own(), watched, alias);
            machine.full_reference(reference)
        })
    }

    /// `demonitor/2` with `flush`: removes the monitor, and its [`Message::Down`] if that is already in the mailbox.
    pub fn demonitor(&mut self, monitor: &NodeReference) {
        if self
            .shared
            .apply(|machine| machine.demonitor(self.own(), monitor.reference))
        {
            return;
        }
        // It has fired, or never existed.
        self.seen();
        self.queue
            .discard(|message| matches!(message, Message::Down { reference, .. } if **reference == *monitor));
    }

    /// `alias/0`: creates another address of this process, valid until [`Context::unalias`].
    pub fn alias(&self) -> NodeReference {
        self.shared.apply(|machine| {
            let reference = machine.alias(self.own());
            machine.full_reference(reference)
        })
    }

    /// `unalias/1`; `false` if it is not, or no longer, an alias of this process.
    pub fn unalias(&self, alias: &NodeReference) -> bool {
        self.shared
            .apply(|machine| machine.unalias(self.own(), alias.reference))
    }

    /// `make_ref/0`: a unique reference.
    pub fn make_reference(&self) -> NodeReference {
        self.shared.apply(|machine| {
            let reference = machine.make_reference(false);
            machine.full_reference(reference)
        })
    }

    /// `exit/2`: sends an exit signal. The reason `kill` cannot be trapped.
    pub fn exit(&self, to: &NodePid, reason: impl Into<Term>) {
        let reason = reason.into();
        self.shared.apply(|machine| machine.exit(self.own(), to, reason));
    }

    /// `process_flag(trap_exit, …)`: while on, exit signals become [`Message::Exit`]. Returns the previous setting.
    pub fn trap_exit(&self, on: bool) -> bool {
        self.shared.apply(|machine| machine.trap_exits(self.own(), on))
    }

    /// `register/2`: gives this process a name on its node.
    ///
    /// # Errors
    /// If the name is taken, or the process already has one.
    pub fn register(&self, name: impl Into<Atom>) -> Result<(), RegisterError> {
        self.node().register(name.into(), &self.pid)
    }

    /// `monitor_node/2`: leads to a [`Message::NodeDown`] when the node disconnects or cannot be reached.
    pub fn monitor_node(&self, node: &Atom, on: bool) {
        self.shared.apply(|machine| machine.monitor_node(self.own(), node, on));
    }

    /// `net_kernel:monitor_nodes/1`: [`Message::NodeUp`] and [`Message::NodeDown`] for all nodes.
    pub fn monitor_nodes(&self, on: bool) {
        self.shared.apply(|machine| machine.monitor_nodes(self.own(), on));
    }

    /// `group_leader/0`: the process that does input and output for this one. By default the process itself.
    pub fn group_leader(&self) -> NodePid {
        let leader = self.shared.apply(|machine| machine.group_leader(self.own()));
        leader.unwrap_or_else(|| self.pid.clone())
    }

    /// `group_leader/2`: sets the group leader of the process `of`, here or on another node.
    pub fn set_group_leader(&self, leader: NodePid, of: NodePid) {
        self.shared.apply(|machine| machine.set_group_leader(leader, of));
    }

    // Spawning.

    /// Starts another process on this node. It inherits the group leader.
    pub fn spawn<F>(&self, body: impl FnOnce(Self) -> F) -> NodePid
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        self.spawn_tied(Ties::default(), body).0
    }

    /// `spawn_opt/2`: starts a process that is linked or monitored from its start. Returns the monitor too, if there is one.
    pub fn spawn_tied<F>(&self, ties: Ties, body: impl FnOnce(Self) -> F) -> (NodePid, Option<NodeReference>)
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let leader = self.shared.apply(|machine| machine.group_leader(self.own()));
        let context = self.shared.make_process(leader);
        let pid = context.pid.clone();
        if ties.link {
            self.link(&pid);
        }
        let monitor = ties.monitor.then(|| self.monitor(&pid));
        self.shared.launch(context, body);
        (pid, monitor)
    }

    /// `spawn_request/5`: runs an exported function on another node. Leads to a [`Message::SpawnReply`]. The returned
    /// reference names the request, and also the monitor if one is asked for.
    pub fn spawn_request(
        &self,
        node: &Atom,
        module: impl Into<Atom>,
        function: impl Into<Atom>,
        arguments: Vec<Term>,
        ties: Ties,
    ) -> NodeReference {
        let function = (module.into(), function.into());
        self.shared.apply(|machine| {
            let reference = machine.spawn_request(self.own(), node, function, arguments, ties);
            machine.full_reference(reference)
        })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.shared.release_all(self.queue.drain());
    }
}
