//! Connections to local nodes that bypass the gateways, as the kernel lists them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// What the kernel calls an established connection (`include/net/tcp_states.h`).
const ESTABLISHED: &str = "01";

/// A node, and the host that is connected to it.
pub(super) type Direct = (String, IpAddr);

/// Notices nodes of other hosts that connect to nodes of this one directly: with `-erl_epmd_port`, for example, or an epmd module of
/// their own. They are not encrypted, and neither node shows it.
#[derive(Debug, Default)]
pub(super) struct DirectConnections {
    /// Those that there were at the last look, and have been told.
    told: BTreeSet<Direct>,
}

impl DirectConnections {
    /// Those that are new. `tables` is what `/proc/net/tcp` and `/proc/net/tcp6` say, `nodes` the nodes that accept connections from
    /// other machines, by their ports, and `ours` the addresses of this host.
    pub(super) fn look(&mut self, tables: &str, nodes: &BTreeMap<u16, String>, ours: &[IpAddr]) -> Vec<Direct> {
        let there: BTreeSet<_> = tables
            .lines()
            .filter_map(established)
            .filter(|(_, from)| !from.is_loopback() && !ours.contains(from))
            .filter_map(|(port, from)| Some((nodes.get(&port)?.clone(), from)))
            .collect();
        let new = there.difference(&self.told).cloned().collect();
        self.told = there;
        new
    }
}

/// The local port and the remote address of a line about an established connection.
fn established(line: &str) -> Option<(u16, IpAddr)> {
    let mut words = line.split_ascii_whitespace();
    let (_, local) = words.nth(1)?.split_once(':')?;
    let (remote, _) = words.next()?.split_once(':')?;
    if words.next()? != ESTABLISHED {
        return None;
    }
    Some((u16::from_str_radix(local, 16).ok()?, address(remote)?))
}

/// An address is one number of 32 bits, or four, in the order of this machine's bytes.
fn address(text: &str) -> Option<IpAddr> {
    let number = |at: usize| {
        let digits = text.get(at..at + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    if text.len() == 8 {
        return number(0).map(|bytes| Ipv4Addr::from(bytes).into());
    }
    let all = [number(0)?, number(8)?, number(16)?, number(24)?].concat();
    let all: [u8; 16] = all.try_into().ok()?;
    Some(Ipv6Addr::from(all).to_canonical())
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    const TABLES: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:B26E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000 100 0 0 10 0
   1: 0100007F:B26E 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 12346 1 0000000000000000 20 4 30 10 -1
   2: 0101010A:B26E 0201010A:C351 01 00000000:00000000 02:000A8C5E 00000000     0        0 12347 2 0000000000000000 20 4 30 10 -1
   3: 0101010A:B26E 0301010A:C351 06 00000000:00000000 03:000A8C5E 00000000     0        0 0 3 0000000000000000
   4: 0101010A:1F90 0401010A:C351 01 00000000:00000000 02:000A8C5E 00000000     0        0 12349 2 0000000000000000 20 4 30 10 -1
   5: 0000000000000000FFFF00000101010A:B26E 0000000000000000FFFF00000501010A:D431 01 00000000:00000000 00:00000000 00000000 0 0 1 2
   6: B80D0120000000000000000001000000:B26E B80D0120000000000000000002000000:D432 01 00000000:00000000 00:00000000 00000000 0 0 1 2
   7: garbage";

    #[test]
    fn other_hosts_are_told_once_as_long_as_they_are_connected() {
        let nodes = BTreeMap::from([(0xb26e, "b".to_owned())]);
        let ours = ["10.1.1.1", "10.1.1.5"].map(|ip| ip.parse().unwrap());
        let mut direct = DirectConnections::default();
        let from = |ip: &str| ("b".to_owned(), ip.parse().unwrap());
        assert_eq!(
            direct.look(TABLES, &nodes, &ours),
            [from("10.1.1.2"), from("2001:db8::2")]
        );
        assert_eq!(direct.look(TABLES, &nodes, &ours), []);
        assert_eq!(direct.look("", &nodes, &ours), []);
        assert_eq!(direct.look(TABLES, &BTreeMap::new(), &ours), []);
        assert_eq!(direct.look(TABLES, &nodes, &[]).len(), 3, "they came back");
    }
}
