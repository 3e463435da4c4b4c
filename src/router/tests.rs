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
