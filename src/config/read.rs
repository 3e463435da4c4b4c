use std::collections::BTreeMap;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::discover;
use super::error::Mistakes;
use super::policy::read_policy;
use super::section::Found;
use super::section::Report;
use super::section::Section;
use super::settings::AcceptSettings;
use super::settings::Address;
use super::settings::AdminSettings;
use super::settings::AdminSocket;
use super::settings::Config;
use super::settings::EpmdSettings;
use super::settings::GatewaySettings;
use super::settings::HostsSettings;
use super::settings::LogSettings;
use super::settings::PeerSettings;
use super::settings::SelectSettings;
use super::settings::SessionSettings;
use super::settings::TransportSettings;
use super::units;
use super::value::Key;
use super::value::Table;
use super::value::Value;
use crate::router::DaemonPattern;
use crate::router::NodePattern;
use crate::tls::daemon_name;

const NAME: &str = "a DNS name of letters, digits, `-`, `_` and dots, as in the certificate, e.g. \"left\"";
const SOCKET: &str = "an IP address and a port, e.g. \"127.0.0.1:4471\" or \"[::1]:4471\"";
const SOCKETS: &str = "one IP address with port, or a list of 1 to 64 different ones, e.g. [\"127.0.0.1:4369\"]";
const PUBLIC: &str = "addresses of loopback; elsewhere remote nodes would be reachable in clear text from other machines, unless \
                      `public = true` in [epmd] says that this is wanted (SECURITY.md)";
const ADDRESS: &str = "a host name or address and a port, e.g. \"host2:4471\", \"10.0.0.2:4471\" or \"[fd00::2]:4471\"";
const HOSTS: &str = "a list of 1 to 64 host parts of node names, e.g. [\"127.0.0.1\", \"host1\"]";
const ALLOW: &str = "a list of 1 to 1024 patterns of node names, e.g. [\"*@host2\", \"web-*@*\"]";
const ACCEPT: &str =
    "a list of 0 to 1024 patterns of names of daemons, e.g. [\"web-*.example.com\"]; [] for nobody but peers";
const CONGESTION: &str = "\"model\", \"cubic\", \"newreno\" or \"bbr\"";
const NO_EPMD: &str =
    "no section [epmd]: without a gateway there is no port mapper, since peers find the node by the lanes";
const PORTS: &str = "a table of 1 to 1024 names of nodes before the `@`, each with a port, e.g. { worker = 4472 }";
const NO_SELECT: &str =
    "no section [select]: only a VM with the carrier inside (erl -proto_dist beamway) has other carriers beside it";
const ADMIN_SOCKET: &str = "the path of a Unix socket, e.g. \"/run/beamway/left.sock\", or false for none";
const CERTS: &str = "the folder that holds ca.pem, cert.pem and key.pem, e.g. \"certs/left\"";

/// What settings are for.
#[cfg_attr(
    not(feature = "internals"),
    allow(dead_code, reason = "each form of the package has those that it starts")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A daemon that serves the nodes of its host.
    Daemon,
    /// The lanes of a program. They serve no other nodes, so there is no section `[epmd]`.
    Lanes,
    /// The lanes of a VM. They reach the nodes of hosts that no file names.
    Vm,
}

/// Checks the settings of a program, in the same way and with the same defaults as those of a file.
pub(crate) fn read(settings: &Table, purpose: Purpose) -> Result<Config, Mistakes> {
    read_from(settings, None, Report::new(""), purpose)
}

/// The same for settings from a file. The report already holds the mistakes of the TOML parser.
pub(super) fn read_from(
    root: &Table,
    begin: Option<usize>,
    mut report: Report<'_>,
    purpose: Purpose,
) -> Result<Config, Mistakes> {
    let mut root = Section::new("", Some(root), begin);
    let mut gateway = table(&mut root, &mut report, "gateway");
    let name = gateway.required(&mut report, "name", NAME, |value| daemon_name(value.as_text()?).ok());
    let certs = gateway.required(&mut report, "certs", CERTS, certs);
    let mut mistakes = Mistakes {
        list: Vec::new(),
        name: name.as_ref().map(|name| name.value.clone()),
        certs: certs.as_ref().map(|certs| certs.value.clone()),
        admin: None,
    };
    let gateway = read_gateway(gateway, name, certs, &mut report);
    let epmd = match purpose {
        Purpose::Daemon => read_epmd(&mut root, &mut report),
        Purpose::Lanes | Purpose::Vm => no_epmd(&mut root, &mut report),
    };
    let peers = read_peers(&mut root, mistakes.name.as_deref(), &mut report);
    let listen = gateway.as_ref().map(|gateway| gateway.listen.port());
    let discover = discover::read(&mut root, listen, &mut report);
    let policy = read_policy(&mut root, &mut report);
    let accept = read_accept(&mut root, &mut report);
    let hosts = read_hosts(&mut root, purpose, &mut report);
    let select = read_select(&mut root, purpose, &mut report);
    let transport = read_transport(&mut root, &mut report);
    let session = read_session(&mut root, &mut report);
    let admin = read_admin(&mut root, &mut report);
    let log = read_log(&mut root, &mut report);
    root.finish(&mut report);
    match gateway {
        Some(gateway) if report.is_empty() => Ok(Config {
            gateway,
            epmd,
            peers,
            discover,
            policy,
            accept,
            hosts,
            select,
            transport,
            session,
            admin,
            log,
        }),
        _ => {
            mistakes.list = report.into_list();
            mistakes.admin = Some(Box::new(admin));
            Err(mistakes)
        }
    }
}

fn table<'a>(root: &mut Section<'a>, report: &mut Report<'_>, key: &'static str) -> Section<'a> {
    let value = root.raw(key);
    if let Some(value) = value.filter(|given| given.value.as_table().is_none()) {
        let allowed = format!("a table, which starts with a line [{key}]");
        report.add(key.to_owned(), Some(&value.place), "not allowed", allowed);
    }
    Section::of(key, value)
}

/// `None` if a key without a default is missing or wrong.
fn read_gateway(
    mut section: Section<'_>,
    name: Option<Found<String>>,
    certs: Option<Found<PathBuf>>,
    report: &mut Report<'_>,
) -> Option<GatewaySettings> {
    type Gateway = GatewaySettings;
    let listen = section.required(report, "listen", SOCKET, socket);
    let lanes = section.number(report, "lanes", &Gateway::LANES_ALLOWED);
    let net_ticktime = section.number(report, "net_ticktime", &Gateway::NET_TICKTIME_ALLOWED);
    let circuit_budget = section.size(report, "circuit_budget", &Gateway::CIRCUIT_BUDGET_ALLOWED);
    let memory = section.size(report, "memory", &Gateway::MEMORY_ALLOWED);
    let close_deadline = section.time(report, "close_deadline", &Gateway::CLOSE_DEADLINE_ALLOWED);
    let busy_wait = section.time(report, "busy_wait", &Gateway::BUSY_WAIT_ALLOWED);
    let budget = value_or(circuit_budget.as_ref(), Gateway::CIRCUIT_BUDGET);
    let bound = value_or(memory.as_ref(), Gateway::MEMORY);
    if bound < budget {
        let (key, place) = match (&memory, &circuit_budget) {
            (Some(memory), _) => ("memory", Some(&memory.place)),
            (None, budget) => ("circuit_budget", budget.as_ref().map(|budget| &budget.place)),
        };
        let allowed = format!(
            "memory not below circuit_budget; they are {} and {}",
            units::size_text(bound),
            units::size_text(budget)
        );
        report.add(section.key(key), place, "not allowed", allowed);
    }
    section.finish(report);
    Some(GatewaySettings {
        name: name?.value,
        listen: listen?.value,
        certs: certs?.value,
        lanes: value_or(lanes.as_ref(), Gateway::LANES),
        net_ticktime: Duration::from_secs(value_or(net_ticktime.as_ref(), Gateway::NET_TICKTIME)),
        circuit_budget: budget,
        memory: bound,
        close_deadline: value_or(close_deadline.as_ref(), Gateway::CLOSE_DEADLINE),
        busy_wait: value_or(busy_wait.as_ref(), Gateway::BUSY_WAIT),
    })
}

fn read_epmd(root: &mut Section<'_>, report: &mut Report<'_>) -> EpmdSettings {
    let mut section = table(root, report, "epmd");
    let listen = section.optional(report, "listen", SOCKETS, |value| match value {
        Value::List(_) => distinct(list(value, EpmdSettings::LIST_MAX, socket)?),
        one => Some(vec![socket(one)?]),
    });
    let hosts = section.optional(report, "hosts", HOSTS, |value| {
        list(value, EpmdSettings::LIST_MAX, |item| host_part(item.as_text()?))
    });
    let public = section.optional(report, "public", "true or false", Value::as_flag);
    let is_public = value_or(public.as_ref(), false);
    if let Some(listen) = listen.as_ref().filter(|_| !is_public)
        && listen
            .value
            .iter()
            .any(|address| !address.ip().to_canonical().is_loopback())
    {
        report.add(
            section.key("listen"),
            Some(&listen.place),
            "not allowed",
            PUBLIC.to_owned(),
        );
    }
    section.finish(report);
    EpmdSettings {
        listen: listen.map_or_else(|| EpmdSettings::LISTEN.to_vec(), |found| found.value),
        is_public,
        hosts: hosts.map(|found| found.value),
    }
}

fn no_epmd(root: &mut Section<'_>, report: &mut Report<'_>) -> EpmdSettings {
    if let Some(given) = root.raw("epmd") {
        report.add("epmd".to_owned(), Some(&given.place), "not allowed", NO_EPMD.to_owned());
    }
    EpmdSettings {
        listen: Vec::new(),
        is_public: false,
        hosts: None,
    }
}

/// All peers that have a valid name and address.
fn read_peers(root: &mut Section<'_>, own: Option<&str>, report: &mut Report<'_>) -> Vec<PeerSettings> {
    let Some(value) = root.raw("peer") else {
        return Vec::new();
    };
    let allowed = || {
        format!(
            "0 to {} tables, each of which starts with a line [[peer]]",
            PeerSettings::LIST_MAX
        )
    };
    let entries = match &value.value {
        Value::List(entries) if entries.len() <= PeerSettings::LIST_MAX => entries,
        _ => {
            report.add("peer".to_owned(), Some(&value.place), "not allowed", allowed());
            return Vec::new();
        }
    };
    let mut peers = Vec::new();
    let mut names = HashMap::new();
    let mut addresses = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("peer[{}]", index + 1);
        if entry.value.as_table().is_none() {
            report.add(path, Some(&entry.place), "not allowed", allowed());
            continue;
        }
        let mut section = Section::of(&path, Some(entry));
        let name = section.required(report, "name", NAME, |value| daemon_name(value.as_text()?).ok());
        let address = section.required(report, "address", ADDRESS, |value| address(value.as_text()?));
        let allow = section.optional(report, "allow", ALLOW, |value| {
            list(value, PeerSettings::LIST_MAX, |item| {
                NodePattern::parse(item.as_text()?).ok()
            })
        });
        if let Some(name) = &name {
            if own == Some(name.value.as_str()) {
                let allowed = "the name of another daemon; this is the name in [gateway]".to_owned();
                report.add(section.key("name"), Some(&name.place), "not allowed", allowed);
            }
            unique(&mut names, name, &section.key("name"), report);
        }
        if let Some(address) = &address {
            unique(&mut addresses, address, &section.key("address"), report);
        }
        section.finish(report);
        if let (Some(name), Some(address)) = (name, address) {
            peers.push(PeerSettings {
                name: name.value,
                address: address.value,
                allow: allow.map(|found| found.value),
            });
        }
    }
    peers
}

fn read_accept(root: &mut Section<'_>, report: &mut Report<'_>) -> AcceptSettings {
    let mut section = table(root, report, "accept");
    let names = section.optional(report, "names", ACCEPT, |value| match value {
        Value::List(items) if items.is_empty() => Some(Vec::new()),
        _ => list(value, AcceptSettings::LIST_MAX, |item| {
            DaemonPattern::parse(item.as_text()?)
        }),
    });
    section.finish(report);
    AcceptSettings {
        names: names.map(|found| found.value),
    }
}

fn read_hosts(root: &mut Section<'_>, purpose: Purpose, report: &mut Report<'_>) -> HostsSettings {
    let mut section = table(root, report, "hosts");
    let dial = section.optional(report, "dial", "true or false", Value::as_flag);
    let port = section.number(report, "port", &HostsSettings::PORT_ALLOWED);
    let ports = section.optional(report, "ports", PORTS, |value| {
        let keys = &value.as_table()?.keys;
        let port = |key: &Key| {
            let port = match key.given.value {
                Value::Whole(port) => u16::try_from(port).ok().filter(|port| *port > 0)?,
                _ => return None,
            };
            host_part(&key.name).map(|name| (name, port))
        };
        let ports = keys.iter().map(port).collect::<Option<BTreeMap<_, _>>>()?;
        (1..=HostsSettings::PORTS_MAX).contains(&ports.len()).then_some(ports)
    });
    section.finish(report);
    HostsSettings {
        dial: value_or(dial.as_ref(), purpose == Purpose::Vm),
        port: port.map(|found| found.value),
        ports: ports.map(|found| found.value).unwrap_or_default(),
    }
}

fn read_select(root: &mut Section<'_>, purpose: Purpose, report: &mut Report<'_>) -> SelectSettings {
    if let Some(given) = root.raw("select").filter(|_| purpose != Purpose::Vm) {
        report.add(
            "select".to_owned(),
            Some(&given.place),
            "not allowed",
            NO_SELECT.to_owned(),
        );
        return SelectSettings { nodes: None };
    }
    let mut section = table(root, report, "select");
    let nodes = section.optional(report, "nodes", ALLOW, |value| {
        list(value, PeerSettings::LIST_MAX, |item| {
            NodePattern::parse(item.as_text()?).ok()
        })
    });
    section.finish(report);
    SelectSettings {
        nodes: nodes.map(|found| found.value),
    }
}

fn unique<T>(seen: &mut HashMap<T, String>, found: &Found<T>, key: &str, report: &mut Report<'_>)
where
    T: Clone + Eq + Hash,
{
    if let Some(first) = seen.get(&found.value) {
        let allowed = format!("a unique value; {first} has the same");
        report.add(key.to_owned(), Some(&found.place), "not allowed", allowed);
    } else {
        seen.insert(found.value.clone(), key.to_owned());
    }
}

fn read_transport(root: &mut Section<'_>, report: &mut Report<'_>) -> TransportSettings {
    type Transport = TransportSettings;
    let mut section = table(root, report, "transport");
    let receive = section.size(report, "udp_receive_buffer", &Transport::UDP_BUFFER_ALLOWED);
    let send = section.size(report, "udp_send_buffer", &Transport::UDP_BUFFER_ALLOWED);
    let datagram = section.size(report, "datagram_max", &Transport::DATAGRAM_MAX_ALLOWED);
    let idle = section.time(report, "idle_timeout", &Transport::IDLE_TIMEOUT_ALLOWED);
    let keep_alive = section.time(report, "keep_alive", &Transport::KEEP_ALIVE_ALLOWED);
    let window = section.size(report, "stream_window", &Transport::STREAM_WINDOW_ALLOWED);
    let congestion = section.optional(report, "congestion", CONGESTION, |value| value.as_text()?.parse().ok());
    let canary = section.optional(report, "canary", "true or false", Value::as_flag);
    let idle_timeout = value_or(idle.as_ref(), Transport::IDLE_TIMEOUT);
    // If not set, it follows a shorter idle timeout, at one fifth of it.
    let interval = value_or(keep_alive.as_ref(), Transport::KEEP_ALIVE.min(idle_timeout / 5));
    if interval > idle_timeout / 2 {
        let allowed = format!("at most half of idle_timeout = \"{}\"", units::time_text(idle_timeout));
        let place = keep_alive.as_ref().map(|found| &found.place);
        report.add(section.key("keep_alive"), place, "not allowed", allowed);
    }
    section.finish(report);
    let bytes =
        |found: Option<&Found<u64>>| usize::try_from(value_or(found, Transport::UDP_BUFFER)).unwrap_or(usize::MAX);
    TransportSettings {
        udp_receive_buffer: bytes(receive.as_ref()),
        udp_send_buffer: bytes(send.as_ref()),
        datagram_max: datagram.map_or(Transport::DATAGRAM_MAX, |found| found.value as u16),
        idle_timeout,
        keep_alive: interval,
        stream_window: value_or(window.as_ref(), Transport::STREAM_WINDOW),
        canary: value_or(canary.as_ref(), true),
        congestion: congestion.map(|found| found.value).unwrap_or_default(),
    }
}

fn read_session(root: &mut Section<'_>, report: &mut Report<'_>) -> SessionSettings {
    type Session = SessionSettings;
    let mut section = table(root, report, "session");
    let grace = section.time(report, "grace", &Session::GRACE_ALLOWED);
    let budget = section.size(report, "replay_budget", &Session::REPLAY_BUDGET_ALLOWED);
    let interval = section.time(report, "race_interval", &Session::RACE_INTERVAL_ALLOWED);
    let ends_expired = section.optional(report, "end_expired", "true or false", Value::as_flag);
    section.finish(report);
    SessionSettings {
        grace: value_or(grace.as_ref(), Session::GRACE),
        replay_budget: value_or(budget.as_ref(), Session::REPLAY_BUDGET),
        race_interval: value_or(interval.as_ref(), Session::RACE_INTERVAL),
        ends_expired: value_or(ends_expired.as_ref(), true),
    }
}

fn read_admin(root: &mut Section<'_>, report: &mut Report<'_>) -> AdminSettings {
    let mut section = table(root, report, "admin");
    let listen = section.optional(report, "listen", SOCKET, socket);
    let unix = section.optional(report, "socket", ADMIN_SOCKET, |value| match value {
        Value::Flag(false) => Some(AdminSocket::Off),
        path => certs(path).map(AdminSocket::At),
    });
    section.finish(report);
    AdminSettings {
        listen: listen.map(|found| found.value),
        socket: unix.map(|found| found.value).unwrap_or_default(),
    }
}

fn read_log(root: &mut Section<'_>, report: &mut Report<'_>) -> LogSettings {
    let mut section = table(root, report, "log");
    let format = section.optional(report, "format", "\"text\" or \"json\"", |value| {
        value.as_text()?.parse().ok()
    });
    let levels = "\"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\"";
    let level = section.optional(report, "level", levels, |value| value.as_text()?.parse().ok());
    section.finish(report);
    LogSettings {
        format: format.map(|found| found.value).unwrap_or_default(),
        level: level.map(|found| found.value).unwrap_or_default(),
    }
}

fn value_or<T: Copy>(found: Option<&Found<T>>, default: T) -> T {
    found.map_or(default, |found| found.value)
}

/// A list of 1 to `max` items that `read` accepts.
fn list<T>(value: &Value, max: usize, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    let Value::List(items) = value else {
        return None;
    };
    if items.is_empty() || items.len() > max {
        return None;
    }
    items.iter().map(|item| read(&item.value)).collect()
}

/// The items, if no two are equal. Port 0 may occur twice, since each gets a port of its own.
fn distinct(items: Vec<SocketAddr>) -> Option<Vec<SocketAddr>> {
    let mut fixed: Vec<_> = items.iter().filter(|item| item.port() != 0).collect();
    fixed.sort();
    let all = fixed.len();
    fixed.dedup();
    (fixed.len() == all).then_some(items)
}

fn socket(value: &Value) -> Option<SocketAddr> {
    value.as_text()?.parse().ok()
}

fn certs(value: &Value) -> Option<PathBuf> {
    let path = match value {
        Value::Path(path) => path.clone(),
        text => PathBuf::from(text.as_text()?),
    };
    let bytes = path.as_os_str().as_encoded_bytes();
    (!bytes.is_empty() && !bytes.contains(&0)).then_some(path)
}

/// The part after `@` in a node name: no blank, no second `@`.
fn host_part(text: &str) -> Option<String> {
    let fits =
        (1..=255).contains(&text.len()) && !text.chars().any(|c| c == '@' || c.is_whitespace() || c.is_control());
    fits.then(|| text.to_owned())
}

fn address(text: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(inner) => {
            let inner = inner.strip_suffix(']')?;
            inner.parse::<Ipv6Addr>().ok()?.to_string()
        }
        None if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()) => host.to_owned(),
        // Host names follow the same rules as names of daemons.
        None => daemon_name(host).ok()?,
    };
    Some(Address { host, port })
}
