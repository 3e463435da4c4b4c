use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

use super::CallError;
use super::Exit;
use super::GenServer;
use super::Message;
use super::Next;
use super::ReplyTo;
use super::Watched;
use super::io::context::Context;
use super::io::node::Node;
use super::serve;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::NodeReference;
use crate::etf::Term;

/// Time-out of calls to the scope's own process, which does nothing slow.
const LIMIT: Duration = Duration::from_secs(5);

/// A scope of process groups, as in Erlang's `pg` (`pg.erl`): which processes belong to which group, on this node and on all
/// connected nodes that have the scope.
///
/// It is a process registered under the scope's name. It speaks the protocol of `pg` with the scopes of other nodes.
#[derive(Debug, Default)]
struct Scope {
    /// Processes of this node, each with its monitor and its groups. A group that it joined several times is listed several
    /// times.
    local: HashMap<NodePid, (NodeReference, Vec<Term>)>,
    /// The scope's processes on other nodes, each with its monitor and the members it reported.
    remote: HashMap<NodePid, (NodeReference, HashMap<Term, Vec<NodePid>>)>,
}

/// A handle to a scope of this node: to join groups and list their members.
#[derive(Clone)]
pub struct Groups {
    scope: Atom,
}

impl Groups {
    /// Starts a scope, or returns the one that is running. The default scope of Erlang is named `pg`.
    pub fn start(node: &Node, scope: impl Into<Atom>) -> Self {
        let groups = Self { scope: scope.into() };
        if node.whereis(&groups.scope).is_none() {
            let pid = node.spawn(run);
            if node.register(groups.scope.clone(), &pid).is_ok() {
                // Other nodes find it by its name, so it introduces itself only now.
                node.shared.post(&pid, term!(begin));
            }
        }
        groups
    }

    async fn ask(&self, context: &mut Context, request: Term) -> Result<Term, CallError> {
        context.call(self.scope.clone(), request, LIMIT).await
    }

    /// `pg:join/3`: adds a process of this node to a group. It leaves the group when it ends.
    ///
    /// # Errors
    /// If the scope has ended.
    pub async fn join(&self, context: &mut Context, group: impl Into<Term>, member: &NodePid) -> Result<(), CallError> {
        self.ask(context, term!({join_local, (group.into()), (member.clone())}))
            .await
            .map(drop)
    }

    /// `pg:leave/3`; `false` if the process was not a member.
    ///
    /// # Errors
    /// If the scope has ended.
    pub async fn leave(
        &self,
        context: &mut Context,
        group: impl Into<Term>,
        member: &NodePid,
    ) -> Result<bool, CallError> {
        let answer = self
            .ask(context, term!({leave_local, (group.into()), (member.clone())}))
            .await?;
        Ok(answer.is_atom("ok"))
    }

    /// `pg:get_members/2`: all members, on all nodes.
    ///
    /// # Errors
    /// If the scope has ended.
    pub async fn members(&self, context: &mut Context, group: impl Into<Term>) -> Result<Vec<NodePid>, CallError> {
        let answer = self.ask(context, term!({members, (group.into())})).await?;
        Ok(pids(&answer))
    }
}

async fn run(context: Context) -> Result<(), Exit> {
    context.monitor_nodes(true);
    serve(context, Scope::default()).await
}

fn pids(term: &Term) -> Vec<NodePid> {
    match term {
        Term::Pid(pid) => vec![pid.clone()],
        Term::List(items) => items
            .iter()
            .filter_map(|item| NodePid::try_from(item.clone()).ok())
            .collect(),
        _ => Vec::new(),
    }
}

impl GenServer for Scope {
    async fn handle_call(&mut self, context: &mut Context, request: Term, _: ReplyTo) -> Next {
        Next::Reply(match request.as_tuple() {
            Some([kind, group, member]) if kind.is_atom("join_local") => {
                self.join(context, group, pids(member)).await;
                term!(ok)
            }
            Some([kind, group, member]) if kind.is_atom("leave_local") => {
                self.leave(context, group, pids(member)).await
            }
            Some([kind, group]) if kind.is_atom("members") => {
                Term::List(self.members(group).into_iter().map(Term::from).collect())
            }
            _ => term!({error, badarg}),
        })
    }

    async fn handle_cast(&mut self, context: &mut Context, request: Term) -> Next {
        if let Some([kind, Term::Pid(peer), Term::List(groups)]) = request.as_tuple()
            && kind.is_atom("sync")
        {
            let groups = groups.iter().filter_map(|pair| match pair.as_tuple()? {
                [group, members] => Some((group.clone(), pids(members))),
                _ => None,
            });
            self.peer(context, peer).1 = groups.collect();
        }
        Next::NoReply
    }

    async fn handle_info(&mut self, context: &mut Context, message: Message) -> Next {
        match message {
            Message::NodeUp { node } => self.discover(context, &node).await,
            Message::Down {
                from: Watched::Process(pid),
                ..
            } => {
                self.remote.remove(&pid);
                if let Some((_, groups)) = self.local.remove(&pid) {
                    let own = context.pid().clone();
                    self.broadcast(context, &term!({leave, (own), (pid), (groups)})).await;
                }
            }
            Message::Term(term) if term.is_atom("begin") => {
                for node in context.node().nodes() {
                    self.discover(context, &node.name).await;
                }
            }
            Message::Term(term) => self.hear(context, &term).await,
            _ => {}
        }
        Next::NoReply
    }
}

impl Scope {
    async fn discover(&self, context: &mut Context, node: &Atom) {
        let name = context.node().shared.apply(|machine| machine.name_of(context.own()));
        if let Some(name) = name {
            let discover = term!({discover, (context.pid().clone())});
            let _ = context.send((name, node.clone()), discover).await;
        }
    }

    /// Handles a message from the scope of another node.
    async fn hear(&mut self, context: &mut Context, term: &Term) {
        let own = context.pid().clone();
        match term.as_tuple() {
            Some([kind, Term::Pid(peer)]) if kind.is_atom("discover") => {
                let _ = context
                    .cast(peer, term!({sync, (own.clone()), (self.local_groups())}))
                    .await;
                if !self.remote.contains_key(peer) {
                    self.peer(context, peer);
                    let _ = context.send(peer, term!({discover, (own)})).await;
                }
            }
            Some([kind, Term::Pid(peer), group, members]) if kind.is_atom("join") => {
                if let Some((_, groups)) = self.remote.get_mut(peer) {
                    groups.entry(group.clone()).or_default().extend(pids(members));
                }
            }
            Some([kind, Term::Pid(peer), members, Term::List(left)]) if kind.is_atom("leave") => {
                if let Some((_, groups)) = self.remote.get_mut(peer) {
                    for (group, member) in left
                        .iter()
                        .flat_map(|group| pids(members).into_iter().map(move |m| (group, m)))
                    {
                        remove_one(groups.entry(group.clone()).or_default(), &member);
                    }
                    groups.retain(|_, members| !members.is_empty());
                }
            }
            _ => {}
        }
    }

    fn peer(&mut self, context: &Context, peer: &NodePid) -> &mut (NodeReference, HashMap<Term, Vec<NodePid>>) {
        self.remote
            .entry(peer.clone())
            .or_insert_with(|| (context.monitor(peer), HashMap::new()))
    }

    async fn broadcast(&self, context: &mut Context, term: &Term) {
        for peer in self.remote.keys() {
            let _ = context.send(peer, term.clone()).await;
        }
    }

    async fn join(&mut self, context: &mut Context, group: &Term, members: Vec<NodePid>) {
        let own = context.pid().clone();
        for member in members.into_iter().filter(|member| member.node == own.node) {
            let joined = self
                .local
                .entry(member.clone())
                .or_insert_with(|| (context.monitor(&member), Vec::new()));
            joined.1.push(group.clone());
            self.broadcast(context, &term!({join, (own.clone()), (group.clone()), (member)}))
                .await;
        }
    }

    async fn leave(&mut self, context: &mut Context, group: &Term, members: Vec<NodePid>) -> Term {
        let own = context.pid().clone();
        let mut has_left = false;
        for member in members {
            let Some((monitor, groups)) = self.local.get_mut(&member) else {
                continue;
            };
            let Some(index) = groups.iter().position(|joined| joined == group) else {
                continue;
            };
            groups.swap_remove(index);
            has_left = true;
            if groups.is_empty() {
                let monitor = monitor.clone();
                context.demonitor(&monitor);
                self.local.remove(&member);
            }
            self.broadcast(context, &term!({leave, (own.clone()), (member), [(group.clone())]}))
                .await;
        }
        if has_left { term!(ok) } else { term!(not_joined) }
    }

    /// `[{Group, [Pid]}]` of this node's processes.
    fn local_groups(&self) -> Term {
        let mut groups: BTreeMap<Term, Vec<Term>> = BTreeMap::new();
        for (member, (_, joined)) in &self.local {
            for group in joined {
                groups.entry(group.clone()).or_default().push(member.clone().into());
            }
        }
        Term::List(
            groups
                .into_iter()
                .map(|(group, members)| term!({(group), (members)}))
                .collect(),
        )
    }

    fn members(&self, group: &Term) -> Vec<NodePid> {
        let local = self.local.iter().flat_map(|(member, (_, joined))| {
            joined
                .iter()
                .filter(|joined| *joined == group)
                .map(move |_| member.clone())
        });
        let remote = self
            .remote
            .values()
            .filter_map(|(_, groups)| groups.get(group))
            .flatten()
            .cloned();
        local.chain(remote).collect()
    }
}

fn remove_one(members: &mut Vec<NodePid>, member: &NodePid) {
    if let Some(index) = members.iter().position(|found| found == member) {
        members.swap_remove(index);
    }
}
