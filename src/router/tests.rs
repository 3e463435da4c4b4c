use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn at(address: &str) -> IpAddr {
    address.parse().unwrap()
}

fn router() -> Router {
    let mut policies = BTreeMap::new();
    policies.insert("strict".to_owned(), vec![NodePattern::parse("*@only").unwrap()]);
    Router::new(vec!["127.0.0.1".into()], policies)
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
    router.add_local("b");
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
fn a_full_name_that_is_up_elsewhere_is_refused_alone() {
    let mut router = router();
    router.announce(&peer("one"), "b", vec!["h".into()]);
    let announced = router.announce(&peer("two"), "b", vec!["h".into(), "i".into()]);
    assert_eq!(announced.accepted, ["b@i"]);
    assert_eq!(announced.refused.len(), 1);
    router.add_local("c");
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
    assert!(router.may_speak("free", "b@other"));
}

#[test]
fn patterns_fit_as_globs() {
    for (pattern, name, fits) in [
        ("*@*", "a@h", true),
        ("a@h", "a@H", true),
        ("a*@h", "abc@h", true),
        ("*c@h", "abcc@h", true),
        ("web-*@*.example", "web-1@x.example", true),
        ("web-*@*.example", "db-1@x.example", false),
        ("*@h", "a@hh", false),
    ] {
        assert_eq!(
            NodePattern::parse(pattern).unwrap().matches(name),
            fits,
            "{pattern} {name}"
        );
    }
}

proptest! {
    #[test]
    fn a_text_fits_itself_and_a_star(text in "[a-z*]{1,12}@[a-z*]{1,12}") {
        prop_assert!(NodePattern::parse("*@*").unwrap().matches(&text));
        prop_assert!(NodePattern::parse(&text).unwrap().matches(&text));
    }
}
