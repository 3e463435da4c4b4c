use std::net::IpAddr;

/// The host parts of node names that mean this machine.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// Announced to peers.
    public: Vec<String>,
    /// For nodes of this host only.
    private: Vec<String>,
    is_configured: bool,
}

impl Hosts {
    /// A configured list. All of it is announced to peers.
    pub const fn configured(hosts: Vec<String>) -> Self {
        Self {
            public: hosts,
            private: Vec::new(),
            is_configured: true,
        }
    }

    /// The names and addresses that this machine has. Those that mean another machine elsewhere, such as 127.0.0.1, are for the
    /// nodes of this host only.
    pub fn of_this_machine(found: Vec<String>) -> Self {
        let (private, public) = found.into_iter().partition(|host| is_private(host));
        Self {
            public,
            private,
            is_configured: false,
        }
    }

    /// Adds the addresses that this machine has and the list has not, unless the list is configured. Returns them. An address
    /// that is gone stays in the list: nodes are named after it.
    pub fn add(&mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Vec<String> {
        let mut added = Vec::new();
        if self.is_configured {
            return added;
        }
        for address in addresses {
            let host = address.to_string();
            if self.public.contains(&host) || self.private.contains(&host) {
                continue;
            }
            let list = if is_private(&host) {
                &mut self.private
            } else {
                &mut self.public
            };
            list.push(host.clone());
            added.push(host);
        }
        added
    }

    /// Whether the list is configured, so that it never changes.
    pub const fn is_configured(&self) -> bool {
        self.is_configured
    }

    /// Whether a host part means this machine.
    pub fn contains(&self, host: &str) -> bool {
        let mut all = self.public.iter().chain(&self.private);
        all.any(|other| other.eq_ignore_ascii_case(host))
    }

    /// The host parts that are announced to peers.
    pub fn announced(&self) -> Vec<String> {
        self.public.clone()
    }

    /// The host parts for nodes of this host only.
    pub fn private(&self) -> Vec<String> {
        self.private.clone()
    }

    /// All of them.
    #[cfg(any(test, feature = "daemon"))]
    pub fn all(&self) -> Vec<String> {
        [self.announced(), self.private()].concat()
    }
}

/// Whether a host part means this machine here and another one elsewhere.
fn is_private(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified(),
        Err(_) => {
            let first = host.split('.').next().unwrap_or(host);
            ["localhost", "ip6-localhost", "ip6-loopback"]
                .iter()
                .any(|name| first.eq_ignore_ascii_case(name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(hosts: &[&str]) -> Vec<String> {
        hosts.iter().map(|host| (*host).to_owned()).collect()
    }

    #[test]
    fn what_means_another_machine_elsewhere_is_not_announced_by_default() {
        let found = [
            "10.0.0.1",
            "127.0.0.1",
            "127.0.1.1",
            "169.254.7.7",
            "::1",
            "fd00::1",
            "fe80::1",
            "h1",
            "localhost",
            "localhost.localdomain",
        ];
        let hosts = Hosts::of_this_machine(list(&found));
        assert_eq!(hosts.announced(), ["10.0.0.1", "fd00::1", "h1"]);
        assert_eq!(hosts.all().len(), found.len(), "all of them can be used on this host");
        let configured = Hosts::configured(list(&["127.0.0.1"]));
        assert_eq!(
            configured.announced(),
            ["127.0.0.1"],
            "a configured list is announced as it is"
        );
    }

    #[test]
    fn addresses_that_appear_later_are_added() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut hosts = Hosts::of_this_machine(list(&["10.0.0.1", "h1"]));
        let now = ["10.0.0.1", "10.0.0.2", "fe80::2"].map(address);
        assert_eq!(hosts.add(now), ["10.0.0.2", "fe80::2"]);
        assert_eq!(hosts.announced(), ["10.0.0.1", "h1", "10.0.0.2"]);
        assert_eq!(hosts.private(), ["fe80::2"]);
        assert_eq!(hosts.add(now), [""; 0]);
        assert_eq!(hosts.add([address("10.0.0.2")]), [""; 0]);
        assert_eq!(
            hosts.all().len(),
            4,
            "an address that is gone may be in the names of nodes"
        );
        let mut configured = Hosts::configured(list(&["h1"]));
        assert_eq!(configured.add(now), [""; 0]);
    }
}
