use std::net::SocketAddr;
use std::time::Duration;
use std::time::SystemTime;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::BoundDaemon;
use super::PolicyRule;
use super::load::Loaded;
use super::settings::Settings;
use super::source::Source;
use crate::config;
use crate::config::Purpose;
use crate::tls::Authority;
use crate::tls::Identity;
use crate::tls::LEAF_DAYS_DEFAULT;
use crate::tls::PemFiles;

/// The settings of a program, and a file with the same content.
fn both() -> (Settings, String) {
    let mut settings = Settings::new("Here", "certs/here".into());
    settings.listen = "127.0.0.1:4471".parse().expect("an address");
    settings.epmd = vec![
        "127.0.0.1:4369".parse().expect("an address"),
        "10.0.0.1:4369".parse().expect("an address"),
    ];
    settings.is_epmd_public = true;
    settings.hosts = Some(vec!["127.0.0.1".to_owned()]);
    settings.busy_wait = Some(Duration::from_micros(50));
    settings.accept = Some(vec!["web-*".to_owned()]);
    settings.policy = vec![
        PolicyRule::new("web-*@*", "db@*").deny(),
        PolicyRule::new("db@*", "*@*").allow(),
        PolicyRule::new("batch@*", "*@*")
            .rate("20MB/s")
            .burst("2MB")
            .priority("low"),
    ];
    settings.peer("left", "left.example:4471", None);
    settings.peer("right", "[fd00::2]:4472", Some(&["*@right", "web-*@*"]));
    let file = r#"
[gateway]
name = "Here"
listen = "127.0.0.1:4471"
certs = "certs/here"
busy_wait = "50us"
[epmd]
listen = ["127.0.0.1:4369", "10.0.0.1:4369"]
public = true
hosts = ["127.0.0.1"]
[accept]
names = ["web-*"]
[[peer]]
name = "left"
address = "left.example:4471"
[[peer]]
name = "right"
address = "[fd00::2]:4472"
allow = ["*@right", "web-*@*"]
[[policy]]
from = "web-*@*"
to = "db@*"
action = "deny"
[[policy]]
from = "db@*"
to = "*@*"
action = "allow"
[[policy]]
from = "batch@*"
to = "*@*"
rate = "20MB/s"
burst = "2MB"
priority = "low"
"#;
    (settings, file.to_owned())
}

#[test]
fn settings_of_a_program_are_those_of_a_file() {
    let (settings, file) = both();
    assert_eq!(
        settings.config(Purpose::Daemon),
        Ok(config::parse(&file, Purpose::Daemon).expect("a good file"))
    );
    let least = Settings::new("here", "c".into())
        .config(Purpose::Daemon)
        .expect("good settings");
    let file = "[gateway]\nname = 'here'\nlisten = '0.0.0.0:0'\ncerts = 'c'\n";
    assert_eq!(least, config::parse(file, Purpose::Daemon).expect("a good file"));
}

#[test]
fn mistakes_of_a_program_are_told_as_those_of_a_file() {
    let (mut settings, mut file) = both();
    settings.busy_wait = Some(Duration::from_secs(1));
    settings.peer("not a name", "nowhere", Some(&[]));
    settings.peer("left", "left.example:4471", Some(&["no pattern"]));
    settings.peer("here", "h:1", None);
    file = file.replace("\"50us\"", "\"1s\"");
    for (name, address, allow) in [
        ("not a name", "nowhere", "allow = []"),
        ("left", "left.example:4471", "allow = [\"no pattern\"]"),
        ("here", "h:1", ""),
    ] {
        file.push_str(&format!(
            "[[peer]]\nname = \"{name}\"\naddress = \"{address}\"\n{allow}\n"
        ));
    }
    let mut told = settings.config(Purpose::Daemon).expect_err("mistakes");
    let of_file = config::parse(&file, Purpose::Daemon).expect_err("mistakes").list;
    let without_lines = of_file.iter().map(|mistake| {
        let text = mistake.to_string();
        let (_, rest) = text.split_once(": ").expect("a line");
        rest.to_owned()
    });
    let mut without_lines: Vec<_> = without_lines.collect();
    // The mistakes of a file are in the order of lines.
    told.sort();
    without_lines.sort();
    assert_eq!(told, without_lines);
    assert_eq!(told.len(), 8, "{told:#?}");
}

/// A number that does not change for a tenth of a second: tasks that only begin something are over by then.
async fn settled(number: impl Fn() -> usize) -> usize {
    let (mut seen, mut looks) = (number(), 0);
    while looks < 10 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        looks = if number() == seen { looks + 1 } else { 0 };
        seen = number();
    }
    seen
}

/// The number of tasks of a daemon with a port mapper at these addresses.
async fn tasks_of_a_daemon(epmd: &[SocketAddr]) -> usize {
    let now = SystemTime::now();
    let authority = Authority::create(now).expect("an authority");
    let issued = authority.issue("here", LEAF_DAYS_DEFAULT, now).expect("a certificate");
    let files = PemFiles {
        authorities: authority.certificate_pem().as_bytes(),
        certificate: issued.certificate_pem.as_bytes(),
        key: issued.key_pem.as_bytes(),
        revoked: b"",
    };
    let identity = Identity::load(&files, "here", now).expect("good files");
    let settings = Settings::new("here", "certs".into());
    let source = Source::Program(Box::new(settings.clone()), Purpose::Daemon);
    let mut config = settings.config(Purpose::Daemon).expect("good settings");
    config.gateway.listen = "127.0.0.1:0".parse().expect("an address");
    config.epmd.listen = epmd.to_vec();
    let bound = BoundDaemon::bind(Loaded { config, identity }, source, Vec::new())
        .await
        .expect("free ports");
    let leave = CancellationToken::new();
    let daemon = tokio::spawn(bound.run(leave.clone()));
    let tasks = settled(|| Handle::current().metrics().num_alive_tasks()).await;
    leave.cancel();
    daemon.await.expect("a daemon that stops");
    tasks
}

#[tokio::test]
async fn a_daemon_without_beams_runs_no_gateway() {
    let epmd: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let without = tasks_of_a_daemon(&[]).await;
    assert_eq!(
        tasks_of_a_daemon(&[epmd]).await,
        without + 2,
        "a daemon with a port mapper also runs its task and the gateway"
    );
    assert_eq!(tasks_of_a_daemon(&[epmd, epmd]).await, without + 3);
}
