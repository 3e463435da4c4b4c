use proptest::prelude::*;

use crate::tls::daemon_name;

#[test]
fn names_of_daemons_are_dns_names_in_lower_case() {
    for (text, name) in [
        ("left", "left"),
        ("Left.Example.COM", "left.example.com"),
        ("node_1-a.b", "node_1-a.b"),
        ("4you", "4you"),
    ] {
        assert_eq!(daemon_name(text).as_deref(), Ok(name));
    }
    let label = "a".repeat(63);
    assert!(daemon_name(&label).is_ok());
    let longest = [label.as_str(); 4].join(".");
    for text in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a",
        "a-",
        "*",
        "*.example.com",
        "127.0.0.1",
        "::1",
        "1.2",
        "a b",
        "a/b",
        "../a",
        "a\0",
        "ä",
        "a@host",
        longest.as_str(),
        &format!("{label}a"),
    ] {
        let error = daemon_name(text).expect_err(text).to_string();
        assert!(error.contains("cannot name a daemon: "), "{error}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_name_or_an_error(text in any::<String>()) {
        if let Ok(name) = daemon_name(&text) {
            prop_assert_eq!(daemon_name(&name), Ok(name.clone()));
            prop_assert!(!name.contains(['/', '\0', '@', '*']));
        }
    }
}
