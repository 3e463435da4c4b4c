use std::collections::BTreeMap;

/// The ports at which daemons of other hosts listen, for hosts that no setting lists as peers.
#[derive(Clone, Debug, Default)]
pub struct HostPorts {
    /// The port of any node.
    pub usual: u16,
    /// The ports of nodes with these names before the `@`, on every host. There may be several nodes on a host, each with the carrier
    /// inside.
    pub names: BTreeMap<String, u16>,
}

impl HostPorts {
    /// Where to dial for a node (`name@host`): a host and a port. `None` if its name has no host part.
    pub fn address(&self, node: &str) -> Option<String> {
        let (name, host) = node.split_once('@').filter(|(_, host)| !host.is_empty())?;
        let port = self.names.get(name).unwrap_or(&self.usual);
        Some(match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_dialled_at_the_port_of_its_name() {
        let ports = HostPorts {
            usual: 4471,
            names: BTreeMap::from([("worker".to_owned(), 4472)]),
        };
        assert_eq!(ports.address("app@h1").as_deref(), Some("h1:4471"));
        assert_eq!(ports.address("worker@h1").as_deref(), Some("h1:4472"));
        assert_eq!(ports.address("worker@fd00::1").as_deref(), Some("[fd00::1]:4472"));
        assert_eq!(ports.address("worker@"), None);
        assert_eq!(ports.address("worker"), None);
    }
}
