//! Asking the name service for the addresses of peers.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::cluster::Query;
#[cfg(feature = "discover")]
use dns::Dns;

/// How long a question may take, with all that follow from it.
const TIME: Duration = Duration::from_secs(10);

/// How long an answer holds that has no time of its own: of a file such as `/etc/hosts`, or that there is no such name.
const TTL: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// None: there is no daemon. That is not the same as a question without an answer.
    pub(super) addresses: Vec<SocketAddr>,
    /// How long that holds.
    pub(super) ttl: Duration,
}

/// Asks.
///
/// # Errors
///
/// If there is no answer, why not.
pub(super) async fn look_up(query: &Query) -> Result<Answer, String> {
    timeout(TIME, ask(query))
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {TIME:?}")))
}

async fn ask(query: &Query) -> Result<Answer, String> {
    if let (Ok(ip), Some(port)) = (query.name.parse::<IpAddr>(), query.port) {
        let addresses = vec![(ip, port).into()];
        return Ok(Answer { addresses, ttl: TTL });
    }
    let answered = by_dns(query).await;
    let has_addresses = |answer: &Answer| !answer.addresses.is_empty();
    match query.port {
        // The system knows names that are in no zone, such as those of /etc/hosts.
        Some(port) if query.server.is_none() && !answered.as_ref().is_ok_and(has_addresses) => {
            #[expect(clippy::disallowed_methods, reason = "it has a deadline")]
            match lookup_host((query.name.as_str(), port)).await {
                Ok(addresses) => Ok(Answer {
                    addresses: addresses.collect(),
                    ttl: TTL,
                }),
                Err(_) => answered,
            }
        }
        _ => answered,
    }
}

#[cfg(feature = "discover")]
async fn by_dns(query: &Query) -> Result<Answer, String> {
    let dns = Dns::new(query.server)?;
    match query.port {
        Some(port) => dns.hosts(&query.name, port).await,
        None => dns.services(&query.name).await,
    }
}

#[cfg(not(feature = "discover"))]
async fn by_dns(query: &Query) -> Result<Answer, String> {
    let _ = query;
    Err("this program is built without the feature `discover`: it asks the system for addresses, and nobody for SRV records".to_owned())
}

/// DNS itself, since the system's functions tell neither SRV records nor how long an answer holds.
#[cfg(feature = "discover")]
mod dns {
    use std::net::SocketAddr;
    use std::str::FromStr;
    use std::time::Duration;

    use bytes::Bytes;
    use domain::base::Message;
    use domain::base::Name;
    use domain::base::Rtype;
    use domain::base::iana::Rcode;
    use domain::rdata::A;
    use domain::rdata::Aaaa;
    use domain::rdata::Srv;
    use domain::resolv::StubResolver;
    use domain::resolv::stub::conf::ResolvConf;
    use domain::resolv::stub::conf::ServerConf;
    use domain::resolv::stub::conf::Transport;

    use super::Answer;
    use super::TTL;

    type HostName = Name<Vec<u8>>;

    /// Targets of one service that are asked for.
    const TARGETS: usize = 64;

    /// The name servers, and the domains in which a short name is looked for.
    pub(super) struct Dns {
        resolver: StubResolver,
        search: Vec<String>,
        ndots: usize,
    }

    impl Dns {
        /// The system's name servers, as they are now, or another one.
        pub(super) fn new(server: Option<SocketAddr>) -> Result<Self, String> {
            let mut conf = match server {
                None => ResolvConf::default(),
                Some(server) => {
                    let mut conf = ResolvConf::new();
                    conf.servers.push(ServerConf::new(server, Transport::UdpTcp));
                    conf
                }
            };
            conf.finalize();
            let search = match server {
                None => conf.options.search.as_slice().iter().map(ToString::to_string).collect(),
                Some(_) => Vec::new(),
            };
            Ok(Self {
                search,
                ndots: conf.options.ndots,
                resolver: StubResolver::from_conf(conf),
            })
        }

        /// The full names that a name may mean, in the order in which they are tried.
        fn names(&self, name: &str) -> Result<Vec<HostName>, String> {
            let whole = name.trim_end_matches('.');
            let mut names = vec![whole.to_owned()];
            if whole.len() == name.len() {
                let suffixes = self
                    .search
                    .iter()
                    .map(|suffix| suffix.trim_matches('.'))
                    .filter(|suffix| !suffix.is_empty());
                let longer: Vec<_> = suffixes.map(|suffix| format!("{whole}.{suffix}")).collect();
                let is_whole_first = whole.matches('.').count() >= self.ndots;
                let at = if is_whole_first { names.len() } else { 0 };
                names.splice(at..at, longer);
            }
            let names = names.iter().map(|name| HostName::from_str(name));
            names
                .collect::<Result<_, _>>()
                .map_err(|error| format!("{name:?} is no name: {error}"))
        }

        /// The addresses of a name.
        pub(super) async fn hosts(&self, name: &str, port: u16) -> Result<Answer, String> {
            for name in self.names(name)? {
                if let Some(answer) = self.addresses(&name, port).await? {
                    return Ok(answer);
                }
            }
            Ok(nobody())
        }

        /// The addresses and ports of a service.
        pub(super) async fn services(&self, name: &str) -> Result<Answer, String> {
            for name in self.names(name)? {
                let Some(message) = self.query(&name, Rtype::SRV).await? else {
                    continue;
                };
                let mut answer = Answer {
                    addresses: Vec::new(),
                    ttl: Duration::MAX,
                };
                let records = message.answer().map_err(malformed)?.limit_to::<Srv<_>>();
                for record in records.take(TARGETS) {
                    let record = record.map_err(malformed)?;
                    let target: HostName = domain::base::ToName::to_name(record.data().target());
                    answer.ttl = answer.ttl.min(record.ttl().into_duration());
                    if let Some(found) = self.addresses(&target, record.data().port()).await? {
                        answer.addresses.extend(found.addresses);
                        answer.ttl = answer.ttl.min(found.ttl);
                    }
                }
                if !answer.addresses.is_empty() {
                    return Ok(answer);
                }
            }
            Ok(nobody())
        }

        /// The addresses of both families of this very name; `None` if it has none.
        async fn addresses(&self, name: &HostName, port: u16) -> Result<Option<Answer>, String> {
            let (four, six) = tokio::join!(self.query(name, Rtype::A), self.query(name, Rtype::AAAA));
            // One family is enough.
            let (four, six) = match (four, six) {
                (Err(error), Err(_) | Ok(None)) | (Ok(None), Err(error)) => return Err(error),
                (four, six) => (four.unwrap_or_default(), six.unwrap_or_default()),
            };
            let mut found = Answer {
                addresses: Vec::new(),
                ttl: Duration::MAX,
            };
            let mut add = |address: SocketAddr, ttl: Duration| {
                found.addresses.push(address);
                found.ttl = found.ttl.min(ttl);
            };
            if let Some(four) = four {
                for record in four.answer().map_err(malformed)?.limit_to::<A>() {
                    let record = record.map_err(malformed)?;
                    add((record.data().addr(), port).into(), record.ttl().into_duration());
                }
            }
            if let Some(six) = six {
                for record in six.answer().map_err(malformed)?.limit_to::<Aaaa>() {
                    let record = record.map_err(malformed)?;
                    add((record.data().addr(), port).into(), record.ttl().into_duration());
                }
            }
            Ok((!found.addresses.is_empty()).then_some(found))
        }

        /// The answer to one question; `None` if there is no such name.
        async fn query(&self, name: &HostName, kind: Rtype) -> Result<Option<Message<Bytes>>, String> {
            let answer = self
                .resolver
                .query((name, kind))
                .await
                .map_err(|error| error.to_string())?;
            match answer.header().rcode() {
                Rcode::NOERROR => Ok(Some(answer.into_message())),
                Rcode::NXDOMAIN => Ok(None),
                code => Err(format!("the name server says {code} about {name}")),
            }
        }
    }

    const fn nobody() -> Answer {
        Answer {
            addresses: Vec::new(),
            ttl: TTL,
        }
    }

    fn malformed(error: impl std::fmt::Display) -> String {
        format!("the answer of the name server is malformed: {error}")
    }
}
