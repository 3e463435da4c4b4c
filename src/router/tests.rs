use std::sync::Arc;

use proptest::prelude::*;

use super::*;

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

fn hosts(names: &[&str]) -> Arc<[String]> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn without_patterns_a_peer_speaks_for_the_hosts_of_its_certificate_alone() {
    let policies: Policies = [("Configured", None)].into_iter().collect();
    let held = hosts(&["host2", "10.0.0.2", "fd00::2", "*.example.com"]);
    for peer in ["configured", "stranger", "stranger/0badcafe"] {
        let policy = policies.of(peer, &held);
        for node in ["a@host2", "a@HOST2", "a@10.0.0.2", "a@fd00::2", "a@FD00:0::2"] {
            assert!(policy.allows(node), "{peer} {node}");
        }
        for node in [
            "a@host3",
            "a@host2.example.com",
            "a@10.0.0.20",
            "a@*.example.com",
            "host2",
            "a@b@host2",
        ] {
            assert!(!policy.allows(node), "{peer} {node}");
        }
        assert!(!policies.of(peer, &hosts(&[])).allows("a@host2"), "{peer}");
    }
    assert!(policies.is_configured("CONFIGURED/0badcafe") && !policies.is_configured("stranger"));
}

#[test]
fn patterns_of_a_peer_widen_and_narrow_what_its_certificate_says() {
    let only = Policy::of(vec![NodePattern::parse("web-*@host3").expect("a pattern")]);
    let policies: Policies = [("right", Some(only))].into_iter().collect();
    let policy = policies.of("right/0badcafe", &hosts(&["host2"]));
    assert!(policy.allows("web-1@host3"));
    assert!(!policy.allows("a@host2"), "its own host, which no pattern has");
}

#[test]
fn who_may_not_speak_for_a_node_is_told_what_would_help() {
    let why = |policy: &Policy, node: &str| policy.check(node).expect_err("refused").to_string();
    let certified = Policy::of_hosts(hosts(&["left", "127.0.0.1"]));
    assert_eq!(
        why(&certified, "a@host2"),
        "its certificate is for the hosts `left`, `127.0.0.1`; issue one with `--host host2`, or set `allow` in its [[peer]]"
    );
    assert_eq!(certified.check("a@left"), Ok(()));
    let patterns = Policy::of(vec![NodePattern::parse("*@Host2").expect("a pattern")]);
    assert_eq!(why(&patterns, "a@host3"), "no pattern of its `allow` fits");
    assert_eq!(
        why(&patterns, "a@host2"),
        "the pattern `*@Host2` of its `allow` differs in upper and lower case"
    );
}

#[test]
fn who_may_dial_in_is_a_matter_of_patterns_and_peers() {
    let names = |names: &[&str]| Some(names.iter().filter_map(|name| DaemonPattern::parse(name)).collect());
    let peers = || ["right".to_owned()];
    let open = Acceptance::new(peers(), None);
    let nobody = Acceptance::new(peers(), names(&[]));
    let some = Acceptance::new(peers(), names(&["web-*", "db.Example.com"]));
    for (acceptance, daemon, is_accepted) in [
        (&open, "stranger", true),
        (&nobody, "stranger", false),
        (&nobody, "RIGHT", true),
        (&some, "right", true),
        (&some, "Web-1", true),
        (&some, "DB.example.com", true),
        (&some, "db.example.com.evil", false),
        (&some, "stranger", false),
    ] {
        assert_eq!(acceptance.check(daemon).is_ok(), is_accepted, "{daemon} {acceptance:?}");
    }
    for text in ["", "a b", "a@b", "a/b", "ä"] {
        assert_eq!(DaemonPattern::parse(text), None, "{text}");
    }
}

/// The definition of a match, without regard to speed.
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

fn rule(from: &[&str], to: &[&str]) -> Rule {
    let patterns = |texts: &[&str]| texts.iter().map(|text| NodePattern::parse(text).unwrap()).collect();
    Rule {
        from: patterns(from),
        to: patterns(to),
        action: None,
        rate: None,
        priority: None,
    }
}

fn deciding(rule: Rule, action: Action) -> Rule {
    let action = Some(action);
    Rule { action, ..rule }
}

#[test]
fn the_first_rule_with_an_action_decides_whoever_connects() {
    let list = vec![
        Rule {
            priority: Some(Priority::Low),
            ..rule(&["*@*"], &["*@*"])
        },
        deciding(rule(&["web@*", "app@*"], &["db@*"]), Action::Allow),
        deciding(rule(&["*@*"], &["*@*"]), Action::Deny),
    ];
    let rules = Rules::new("left", list);
    for (one, other) in [("web@h1", "db@h2"), ("db@h2", "web@h1"), ("db@h2", "app@h1")] {
        assert_eq!(rules.action(one, other), Some((Action::Allow, 2)));
        assert!(rules.check(one, other).is_ok());
    }
    assert_eq!(rules.denied(), 0);
    let denied = rules.check("web@h1", "web@h2").unwrap_err().to_string();
    assert_eq!(
        denied,
        "policy: web@h1 may not be connected to web@h2: rule 3 of the [[policy]] of daemon left denies it"
    );
    assert!(Denied::is_reason(&denied) && rules.denied() == 1);
    let clone = rules.clone();
    rules.set(Vec::new());
    assert!(clone.check("web@h1", "web@h2").is_ok(), "all clones change");
}

#[test]
fn each_setting_of_a_direction_comes_from_the_first_rule_that_has_it() {
    let rate = |bytes| Some(Rate { bytes, burst: 1 });
    let list = vec![
        Rule {
            priority: Some(Priority::High),
            ..rule(&["a@*"], &["b@*"])
        },
        Rule {
            rate: rate(5),
            priority: Some(Priority::Low),
            ..rule(&["a@*"], &["*@*"])
        },
        Rule {
            rate: rate(7),
            ..rule(&["*@*"], &["*@*"])
        },
    ];
    let rules = Rules::new("left", list);
    let flow = rules.flow("a@h", "b@h");
    assert_eq!(flow.rate.map(|(rate, rule)| (rate.bytes, rule)), Some((5, 2)));
    assert_eq!(flow.priority, Some((Priority::High, 1)));
    let back = rules.flow("b@h", "a@h");
    assert_eq!(back.rate.map(|(rate, rule)| (rate.bytes, rule)), Some((7, 3)));
    assert_eq!(back.priority, None, "a direction of its own");
}

proptest! {
    /// Compared with the definition: every rule is looked at, and the first one that fits is taken.
    #[test]
    fn rules_decide_as_defined(
        list in proptest::collection::vec(("[ab*]", "[ab*]", 0..3_u8, 0..2_u64, 0..4_usize), 0..8),
        one in "[abc]", other in "[abc]",
    ) {
        let fits = |pattern: &str, node: &str| pattern == "*" || pattern == node;
        let made = |(from, to, action, rate, priority): &(String, String, u8, u64, usize)| Rule {
            action: [None, Some(Action::Allow), Some(Action::Deny)][usize::from(*action)],
            rate: (*rate > 0).then_some(Rate { bytes: *rate, burst: 1 }),
            priority: Priority::ALL.get(*priority).copied(),
            ..rule(&[&format!("{from}@h")], &[&format!("{to}@h")])
        };
        let rules = Rules::new("left", list.iter().map(made).collect());
        let made: Vec<(usize, Rule)> = (1..).zip(list.iter().map(made)).collect();
        let fitting = |from: &str, to: &str| {
            let both = list.iter().zip(&made).filter(|((f, t, ..), _)| fits(f, from) && fits(t, to));
            both.map(|(_, (number, rule))| (*number, rule.clone())).collect::<Vec<_>>()
        };
        let (there, back) = (fitting(&one, &other), fitting(&other, &one));
        let acting = there.iter().chain(&back).filter_map(|(number, rule)| Some((*number, rule.action?)));
        let first = acting.min_by_key(|(number, _)| *number).map(|(number, action)| (action, number));
        let (from, to) = (format!("{one}@h"), format!("{other}@h"));
        prop_assert_eq!(rules.action(&from, &to), first);
        prop_assert_eq!(rules.action(&to, &from), first);
        prop_assert_eq!(rules.check(&from, &to).is_err(), matches!(first, Some((Action::Deny, _))));
        let flow = rules.flow(&from, &to);
        prop_assert_eq!(flow.rate, there.iter().find_map(|(number, rule)| Some((rule.rate?, *number))));
        prop_assert_eq!(flow.priority, there.iter().find_map(|(number, rule)| Some((rule.priority?, *number))));
    }
}
