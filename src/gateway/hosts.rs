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

/// Host parts that have come and gone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Addresses that this machine has got.
    pub added: Vec<String>,
    /// Addresses that it has no longer.
    pub removed: Vec<String>,
}

impl Change {
    /// Whether nothing has changed.
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
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

    /// Takes the addresses that this machine has now in the place of those in the list, unless the list is configured. Names stay.
    /// Returns what has changed.
    pub fn update(&mut self, addresses: &[IpAddr]) -> Change {
        let mut change = Change::default();
        // A machine without any address, not even one of loopback, could not be asked.
        if self.is_configured || addresses.is_empty() {
            return change;
        }
        for list in [&mut self.public, &mut self.private] {
            list.retain(|host| {
                let stays = host.parse().map_or(true, |ip: IpAddr| addresses.contains(&ip));
                if !stays {
                    change.removed.push(host.clone());
                }
                stays
            });
        }
        for host in addresses.iter().map(ToString::to_string) {
            if self.public.contains(&host) || self.private.contains(&host) {
                continue;
            }
            let list = if is_private(&host) {
                &mut self.private
            } else {
                &mut self.public
            };
            list.push(host.clone());
            change.added.push(host);
        }
        change
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
    fn addresses_that_come_and_go_are_noticed() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let change = |added: &[&str], removed: &[&str]| Change {
            added: list(added),
            removed: list(removed),
        };
        let mut hosts = Hosts::of_this_machine(list(&["10.0.0.1", "127.0.0.1", "h1"]));
        let more = ["10.0.0.1", "10.0.0.2", "127.0.0.1", "fe80::2"].map(address);
        assert_eq!(hosts.update(&more), change(&["10.0.0.2", "fe80::2"], &[]));
        assert_eq!(hosts.announced(), ["10.0.0.1", "h1", "10.0.0.2"]);
        assert_eq!(hosts.private(), ["127.0.0.1", "fe80::2"]);
        assert!(hosts.update(&more).is_empty());
        let fewer = ["10.0.0.2", "127.0.0.1"].map(address);
        assert_eq!(hosts.update(&fewer), change(&[], &["10.0.0.1", "fe80::2"]));
        assert_eq!(hosts.announced(), ["h1", "10.0.0.2"], "names stay");
        assert!(!hosts.contains("10.0.0.1"));
        assert!(hosts.update(&[]).is_empty(), "the kernel was not asked successfully");
        assert_eq!(hosts.all().len(), 3);
        let mut configured = Hosts::configured(list(&["h1"]));
        assert!(configured.update(&more).is_empty());
    }
}
