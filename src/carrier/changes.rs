use crate::config::Config;

/// A setting and how to tell that two configurations have it alike.
type Key = (&'static str, fn(&Config, &Config) -> bool);

/// The settings that a reload applies.
const APPLIED: &[Key] = &[
    ("peer", |a, b| a.peers == b.peers),
    ("discover", |a, b| a.discover == b.discover),
    ("policy", |a, b| a.policy == b.policy),
    ("accept.names", |a, b| a.accept == b.accept),
    ("gateway.certs", |a, b| a.gateway.certs == b.gateway.certs),
    ("gateway.memory", |a, b| a.gateway.memory == b.gateway.memory),
    ("gateway.circuit_budget", |a, b| {
        a.gateway.circuit_budget == b.gateway.circuit_budget
    }),
    ("gateway.close_deadline", |a, b| {
        a.gateway.close_deadline == b.gateway.close_deadline
    }),
    ("session.replay_budget", |a, b| {
        a.session.replay_budget == b.session.replay_budget
    }),
    ("session.end_expired", |a, b| {
        a.session.ends_expired == b.session.ends_expired
    }),
    ("log.level", |a, b| a.log.level == b.log.level),
];

/// The settings that only a restart applies.
const AFTER_RESTART: &[Key] = &[
    ("gateway.listen", |a, b| a.gateway.listen == b.gateway.listen),
    ("gateway.lanes", |a, b| a.gateway.lanes == b.gateway.lanes),
    ("gateway.net_ticktime", |a, b| {
        a.gateway.net_ticktime == b.gateway.net_ticktime
    }),
    ("gateway.busy_wait", |a, b| a.gateway.busy_wait == b.gateway.busy_wait),
    ("epmd", |a, b| a.epmd == b.epmd),
    ("hosts", |a, b| a.hosts == b.hosts),
    ("select", |a, b| a.select == b.select),
    ("transport", |a, b| a.transport == b.transport),
    ("session.grace", |a, b| a.session.grace == b.session.grace),
    ("session.race_interval", |a, b| {
        a.session.race_interval == b.session.race_interval
    }),
    ("admin", |a, b| a.admin == b.admin),
    ("log.format", |a, b| a.log.format == b.log.format),
];

/// What differs between two configurations: the settings that a reload applies, and those that need a restart.
pub(super) fn of(before: &Config, now: &Config) -> (Vec<String>, Vec<String>) {
    let differing = |keys: &[Key]| {
        let keys = keys.iter().filter(|(_, is_same)| !is_same(before, now));
        keys.map(|(name, _)| (*name).to_owned()).collect()
    };
    (differing(APPLIED), differing(AFTER_RESTART))
}

/// The configuration that is in effect: what a reload applies is new, the rest is as it was.
pub(super) fn keep_what_needs_restart(now: Config, before: &Config) -> Config {
    let mut kept = before.clone();
    kept.peers = now.peers;
    kept.discover = now.discover;
    kept.policy = now.policy;
    kept.accept = now.accept;
    kept.gateway.certs = now.gateway.certs;
    kept.gateway.memory = now.gateway.memory;
    kept.gateway.circuit_budget = now.gateway.circuit_budget;
    kept.gateway.close_deadline = now.gateway.close_deadline;
    kept.session.replay_budget = now.session.replay_budget;
    kept.session.ends_expired = now.session.ends_expired;
    kept.log.level = now.log.level;
    kept
}
