//! Two hosts made of network namespaces, joined by a cable or by a line with faults.

use std::fs::OpenOptions;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::gateway::Site;
use super::process::Process;
use super::process::until;

const EPMD_PORT: u16 = 4369;

/// What the addresses of hosts with IPv6 alone begin with.
pub(crate) const IPV6: &str = "fd77::";

/// Two namespaces joined by a cable or a line; removed when dropped.
pub(crate) struct Hosts {
    names: [String; 2],
    line: Option<Process>,
}

fn ip(args: &str) -> Result<(), String> {
    let output = Command::new("ip")
        .args(args.split(' '))
        .output()
        .map_err(|error| format!("cannot run ip: {error}; install it with: apt install iproute2"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    output
        .status
        .success()
        .then_some(())
        .ok_or_else(|| format!("ip {args}: {said}"))
}

impl Hosts {
    /// Joined by a cable. Nothing, and a line that says why, if this is not root or has no network namespaces.
    pub(crate) fn lay() -> Option<Self> {
        Self::made(Self::add_cable)
    }

    /// Joined by a cable on which there is IPv6 alone. Loopback has 127.0.0.1, too, or has not.
    pub(crate) fn of_ipv6(has_127: bool) -> Option<Self> {
        Self::made(|hosts| {
            hosts.add_cable_with(|host| format!("{IPV6}{host}/64 dev cable nodad"))?;
            for name in hosts.names.iter().filter(|_| !has_127) {
                ip(&format!("-n {name} addr del 127.0.0.1/8 dev lo"))?;
            }
            Ok(())
        })
    }

    /// Joined by `beamway linkem` with these words, which work in both directions. TCP there has the controller that every
    /// kernel allows in a namespace, whatever this machine prefers.
    pub(crate) fn with_line(words: &str, seed: u64) -> Option<Self> {
        let mut hosts = Self::made(|_| Ok(()))?;
        if let Err(error) = OpenOptions::new().read(true).write(true).open("/dev/net/tun") {
            eprintln!("SKIPPED: this kernel gives no TUN devices, which a line is made of: {error}");
            return None;
        }
        let [one, two] = &hosts.names;
        for name in [one, two] {
            let set = "echo reno > /proc/sys/net/ipv4/tcp_congestion_control";
            let status = Command::new("ip")
                .args(["netns", "exec", name, "sh", "-c", set])
                .status();
            assert!(status.is_ok_and(|status| status.success()), "{set} failed in {name}");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_beamway"));
        command
            .args(["linkem", "--left", one, "--right", two, "--line", words])
            .args(["--left-address", "10.77.0.1/24", "--right-address", "10.77.0.2/24"])
            .args(["--seed", &seed.to_string()]);
        let line = Process::spawn("line", &mut command);
        line.await_log("the network path is up", Duration::from_secs(10));
        hosts.line = Some(line);
        Some(hosts)
    }

    fn made(join: impl FnOnce(&Self) -> Result<(), String>) -> Option<Self> {
        // Tests may run as processes or as threads of one.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let hosts = Self {
            names: [format!("beamway-one-{id}"), format!("beamway-two-{id}")],
            line: None,
        };
        match hosts.add_namespaces().and_then(|()| join(&hosts)) {
            Ok(()) => Some(hosts),
            Err(error) => {
                assert!(
                    !nix::unistd::geteuid().is_root(),
                    "root cannot make network namespaces here: {error}"
                );
                eprintln!("SKIPPED: two hosts are made of network namespaces, which only root can: {error}");
                None
            }
        }
    }

    /// The names of the namespaces.
    pub(crate) const fn names(&self) -> &[String; 2] {
        &self.names
    }

    fn add_namespaces(&self) -> Result<(), String> {
        for name in &self.names {
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n {name} link set lo up"))?;
        }
        Ok(())
    }

    fn add_cable(&self) -> Result<(), String> {
        self.add_cable_with(|host| format!("10.77.0.{host}/24 dev cable"))
    }

    fn add_cable_with(&self, address: impl Fn(u8) -> String) -> Result<(), String> {
        let [one, two] = &self.names;
        ip(&format!(
            "link add cable netns {one} type veth peer name cable netns {two}"
        ))?;
        for (name, host) in self.names.iter().zip(1..) {
            ip(&format!("-n {name} addr add {}", address(host)))?;
            ip(&format!("-n {name} link set cable up"))?;
        }
        Ok(())
    }

    /// Plugs the cable in (`up`) or out (`down`).
    pub(crate) fn cable(&self, state: &str) {
        let [one, _] = &self.names;
        ip(&format!("-n {one} link set cable {state}")).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Gives a host one more address.
    pub(crate) fn add_address(&self, host: usize, address: &str) {
        let name = &self.names[host];
        ip(&format!("-n {name} addr add {address}/32 dev cable")).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Takes an address from a host.
    pub(crate) fn remove_address(&self, host: usize, address: &str) {
        let name = &self.names[host];
        ip(&format!("-n {name} addr del {address}/32 dev cable")).unwrap_or_else(|error| panic!("{error}"));
    }

    /// What one host sends to the other is lost (`add`) or no longer (`del`), but not the other way.
    pub(crate) fn deaf(&self, from: usize, action: &str) {
        let (name, to) = (&self.names[from], 2 - from);
        ip(&format!("-n {name} route {action} blackhole 10.77.0.{to}/32")).unwrap_or_else(|error| panic!("{error}"));
    }

    /// What the first host sends to the other one arrives nowhere, and its kernel does not know.
    pub(crate) fn lose(&self) {
        let [name, _] = &self.names;
        let nobody = "10.77.0.2 lladdr 02:00:00:00:00:99 nud permanent dev cable";
        ip(&format!("-n {name} neigh replace {nobody}")).unwrap_or_else(|error| panic!("{error}"));
    }

    /// The kernel of the first host refuses to send to the other one: by a route of the kind `prohibit` or `blackhole`.
    pub(crate) fn route(&self, action: &str, kind: &str) {
        let [name, _] = &self.names;
        ip(&format!("-n {name} route {action} {kind} 10.77.0.2/32")).unwrap_or_else(|error| panic!("{error}"));
    }

    /// The line takes everything and brings nothing, for so long.
    pub(crate) fn blackout(&mut self, time: Duration) {
        let line = self.line.as_mut().expect("hosts with a line");
        line.type_line("both blackout=on");
        thread::sleep(time);
        line.type_line("both blackout=off");
    }

    /// What became of the packets so far, each way.
    pub(crate) fn stats(&mut self) -> [String; 2] {
        let line = self.line.as_mut().expect("hosts with a line");
        let before = line.log().len();
        line.type_line("stats");
        let mut said = Vec::new();
        until(Duration::from_secs(10), "the line to count", || {
            said = line.log().split_off(before);
            said.len() >= 2
        });
        ["forth ", "back "].map(|name| {
            let found = said.iter().find_map(|line| line.split_once(name));
            found.expect("a line for each direction").1.to_owned()
        })
    }

    /// The sites `one` and `two`, whose nodes are at `one.test` and `two.test`.
    pub(crate) fn sites(&self) -> Vec<Site> {
        let names = self.names.iter().zip(["one", "two"]).zip(1..);
        names
            .map(|((namespace, name), host)| {
                let mut site = Site::loopback(name);
                site.hosts = vec![format!("{name}.test")];
                site.epmd_port = EPMD_PORT;
                site.quic = SocketAddr::from(([10, 77, 0, host], 4471));
                site.namespace = Some(namespace.clone());
                site
            })
            .collect()
    }
}

impl Hosts {
    /// The same sites with addresses of IPv6 and listening at all addresses; port mappers are where they are by default.
    pub(crate) fn sites_of_ipv6(&self) -> Vec<Site> {
        let sites = self.sites().into_iter().zip(1..);
        sites
            .map(|(site, host)| Site {
                epmd: Vec::new(),
                quic: format!("[{IPV6}{host}]:4471").parse().expect("an address"),
                listen: Some(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 4471))),
                ..site
            })
            .collect()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.line = None;
        for name in &self.names {
            // What was never made cannot be removed.
            let _ = ip(&format!("netns del {name}"));
        }
    }
}
