use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn at(address: &str) -> IpAddr {
    address.parse().unwrap()
}

fn router() -> Router {
    let strict = Policy::of(vec![NodePattern::parse("*@only").unwrap()]);
    Router::new(vec!["127.0.0.1".into()], [("strict", strict)].into_iter().collect())
}

fn peer(name: &str) -> Arc<str> {
    name.into()
}

fn is_at(answer: &Answer, wanted: &str) -> bool {
    matches!(answer, Answer::Remote { peer, .. } if &**peer == wanted)
}

#[test]
fn a_bare_name_means_the_address_it_was_asked_at() {
    let mut router = router();
    router.announce(&peer("five"), "b", vec!["127.0.0.5".into()]);
    router.announce(&peer("six"), "b", vec!["127.0.0.6".into()]);
    assert!(is_at(&router.resolve("b", at("127.0.0.5")), "five"));
    assert!(is_at(&router.resolve("b", at("127.0.0.6")), "six"));
    assert!(matches!(router.resolve("b", at("127.0.0.1")), Answer::Ambiguous(list) if list.len() == 2));
    router.add_local("b", router.hosts().to_vec());
    assert_eq!(router.resolve("b", at("127.0.0.1")), Answer::Local { name: "b".into() });
    assert!(
        is_at(&router.resolve("b", at("127.0.0.5")), "five"),
        "a local node does not shadow another host's"
    );
}

#[test]
fn a_unique_remote_node_is_found_by_its_bare_name() {
    let mut router = router();
    router.announce(&peer("right"), "b", vec!["127.0.0.1".into(), "h2".into()]);
    assert!(is_at(&router.resolve("b", at("127.0.0.1")), "right"));
    assert!(is_at(&router.resolve("b@H2", at("127.0.0.9")), "right"));
    assert_eq!(router.resolve("b@h3", at("127.0.0.1")), Answer::Unknown);
    router.withdraw(&peer("right"), "b");
    assert_eq!(router.resolve("b", at("127.0.0.1")), Answer::Unknown);
}

#[test]
fn a_local_node_is_meant_by_its_own_hosts() {
    let mut router = router();
    router.add_local("orders", vec!["h3".into()]);
    assert_eq!(router.local_target("orders@h3"), Some("orders"));
    assert_eq!(router.local_target("orders@127.0.0.1"), None);
    assert_eq!(router.nodes().collect::<Vec<_>>(), ["orders@h3"]);
}

#[test]
fn a_full_name_that_is_up_elsewhere_is_refused_alone() {
    let mut router = router();
    router.announce(&peer("one"), "b", vec!["h".into()]);
    let announced = router.announce(&peer("two"), "b", vec!["h".into(), "i".into()]);
    assert_eq!(announced.accepted, ["b@i"]);
    assert_eq!(announced.refused.len(), 1);
    router.add_local("c", router.hosts().to_vec());
    assert_eq!(
        router.announce(&peer("two"), "c", vec!["127.0.0.1".into()]).accepted,
        [""; 0]
    );
    router.withdraw_peer(&peer("one"));
    assert_eq!(router.announce(&peer("two"), "b", vec!["h".into()]).accepted, ["b@h"]);
}

#[test]
fn a_peer_speaks_only_for_what_its_policy_allows() {
    let mut router = router();
    let announced = router.announce(&peer("strict"), "b", vec!["only".into(), "other".into()]);
    assert_eq!(announced.accepted, ["b@only"]);
    assert!(!router.may_speak("STRICT", "b@other"));
    assert!(
        !router.may_speak("strict/0badcafe", "b@other"),
        "who passes by under its name may no more"
    );
    assert!(router.may_speak("free", "b@other"));
}

#[test]
fn patterns_need_one_at_sign_with_something_on_both_sides() {
    for text in ["a@b", "*@*", "*@host2", "web-*@10.0.0.*", "a*b*c@h", "a@::1"] {
        assert_eq!(
            NodePattern::parse(text).map(|pattern| pattern.to_string()).as_deref(),
            Ok(text)
        );
    }
    let long = format!("{}@h", "a".repeat(254));
    for text in ["", "*", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n", long.as_str()] {
        assert!(NodePattern::parse(text).is_err(), "{text}");
    }
}

#[test]
fn patterns_match_whole_names_with_their_case() {
    let cases = [
        ("*@*", "a@b", true),
        ("*@*", "a", false),
        ("*@*", "a@b@c", false),
        ("*@host2", "a@host2", true),
        ("*@host2", "a@Host2", false),
        ("*@host2", "a@host22", false),
        ("*@host2", "a@xhost2", false),
        ("*@host2", "a@b@host2", false),
        ("a@b", "a@b", true),
        ("a@b", "aa@b", false),
        ("web-*@h", "web-@h", true),
        ("web-*@h", "web@h", false),
        ("*a*a@h", "aa@h", true),
        ("*a*a@h", "a@h", false),
        ("a*a@h", "a@h", false),
        ("*ab*ab*@h", "xabab@h", true),
    ];
    for (pattern, node, matches) in cases {
        let parsed = NodePattern::parse(pattern).expect(pattern);
        assert_eq!(parsed.matches(node), matches, "{pattern} {node}");
    }
    assert!(NodePattern::any().matches("x@y"));
}

/// The definition, without regard to time.
fn slow_glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((b'*', after)), _) => (0..=text.len()).any(|skip| slow_glob(after, &text[skip..])),
        (Some((wanted, after)), Some((found, rest))) => wanted == found && slow_glob(after, rest),
        (Some(_), None) => false,
    }
}

proptest! {
    #[test]
    fn patterns_match_as_defined(name in "[ab*]{1,6}", host in "[ab*]{1,6}", node in "[ab]{1,8}", at in "[ab]{1,8}") {
        let pattern = NodePattern::parse(&format!("{name}@{host}")).expect("a pattern");
        let wanted = slow_glob(name.as_bytes(), node.as_bytes()) && slow_glob(host.as_bytes(), at.as_bytes());
        prop_assert_eq!(pattern.matches(&format!("{node}@{at}")), wanted);
    }

    #[test]
    fn any_text_is_a_pattern_or_an_error(text in any::<String>()) {
        if let Ok(pattern) = NodePattern::parse(&text) {
            prop_assert!(pattern.matches(&text.replace('*', "x")));
        }
    }
}
