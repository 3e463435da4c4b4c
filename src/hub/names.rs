use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use super::Answer;
use super::Hub;

/// The maximum number of nodes in a list of names.
const LISTED: usize = 4096;

/// Which nodes a list of names is to hold. Whoever asks completes the bare names with a host part of his own choice, so nodes of other
/// hosts would be wrong names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The nodes of this daemon.
    Here,
    /// The nodes with this host part.
    Host(String),
    /// The nodes that are meant by a question which arrived on this address.
    At {
        /// The address.
        ip: IpAddr,
        /// Whether it is a host part of this host.
        is_own: bool,
    },
}

impl Hub {
    /// The nodes in a scope, ordered by name. At most 4096.
    pub fn names(&self, scope: &Scope) -> Vec<Answer> {
        match scope {
            Scope::Here => self.here().collect(),
            Scope::Host(host) => self.all(|name| self.exact(name, host)),
            Scope::At { ip, is_own: true } => {
                let host = ip.to_string();
                self.all(|name| match self.exact(name, &host) {
                    None if self.registration(name).is_some() => Some(Answer::Local { name: name.to_owned() }),
                    exact => exact,
                })
            }
            Scope::At { ip, is_own: false } => {
                let exact = self.names(&Scope::Host(ip.to_string()));
                let is_default = *ip == Ipv4Addr::LOCALHOST || *ip == Ipv6Addr::LOCALHOST;
                if !exact.is_empty() || !is_default {
                    return exact;
                }
                // Names of all hosts are resolved to the loopback address: what a look-up finds there is meant.
                self.all(|name| match self.look_up(name, *ip) {
                    Answer::Unknown | Answer::Ambiguous(_) => None,
                    found => Some(found),
                })
            }
        }
    }

    fn here(&self) -> impl Iterator<Item = Answer> {
        self.registrations().map(|node| Answer::Local {
            name: node.name.clone(),
        })
    }

    /// What is found for any name, one's own or a peer's.
    fn all(&self, find: impl Fn(&str) -> Option<Answer>) -> Vec<Answer> {
        let locals = self.registrations().map(|node| node.name.as_str());
        let names: BTreeSet<&str> = locals.chain(self.announced_names()).collect();
        names.into_iter().filter_map(find).take(LISTED).collect()
    }
}
