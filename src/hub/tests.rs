use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;

use super::announcements::NAMES_OF_A_PEER;
use super::announcements::NODES_OF_A_PEER;
use super::outbox::Outbox;
use super::outbox::Told;
use super::*;
use crate::epmd::Registration;
use crate::router::Action;
use crate::router::NodePattern;
use crate::router::Policies;
use crate::router::Policy;
use crate::router::Rule;
use crate::router::Rules;
use crate::session::SessionConfig;

const NOW: u32 = 1_000_000;

fn at(address: &str) -> IpAddr {
    address.parse().unwrap()
}

fn hub() -> Hub {
    let only = Policy::of(vec![NodePattern::parse("*@only").unwrap()]);
    let any = || Some(Policy::of(vec![NodePattern::any()]));
    let of_any = ["free", "x", "y", "one", "two", "five", "six", "right", "near", "third"].map(|peer| (peer, any()));
    let mut hub = Hub::new(
        of_any
            .into_iter()
            .chain([("strict", Some(only)), ("plain", None)])
            .collect(),
    );
    // It is no [[peer]].
    certify(&mut hub, "stranger", &["h"]);
    hub
}

fn certify(hub: &mut Hub, name: &str, at: &[&str]) {
    hub.certify(&peer(name), hosts(at).into());
}

fn may_speak(hub: &Hub, peer: &str, node: &str) -> bool {
    hub.policy(peer).allows(node)
}

fn is_against_policy(announced: &Announced, node: &str) -> bool {
    matches!(announced.unreachable.as_slice(), [(only, Unreachable::Policy(_))] if only == node)
}

fn peer(name: &str) -> Arc<str> {
    name.into()
}

fn hosts(hosts: &[&str]) -> Vec<String> {
    hosts.iter().map(|host| (*host).to_owned()).collect()
}

fn attach(hub: &mut Hub, name: &str, at: &[&str]) -> Result<u32, AttachError> {
    hub.attach(Registration::normal(name, 1), hosts(at), hosts(&[]), NOW)
}

fn announce(hub: &mut Hub, from: &str, name: &str, at: &[&str]) -> Announced {
    hub.announce(&peer(from), name, hosts(at))
}

fn moved(node: &str, to: &str) -> Moved {
    Moved {
        node: node.to_owned(),
        peer: peer(to),
    }
}

/// The peer that holds a full name.
fn holder(hub: &Hub, node: &str) -> Option<Arc<str>> {
    match hub.look_up(node, at("127.0.0.1")) {
        Answer::Remote { peer, .. } => Some(peer),
        _ => None,
    }
}

fn is_at(answer: &Answer, wanted: &str) -> bool {
    matches!(answer, Answer::Remote { peer, .. } if &**peer == wanted)
}

#[test]
fn a_bare_name_means_the_address_it_was_asked_at() {
    let mut hub = hub();
    announce(&mut hub, "five", "b", &["127.0.0.5"]);
    announce(&mut hub, "six", "b", &["127.0.0.6"]);
    assert!(is_at(&hub.look_up("b", at("127.0.0.5")), "five"));
    assert!(is_at(&hub.look_up("b", at("127.0.0.6")), "six"));
    assert_eq!(
        hub.look_up("b", at("127.0.0.1")),
        Answer::Ambiguous(hosts(&["b@127.0.0.5 at five", "b@127.0.0.6 at six"]))
    );
    attach(&mut hub, "b", &["127.0.0.1"]).unwrap();
    assert_eq!(hub.look_up("b", at("127.0.0.1")), Answer::Local { name: "b".into() });
    assert!(
        is_at(&hub.look_up("b", at("127.0.0.5")), "five"),
        "a local node does not shadow another host's"
    );
}

#[test]
fn a_unique_remote_node_is_found_by_its_bare_name() {
    let mut hub = hub();
    announce(&mut hub, "right", "b", &["127.0.0.1", "h2"]);
    assert!(is_at(&hub.look_up("b", at("127.0.0.1")), "right"));
    assert!(is_at(&hub.look_up("b@H2", at("127.0.0.9")), "right"));
    assert_eq!(hub.look_up("b@h3", at("127.0.0.1")), Answer::Unknown);
    assert_eq!(hub.withdraw(&peer("right"), "b"), Some(vec![]));
    assert_eq!(hub.look_up("b", at("127.0.0.1")), Answer::Unknown);
    assert_eq!(hub.withdraw(&peer("right"), "b"), None, "it is gone already");
}

#[test]
fn a_local_node_is_meant_by_its_own_hosts() {
    let mut hub = hub();
    attach(&mut hub, "orders", &["h3"]).unwrap();
    assert_eq!(hub.open("free", "orders@h3", None).unwrap(), "orders");
    let refused = hub.open("free", "orders@127.0.0.1", None).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "no node orders@127.0.0.1 is registered here",
        "another host's node of that name is not meant"
    );
    assert_eq!(hub.nodes().collect::<Vec<_>>(), [["orders@h3"]]);
}

#[test]
fn a_full_name_that_is_up_elsewhere_is_refused_alone() {
    let mut hub = hub();
    announce(&mut hub, "one", "b", &["h"]);
    let announced = announce(&mut hub, "two", "b", &["h", "i"]);
    assert_eq!(announced.reachable, ["b@i"]);
    assert_eq!(
        announced.unreachable,
        [("b@h".to_owned(), Unreachable::Held(peer("one")))]
    );
    attach(&mut hub, "c", &["127.0.0.1"]).unwrap();
    let announced = announce(&mut hub, "two", "c", &["127.0.0.1"]);
    assert_eq!(announced.reachable, [""; 0]);
    assert_eq!(announced.unreachable, [("c@127.0.0.1".to_owned(), Unreachable::Local)]);
    assert_eq!(hub.withdraw_peer(&peer("one")), [moved("b@h", "two")]);
    assert_eq!(announce(&mut hub, "two", "b", &["h"]).reachable, ["b@h"]);
}

#[test]
fn a_peer_speaks_only_for_what_its_policy_allows() {
    let mut hub = hub();
    let announced = announce(&mut hub, "strict", "b", &["only", "other"]);
    assert_eq!(announced.reachable, ["b@only"]);
    assert!(is_against_policy(&announced, "b@other"));
    assert_eq!(holder(&hub, "b@other"), None);
    assert!(!may_speak(&hub, "STRICT", "b@other"));
    assert!(
        !may_speak(&hub, "strict/0badcafe", "b@other"),
        "a temporary daemon of its name has its policy"
    );
    assert!(may_speak(&hub, "free", "b@other"));
}

#[test]
fn an_announcement_against_policy_keeps_nobody_from_the_name() {
    let mut hub = hub();
    announce(&mut hub, "strict", "b", &["other"]);
    assert_eq!(announce(&mut hub, "free", "b", &["other"]).reachable, ["b@other"]);
    assert_eq!(hub.withdraw(&peer("free"), "b"), Some(vec![]));
    assert_eq!(holder(&hub, "b@other"), None);
}

#[test]
fn a_node_that_moved_is_found_once_its_old_daemon_is_gone() {
    let mut hub = hub();
    announce(&mut hub, "x", "b", &["svc"]);
    let early = announce(&mut hub, "y", "b", &["svc"]);
    assert_eq!(early.unreachable, [("b@svc".to_owned(), Unreachable::Held(peer("x")))]);
    assert!(is_at(&hub.look_up("b", at("127.0.0.1")), "x"), "one node, not two");
    assert_eq!(hub.withdraw_peer(&peer("x")), [moved("b@svc", "y")]);
    assert_eq!(holder(&hub, "b@svc"), Some(peer("y")));
    assert!(is_at(&hub.look_up("b", at("127.0.0.1")), "y"));
    // The name moves back, this time because the node itself was stopped.
    announce(&mut hub, "x", "b", &["svc"]);
    assert_eq!(holder(&hub, "b@svc"), Some(peer("y")));
    assert_eq!(hub.withdraw(&peer("y"), "b"), Some(vec![moved("b@svc", "x")]));
    assert_eq!(hub.nodes().collect::<Vec<_>>(), [["b@svc"]]);
}

#[test]
fn a_node_that_moved_here_is_found_here_and_at_a_peer_once_it_has_ended() {
    let mut hub = hub();
    announce(&mut hub, "x", "b", &["svc"]);
    let creation = attach(&mut hub, "b", &["svc"]).unwrap();
    let local = Answer::Local { name: "b".into() };
    assert_eq!(hub.look_up("b@svc", at("127.0.0.1")), local);
    assert_eq!(hub.detach("b", creation), Some(vec![moved("b@svc", "x")]));
    assert_eq!(holder(&hub, "b@svc"), Some(peer("x")));
}

#[test]
fn who_announced_a_name_first_keeps_it_when_another_announces_again() {
    let mut hub = hub();
    announce(&mut hub, "x", "b", &["h"]);
    announce(&mut hub, "y", "b", &["i"]);
    // One more host part, which y holds.
    let again = announce(&mut hub, "x", "b", &["h", "i"]);
    assert_eq!(again.reachable, ["b@h"]);
    assert_eq!(holder(&hub, "b@i"), Some(peer("y")));
    // The first host part is kept, whatever its case. The host part that is left out is released.
    announce(&mut hub, "y", "b", &["i", "h"]);
    assert_eq!(announce(&mut hub, "x", "b", &["H"]).reachable, ["b@H"]);
    let given_up = announce(&mut hub, "x", "b", &["j"]);
    assert_eq!(given_up.moved, [moved("b@H", "y")]);
    assert_eq!(holder(&hub, "b@h"), Some(peer("y")));
}

#[test]
fn a_name_is_attached_once_and_detached_by_its_own_node() {
    let mut hub = hub();
    let first = attach(&mut hub, "a", &["h"]).unwrap();
    assert_eq!(first, NOW + 1);
    assert_eq!(attach(&mut hub, "a", &["i"]), Err(AttachError::Taken));
    assert_eq!(hub.local_hosts("a"), ["h"]);
    assert_eq!(hub.detach("a", first), Some(vec![]));
    let second = attach(&mut hub, "a", &["h"]).unwrap();
    assert_eq!(second, first + 1, "incarnations differ");
    assert_eq!(hub.detach("a", first), None, "that one has ended before");
    assert_eq!(hub.registration("a"), Some(&Registration::normal("a", 1)));
    assert_eq!(hub.detach("a", second), Some(vec![]));
    assert_eq!(hub.registrations().count(), 0);
    assert_eq!(hub.look_up("a@h", at("127.0.0.1")), Answer::Unknown);
}

#[test]
fn local_nodes_are_bounded() {
    let mut hub = hub();
    for n in 0..1000 {
        attach(&mut hub, &format!("n{n}"), &["h"]).unwrap();
    }
    assert_eq!(attach(&mut hub, "more", &["h"]), Err(AttachError::TooMany));
    assert_eq!(attach(&mut hub, "n0", &["h"]), Err(AttachError::Taken));
}

#[test]
fn the_names_that_a_peer_announces_are_bounded_by_their_size() {
    let mut hub = hub();
    let hosts: Vec<String> = (0..SessionConfig::HOSTS_OF_A_NODE)
        .map(|n| format!("{n:0200}"))
        .collect();
    let count = (0..).take_while(|n| {
        let announced = hub.announce(&peer("x"), &format!("n{n}"), hosts.clone());
        !announced.reachable.is_empty()
    });
    let count = count.count();
    let size = NAMES_OF_A_PEER / (SessionConfig::HOSTS_OF_A_NODE * 200);
    assert!((size / 2..=size).contains(&count), "{count} nodes");
    // Other peers have room of their own, and one that is withdrawn makes room.
    assert_eq!(announce(&mut hub, "y", "b", &["h"]).reachable, ["b@h"]);
    assert_eq!(
        announce(&mut hub, "x", "n0", &["h"]).reachable,
        ["n0@h"],
        "it is smaller now"
    );
    hub.withdraw(&peer("x"), "n1");
    assert!(!hub.announce(&peer("x"), "again", hosts).reachable.is_empty());
}

#[test]
fn what_a_peer_announces_is_bounded() {
    let mut hub = hub();
    for n in 0..NODES_OF_A_PEER {
        assert_eq!(announce(&mut hub, "x", &format!("n{n}"), &["h"]).reachable.len(), 1);
    }
    let more = announce(&mut hub, "x", "more", &["h"]);
    assert_eq!(more.unreachable, [("more@h".to_owned(), Unreachable::TooMany)]);
    assert_eq!(holder(&hub, "more@h"), None);
    assert_eq!(
        announce(&mut hub, "x", "n0", &["i"]).reachable,
        ["n0@i"],
        "a node that is there may change"
    );
    assert_eq!(announce(&mut hub, "y", "more", &["h"]).reachable, ["more@h"]);
    hub.withdraw(&peer("x"), "n1");
    assert_eq!(announce(&mut hub, "x", "other", &["h"]).reachable, ["other@h"]);
    let many: Vec<String> = (0..=SessionConfig::HOSTS_OF_A_NODE).map(|n| format!("h{n}")).collect();
    let announced = hub.announce(&peer("y"), "many", many);
    assert_eq!(announced.reachable.len(), SessionConfig::HOSTS_OF_A_NODE);
    assert_eq!(announced.unreachable.len(), 1);
}

#[test]
fn a_circuit_is_opened_by_nodes_that_the_peer_may_speak_for() {
    let mut hub = hub();
    attach(&mut hub, "a", &["h"]).unwrap();
    assert_eq!(hub.open("strict", "a@H", Some("b@only")).unwrap(), "a");
    assert_eq!(
        hub.open("strict", "a@h", None).unwrap(),
        "a",
        "a name that is still to be given is checked then"
    );
    let refused = |initiator, target| hub.open("strict", target, Some(initiator)).unwrap_err().to_string();
    assert_eq!(
        refused("b@other", "a@h"),
        "peer strict may not speak for node b@other: no pattern of its `allow` fits"
    );
    assert_eq!(refused("b@only", "c@h"), "no node c@h is registered here");
    assert_eq!(
        refused("b@only", "A@h"),
        "no node A@h is registered here; there is a node a@h: names are case-sensitive"
    );
    assert!(refused("b", "a@h").starts_with("handshake: \"b\" is not a node name"));
}

#[test]
fn without_patterns_the_certificate_says_for_which_hosts_a_peer_speaks() {
    let mut hub = hub();
    for name in ["plain", "newcomer"] {
        assert!(!may_speak(&hub, name, "b@h2"), "{name} is not connected");
        certify(&mut hub, name, &["h2", "10.0.0.2"]);
        assert_eq!(announce(&mut hub, name, "b", &["H2"]).reachable, ["b@H2"], "{name}");
        let announced = announce(&mut hub, name, "b", &["10.0.0.2", "h3"]);
        assert_eq!(announced.reachable, ["b@10.0.0.2"], "{name}");
        assert!(is_against_policy(&announced, "b@h3"), "{name}");
        certify(&mut hub, name, &["h3"]);
        assert_eq!(holder(&hub, "b@h3"), Some(peer(name)), "it has another certificate now");
        assert_eq!(holder(&hub, "b@10.0.0.2"), None);
        hub.withdraw_peer(&peer(name));
        assert!(!may_speak(&hub, name, "b@h3"), "{name} has left");
    }
}

#[test]
fn a_configured_peer_takes_its_nodes_back_from_one_that_is_not() {
    let mut hub = hub();
    assert_eq!(announce(&mut hub, "stranger", "b", &["h"]).reachable, ["b@h"]);
    assert_eq!(
        hub.open("x", "a@i", Some("b@h")).unwrap_err().to_string(),
        "no node a@i is registered here"
    );
    let announced = announce(&mut hub, "x", "b", &["h"]);
    assert_eq!(
        (announced.reachable, announced.moved),
        (vec!["b@h".to_owned()], vec![moved("b@h", "x")])
    );
    let late = announce(&mut hub, "stranger", "b", &["h"]);
    assert_eq!(late.unreachable, [("b@h".to_owned(), Unreachable::Held(peer("x")))]);
    assert_eq!(hub.withdraw(&peer("x"), "b"), Some(vec![moved("b@h", "stranger")]));
}

#[test]
fn an_initiator_whose_name_is_up_here_or_elsewhere_is_refused() {
    let mut hub = hub();
    attach(&mut hub, "a", &["h"]).unwrap();
    announce(&mut hub, "x", "b", &["svc"]);
    let open = |hub: &Hub, from: &str, node: &str| {
        let opened = hub.open(from, "a@h", Some(node));
        opened.map(str::to_owned).map_err(|error| error.to_string())
    };
    assert_eq!(
        open(&hub, "x", "a@H").unwrap_err(),
        "peer x may not speak for node a@H: a node of this name is up here; give one of the two another name"
    );
    assert_eq!(
        open(&hub, "y", "b@svc").unwrap_err(),
        "peer y may not speak for node b@svc: it is up at peer x; give one of the two another name"
    );
    for (from, node) in [
        ("x", "b@svc"),
        ("x/0badcafe", "b@svc"),
        ("y", "b@elsewhere"),
        ("y", "c@svc"),
    ] {
        assert_eq!(open(&hub, from, node).as_deref(), Ok("a"), "{from} {node}");
    }
    hub.withdraw(&peer("x"), "b");
    assert_eq!(open(&hub, "y", "b@svc").as_deref(), Ok("a"), "it has moved");
    announce(&mut hub, "stranger", "c", &["h"]);
    assert_eq!(
        open(&hub, "y", "c@h").as_deref(),
        Ok("a"),
        "who is no peer keeps a peer's node from nothing"
    );
    certify(&mut hub, "other", &["h"]);
    assert!(open(&hub, "other", "c@h").is_err());
}

#[test]
fn a_name_with_wrong_capitals_has_a_near_one() {
    let mut hub = hub();
    attach(&mut hub, "orders", &["h"]).unwrap();
    announce(&mut hub, "x", "b", &["svc"]);
    announce(&mut hub, "x", "c2", &["own", "alias"]);
    for (question, near) in [
        ("Orders", Some("orders@h")),
        ("B@svc", Some("b@svc")),
        ("B@elsewhere", Some("b@svc")),
        ("b@elsewhere", None),
        ("c@svc", None),
        // The host part that was asked for, of several.
        ("C2@alias", Some("c2@alias")),
        ("C2@elsewhere", Some("c2@own")),
    ] {
        assert_eq!(hub.near(question).as_deref(), near, "{question}");
    }
}

#[test]
fn private_hosts_of_a_node_are_for_this_daemon_alone() {
    let mut hub = hub();
    hub.attach(Registration::normal("a", 1), hosts(&["h"]), hosts(&["127.0.0.1"]), NOW)
        .unwrap();
    let local = Answer::Local { name: "a".into() };
    assert_eq!(hub.look_up("a@127.0.0.1", at("127.0.0.1")), local);
    assert_eq!(hub.local_hosts("a"), ["h"]);
    assert_eq!(
        hub.open("x", "a@127.0.0.1", None).unwrap_err().to_string(),
        "no node a@127.0.0.1 is registered here"
    );
    assert!(hub.set_hosts("a", hosts(&["h", "10.0.0.2"]), hosts(&["127.0.0.1"])));
    assert_eq!(hub.open("x", "a@10.0.0.2", None).unwrap(), "a");
    assert!(!hub.set_hosts("b", vec![], vec![]));
}

/// A model of the hub: plain lists, searched from end to end.
#[derive(Default)]
struct Model {
    locals: Vec<(&'static str, Vec<&'static str>)>,
    /// Peer, name and host, in the order in which each was first announced.
    claims: Vec<(&'static str, &'static str, &'static str)>,
}

impl Model {
    fn holder(&self, name: &str, host: &str) -> Option<&'static str> {
        if self
            .locals
            .iter()
            .any(|(other, at)| *other == name && at.contains(&host))
        {
            return Some("here");
        }
        let claims = self.claims.iter();
        let mut claims: Vec<&str> = claims
            .filter(|(peer, other, at)| {
                let is_allowed = match *peer {
                    "strict" => host == "only",
                    "stranger" => host == "h",
                    _ => true,
                };
                *other == name && *at == host && is_allowed
            })
            .map(|(peer, ..)| *peer)
            .collect();
        // The sort is stable: the first comes first, but one that is no peer after all peers.
        claims.sort_by_key(|peer| *peer == "stranger");
        claims.first().copied()
    }

    /// The holders of a bare name; several if it is ambiguous.
    fn bare(&self, name: &str, arrived_on: &str) -> Vec<&'static str> {
        if let Some(holder) = self.holder(name, arrived_on) {
            return vec![holder];
        }
        if self.locals.iter().any(|(other, _)| *other == name) {
            return vec!["here"];
        }
        let mut peers: Vec<&str> = HOSTS.iter().filter_map(|host| self.holder(name, host)).collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    fn withdraw(&mut self, peer: &str, name: Option<&str>) {
        self.claims
            .retain(|(of, other, _)| *of != peer || name.is_some_and(|name| name != *other));
    }
}

const NAMES: [&str; 2] = ["a", "b"];
const HOSTS: [&str; 3] = ["127.0.0.1", "only", "h"];
const PEERS: [&str; 4] = ["x", "y", "strict", "stranger"];

#[derive(Clone, Debug)]
enum Step {
    Attach(&'static str, Vec<&'static str>),
    Detach(&'static str),
    Announce(&'static str, &'static str, Vec<&'static str>),
    Withdraw(&'static str, &'static str),
    Leave(&'static str),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = || prop::sample::select(&NAMES[..]);
    let from = || prop::sample::select(&PEERS[..]);
    let some_hosts = || prop::sample::subsequence(&HOSTS[..], 0..=HOSTS.len());
    let step = prop_oneof![
        2 => (name(), some_hosts()).prop_map(|(name, at)| Step::Attach(name, at)),
        2 => name().prop_map(Step::Detach),
        6 => (from(), name(), some_hosts()).prop_map(|(peer, name, at)| Step::Announce(peer, name, at)),
        2 => (from(), name()).prop_map(|(peer, name)| Step::Withdraw(peer, name)),
        1 => from().prop_map(Step::Leave),
    ];
    prop::collection::vec(step, 1..30)
}

/// Returns the names that the hub reports as moved.
fn take(step: Step, hub: &mut Hub, model: &mut Model) -> Vec<Moved> {
    match step {
        Step::Attach(name, at) => {
            if attach(hub, name, &at).is_ok() {
                model.locals.push((name, at));
            }
            vec![]
        }
        Step::Detach(name) => {
            model.locals.retain(|(other, _)| *other != name);
            let creation = hub.creation(name);
            creation
                .and_then(|creation| hub.detach(name, creation))
                .unwrap_or_default()
        }
        Step::Announce(from, name, at) => {
            let moved = announce(hub, from, name, &at).moved;
            let is_old = |claim: &(&str, &str, &str)| claim.0 == from && claim.1 == name;
            model.claims.retain(|claim| !is_old(claim) || at.contains(&claim.2));
            for host in at {
                if !model.claims.contains(&(from, name, host)) {
                    model.claims.push((from, name, host));
                }
            }
            moved
        }
        Step::Withdraw(from, name) => {
            model.withdraw(from, Some(name));
            hub.withdraw(&peer(from), name).unwrap_or_default()
        }
        Step::Leave(from) => {
            model.withdraw(from, None);
            let moved = hub.withdraw_peer(&peer(from));
            certify(hub, "stranger", &["h"]);
            moved
        }
    }
}

fn answers(hub: &Hub, question: &str, arrived_on: &str) -> Vec<String> {
    let mut answers = match hub.look_up(question, at(arrived_on)) {
        Answer::Local { .. } => vec!["here".to_owned()],
        Answer::Remote { peer, .. } => vec![peer.to_string()],
        Answer::Unknown => vec![],
        Answer::Ambiguous(nodes) => nodes
            .iter()
            .map(|node| node.rsplit_once(' ').unwrap().1.to_owned())
            .collect(),
    };
    answers.sort_unstable();
    answers
}

proptest! {
    #[test]
    fn look_ups_answer_as_the_order_of_events_says(steps in steps()) {
        let (mut hub, mut model) = (hub(), Model::default());
        for step in steps {
            let before: Vec<_> = full_names().map(|(name, host)| model.holder(name, host)).collect();
            let moved = take(step.clone(), &mut hub, &mut model);
            for ((name, host), before) in full_names().zip(before) {
                let node = format!("{name}@{host}");
                let holder = model.holder(name, host);
                let wanted: Vec<&str> = holder.into_iter().collect();
                prop_assert_eq!(answers(&hub, &node, "127.0.0.9"), wanted, "{} after {:?}", node, step);
                // Only a change from one holder to another is a move. A node that is new, or attached here, has not moved.
                let has_moved = before.is_some() && holder.is_some_and(|now| Some(now) != before && now != "here");
                prop_assert_eq!(moved.iter().any(|moved| moved.node == node), has_moved, "{} after {:?}", node, step);
            }
            for name in NAMES {
                for arrived_on in ["127.0.0.1", "127.0.0.9"] {
                    prop_assert_eq!(answers(&hub, name, arrived_on), model.bare(name, arrived_on), "{} after {:?}", name, step);
                }
            }
        }
    }
}

fn full_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES.iter().flat_map(|name| HOSTS.iter().map(|host| (*name, *host)))
}

fn listed(hub: &Hub, scope: &Scope) -> Vec<String> {
    let names = hub.names(scope).into_iter();
    let shown = names.map(|answer| match answer {
        Answer::Local { name } => name,
        Answer::Remote { peer, name, .. } => format!("{name} at {peer}"),
        other => panic!("{other:?}"),
    });
    shown.collect()
}

#[test]
fn names_are_those_of_the_host_that_is_meant() {
    let at_address = |ip: &str, is_own| Scope::At { ip: at(ip), is_own };
    let mut hub = hub();
    attach(&mut hub, "a", &["h1", "127.0.0.1"]).unwrap();
    announce(&mut hub, "right", "b", &["h2", "127.0.0.5"]);
    announce(&mut hub, "right", "a", &["h2", "127.0.0.5"]);
    announce(&mut hub, "near", "c", &["127.0.0.1"]);
    announce(&mut hub, "strict", "d", &["h2"]);
    assert_eq!(listed(&hub, &Scope::Here), ["a"]);
    assert_eq!(listed(&hub, &Scope::Host("H2".into())), ["a at right", "b at right"]);
    assert_eq!(listed(&hub, &Scope::Host("h1".into())), ["a"]);
    assert_eq!(listed(&hub, &Scope::Host("h3".into())), [""; 0]);
    assert_eq!(
        listed(&hub, &at_address("127.0.0.5", false)),
        ["a at right", "b at right"]
    );
    assert_eq!(
        listed(&hub, &at_address("127.0.0.6", false)),
        [""; 0],
        "no peer is there now"
    );
    assert_eq!(listed(&hub, &at_address("127.0.0.1", true)), ["a", "c at near"]);
}

/// With names of hosts that all mean 127.0.0.1, a bare name is all that a node has.
#[test]
fn names_at_loopback_are_what_a_look_up_finds_there() {
    let mut hub = hub();
    attach(&mut hub, "a", &["h1"]).unwrap();
    announce(&mut hub, "right", "b", &["h2"]);
    announce(&mut hub, "right", "twice", &["h2"]);
    announce(&mut hub, "third", "twice", &["h3"]);
    let scope = Scope::At {
        ip: at("127.0.0.1"),
        is_own: false,
    };
    assert_eq!(listed(&hub, &scope), ["a", "b at right"]);
}

proptest! {
    /// A peer that is told late ends up knowing what one knows that is told at once.
    #[test]
    fn a_peer_that_is_told_late_knows_the_same(steps in proptest::collection::vec((0..4_usize, 0..3_u8), 0..60)) {
        let names = ["a", "b", "c", "d"];
        let (mut outbox, mut now, mut told) = (Outbox::default(), [None; 4], [None; 4]);
        let mut tell = |outbox: &mut Outbox<(usize, usize)>, most: usize| {
            for _ in 0..most {
                match outbox.pop() {
                    None => return told,
                    Some(Told::Up((index, number))) => {
                        assert_eq!(told[index].replace(number), None, "up twice");
                    }
                    Some(Told::Down(name)) => {
                        let index = names.iter().position(|known| *known == name).unwrap();
                        assert!(told[index].take().is_some(), "down without up");
                    }
                }
            }
            told
        };
        for (number, (index, step)) in steps.into_iter().enumerate() {
            match (step, now[index]) {
                (0, _) => { tell(&mut outbox, 1); }
                (_, None) => {
                    now[index] = Some(number);
                    outbox.up(names[index], (index, number));
                }
                (_, Some(_)) => {
                    now[index] = None;
                    outbox.down(names[index]);
                }
            }
        }
        prop_assert_eq!(tell(&mut outbox, 100), now);
    }
}

#[test]
fn a_circuit_between_nodes_that_may_not_be_connected_is_refused() {
    let rule = Rule {
        from: vec![NodePattern::parse("a@here").unwrap()],
        to: vec![NodePattern::parse("b@*").unwrap()],
        action: Some(Action::Deny),
        rate: None,
        priority: None,
    };
    let rules = Rules::new("left", vec![rule]);
    let policies: Policies = [("x", Some(Policy::of(vec![NodePattern::any()])))]
        .into_iter()
        .collect();
    let mut hub = Hub::new(policies.with(&rules));
    attach(&mut hub, "a", &["here"]).unwrap();
    assert!(matches!(hub.open("x", "a@here", Some("b@there")), Err(OpenError::Denied(denied)) if denied.rule == 1));
    assert!(hub.open("x", "a@here", Some("c@there")).is_ok());
    // A node without a name gets one in the handshake, and is checked then.
    assert!(hub.open("x", "a@here", None).is_ok());
}
