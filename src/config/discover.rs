use std::net::IpAddr;
use std::net::SocketAddr;

use super::section::Report;
use super::section::Section;
use super::settings::DiscoverSettings;
use super::settings::Lookup;
use super::value::Given;
use super::value::Value;
use crate::router::DaemonPattern;

const DNS: &str = "a DNS name with A or AAAA records, e.g. \"beamway.example.com\", or an IP address";
const SRV: &str = "a DNS name with SRV records, e.g. \"_beamway._udp.example.com\"";
const SERVER: &str = "the address of a name server, e.g. \"10.0.0.2\" or \"127.0.0.1:8600\"";
const NAMES: &str = "a pattern of names of daemons, e.g. \"*.beamway.example.com\"";

/// The port of name servers (RFC 1035 section 4.2).
const SERVER_PORT: u16 = 53;

/// All tables that have no mistake. `listen` is the UDP port of this daemon.
pub(super) fn read(root: &mut Section<'_>, listen: Option<u16>, report: &mut Report<'_>) -> Vec<DiscoverSettings> {
    let Some(value) = root.raw("discover") else {
        return Vec::new();
    };
    let allowed = || {
        format!(
            "0 to {} tables, each of which starts with a line [[discover]]",
            DiscoverSettings::LIST_MAX
        )
    };
    let entries = match &value.value {
        Value::List(entries) if entries.len() <= DiscoverSettings::LIST_MAX => entries,
        _ => {
            report.add("discover".to_owned(), Some(&value.place), "not allowed", allowed());
            return Vec::new();
        }
    };
    let mut read = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("discover[{}]", index + 1);
        if entry.value.as_table().is_none() {
            report.add(path, Some(&entry.place), "not allowed", allowed());
            continue;
        }
        read.extend(read_one(&path, entry, listen, report));
    }
    read
}

fn read_one(path: &str, entry: &Given, listen: Option<u16>, report: &mut Report<'_>) -> Option<DiscoverSettings> {
    let mut section = Section::of(path, Some(entry));
    let dns = section.optional(report, "dns", DNS, |value| dns_name(value.as_text()?));
    let srv = section.optional(report, "srv", SRV, |value| {
        dns_name(value.as_text()?).filter(|name| name.parse::<IpAddr>().is_err())
    });
    let port = section.number(report, "port", &(1..=u16::MAX));
    let server = section.optional(report, "server", SERVER, |value| server(value.as_text()?));
    let names = section.optional(report, "name", NAMES, |value| DaemonPattern::parse(value.as_text()?));
    let exchange = section.optional(report, "exchange", "true or false", Value::as_flag);
    let forget = section.time(report, "forget", &DiscoverSettings::FORGET_ALLOWED);
    let exchanges = exchange.is_some_and(|found| found.value);
    let has_lookup = section.raw("dns").is_some() || section.raw("srv").is_some();
    if !has_lookup && !exchanges {
        let allowed = "one of `dns` and `srv`, or `exchange = true`".to_owned();
        report.add_at(path.to_owned(), entry.place.begin(), "nothing to ask", allowed);
    }
    let needs = |key: &str, what: &str| (section.key(key), format!("{key} beside {what} only"));
    let lookup = match (dns, srv) {
        (Some(_), Some(srv)) => {
            let allowed = "either `dns` or `srv`; write two tables for both".to_owned();
            report.add(section.key("srv"), Some(&srv.place), "not allowed", allowed);
            None
        }
        (Some(dns), None) => match port
            .as_ref()
            .map(|found| found.value)
            .or(listen.filter(|port| *port > 0))
        {
            Some(port) => Some((dns.value, Some(port))),
            None => {
                let allowed = "the UDP port of the daemons, since this one listens on any".to_owned();
                report.add_at(section.key("port"), entry.place.begin(), "missing", allowed);
                None
            }
        },
        (None, srv) => {
            if let Some(port) = &port {
                let (key, allowed) = needs("port", "`dns`");
                report.add(key, Some(&port.place), "not allowed", allowed);
            }
            srv.map(|srv| (srv.value, None))
        }
    };
    if let Some(server) = server.as_ref().filter(|_| !has_lookup) {
        let (key, allowed) = needs("server", "`dns` or `srv`");
        report.add(key, Some(&server.place), "not allowed", allowed);
    }
    section.finish(report);
    Some(DiscoverSettings {
        lookup: lookup.map(|(name, port)| Lookup {
            name,
            port,
            server: server.map(|found| found.value),
        }),
        names: names.map_or_else(DaemonPattern::any, |found| found.value),
        exchange: exchanges,
        forget: forget.map_or(DiscoverSettings::FORGET, |found| found.value),
    })
}

/// A name that a name server may know: labels of letters, digits, `-` and `_`, perhaps with a dot at the end.
fn dns_name(text: &str) -> Option<String> {
    if text.parse::<IpAddr>().is_ok() {
        return Some(text.to_owned());
    }
    let whole = text.strip_suffix('.').unwrap_or(text);
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(is_fit);
    (whole.len() <= 253 && whole.split('.').all(is_label)).then(|| text.to_owned())
}

fn server(text: &str) -> Option<SocketAddr> {
    let address = text.parse().ok();
    let address = address.or_else(|| Some((text.parse::<IpAddr>().ok()?, SERVER_PORT).into()));
    address.filter(|address: &SocketAddr| address.port() > 0)
}
