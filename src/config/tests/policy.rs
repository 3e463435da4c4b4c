use crate::config::Config;
use crate::config::Mistakes;
use crate::config::Purpose;
use crate::config::parse;
use crate::config::policy::RULES_MAX;
use crate::router::Action;
use crate::router::Priority;

fn read(policy: &str) -> Result<Config, Mistakes> {
    let text = format!("[gateway]\nname = \"left\"\nlisten = \"127.0.0.1:1\"\ncerts = \"c\"\n{policy}");
    parse(&text, Purpose::Daemon)
}

#[test]
fn rules_are_read_in_their_order_and_have_usual_bursts() {
    let config = read(
        r#"
[[policy]]
from = "web-*@*"
to = ["db@*", "*@host2"]
action = "deny"
[[policy]]
from = "*@*"
to = "*@*"
rate = "20MB/s"
[[policy]]
from = "*@*"
to = "*@*"
rate = "10 KiB/s"
priority = "low"
[[policy]]
from = "*@*"
to = "*@*"
rate = "1000GB/s"
burst = "1GiB"
priority = "high"
"#,
    );
    let rules = config.expect("no mistake").policy;
    assert_eq!(rules.len(), 4);
    assert_eq!((rules[0].action, rules[0].to.len()), (Some(Action::Deny), 2));
    let rates: Vec<_> = rules
        .iter()
        .map(|rule| rule.rate.map(|rate| (rate.bytes, rate.burst)))
        .collect();
    let wanted = [
        None,
        Some((20_000_000, 2_000_000)),
        Some((10_240, 131_072)),
        Some((1_000_000_000_000, 1 << 30)),
    ];
    assert_eq!(rates, wanted);
    assert_eq!(rules[2].priority, Some(Priority::Low));
}

#[test]
fn each_mistake_says_line_key_value_and_what_is_allowed() {
    let rule = |keys: &str| format!("[[policy]]\nfrom = \"a@*\"\nto = \"b@*\"\n{keys}\n");
    for (policy, told) in [
        (
            rule(""),
            "line 5: policy[1].action: missing; allowed: at least one of the keys action",
        ),
        (
            rule("action = \"drop\""),
            "line 8: policy[1].action = \"drop\": not allowed; allowed: \"allow\" or",
        ),
        (
            rule("rate = \"20MB\""),
            "policy[1].rate = \"20MB\": not allowed; allowed: a size per second from",
        ),
        (
            rule("rate = 20000"),
            "policy[1].rate = 20000: not allowed; allowed: a size per second",
        ),
        (rule("rate = \"999B/s\""), "policy[1].rate = \"999B/s\": not allowed"),
        (
            rule("burst = \"1MB\"\npriority = \"low\""),
            "line 8: policy[1].burst = \"1MB\": not allowed; allowed: burst together with rate",
        ),
        (
            rule("rate = \"1MB/s\"\nburst = \"1kB\""),
            "policy[1].burst = \"1kB\": not allowed; allowed: a size from \"64KiB\" to \"1GiB\"",
        ),
        (
            rule("rate = \"1GB/s\"\nburst = \"1MB\""),
            "policy[1].burst = \"1MB\": not allowed; allowed: at least a hundredth of rate, 10000000 bytes",
        ),
        (
            rule("priority = \"urgent\""),
            "policy[1].priority = \"urgent\": not allowed; allowed: \"high\", \"normal\" or \"low\"",
        ),
        (
            rule("action = \"deny\"\nwhen = 1"),
            "policy[1].when = 1: unknown key; allowed: the keys from, to",
        ),
        (
            "[[policy]]\nfrom = \"a\"\naction = \"deny\"\n".to_owned(),
            "policy[1].from = \"a\": not allowed; allowed: a pattern of node names",
        ),
        (
            "[[policy]]\nfrom = []\naction = \"deny\"\n".to_owned(),
            "policy[1].to: missing",
        ),
        ("[policy]\nfrom = \"a@b\"\n".to_owned(), "policy"),
        (
            rule("action = \"deny\"").repeat(RULES_MAX + 1),
            "allowed: 0 to 1024 tables",
        ),
    ] {
        let mistakes = read(&policy).expect_err(&policy).to_string();
        assert!(mistakes.contains(told), "{told}\n{mistakes}");
    }
    assert!(read(&rule("action = \"deny\"").repeat(RULES_MAX)).is_ok());
}
