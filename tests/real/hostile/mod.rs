//! Whoever sends anything malformed, oversized, out of state or out of time loses that connection; a healthy pair of
//! nodes on the same gateways never notices.
//!
//! * [`strangers`]: bytes and half requests at every port of a gateway.
//! * [`nodes`]: nodes that know the cookie and misbehave after, or in, the handshake.
//! * [`peers`]: QUIC clients without the right certificate.
//! * [`floods`]: peers with the right certificate that make a gateway keep as much as they can.
//! * [`inside`]: the same against nodes with the carrier inside, and nonsense for the VM itself.

mod floods;
mod inside;
mod nodes;
mod peers;
mod strangers;

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use crate::basics::each_way;
use crate::harness::Carrier;
use crate::harness::Cluster;
use crate::harness::Node;
use crate::harness::Site;
use crate::harness::resident;

/// A gateway that holds more than this while it is attacked does not bound what it keeps.
const MEMORY_MAX: u64 = 400 << 20;

/// The callers beside an attack.
const CALLERS: u32 = 4;

/// What a call beside an attack may take more than twice its time alone, in microseconds: the attack comes from the same two cores.
const CROWDED: u64 = 30_000;

/// How long calls are measured before an attack.
const ALONE: Duration = Duration::from_millis(1500);

/// Two sites with a node each that talk all the time, and must go on.
struct Healthy {
    cluster: Cluster,
    a: Node,
    b: Node,
}

impl Healthy {
    fn new() -> Self {
        Self::of(
            Carrier::Bridge,
            vec![Site::loopback("left"), Site::loopback("right")],
            2,
        )
    }

    /// Gateways run for the first `running` of the sites, or nodes with the carrier inside; all gateways are named as peers.
    fn of(carrier: Carrier, sites: Vec<Site>, running: usize) -> Self {
        let cluster = Cluster::with_absent(carrier, sites, running);
        let mut a = cluster.node(&crate::harness::NodeSpec::new("a", 0));
        let mut b = cluster.node(&crate::harness::NodeSpec::new("b", 1));
        a.connect(&b);
        each_way(&mut a, &mut b, |node, other| {
            node.eval("real:watch()");
            node.eval(&format!("real_connections:guard(guard, {other})"));
        });
        each_way(&mut a, &mut b, |node, other| {
            node.eval(&format!("real_connections:stream(stream, {other}, 1000)"));
        });
        Self { cluster, a, b }
    }

    /// Where the first site listens for peers.
    fn address(&self) -> SocketAddr {
        self.cluster.site(0).quic
    }

    /// What accepts peers at each site: gateways, or the nodes themselves.
    fn attacked(&mut self) -> [u32; 2] {
        let nodes = [self.a.process().id(), self.b.process().id()];
        match self.cluster.carrier() {
            Carrier::Vm => nodes,
            _ => [0, 1].map(|site| self.cluster.gateway(site).process().id()),
        }
    }

    /// The port at which the first gateway stands for b.
    fn persona_port(&mut self) -> u16 {
        let port = self.a.eval("real:port_of(\"b\", \"127.0.0.1\")");
        port.parse()
            .unwrap_or_else(|_| panic!("the gateway gave {port} as b's port"))
    }

    /// Fails the test if `attack` was felt.
    fn assert_unharmed(&mut self, attack: &str) {
        self.cluster.assert_healthy();
        for (site, process) in self.attacked().into_iter().enumerate() {
            let held = resident(process);
            assert!(held < MEMORY_MAX, "{attack}: site {site} holds {} MB", held >> 20);
        }
        each_way(&mut self.a, &mut self.b, |node, other| {
            let seen = node.eval(&format!("real:watched({other})"));
            assert_eq!(seen, "[]", "{attack}: {} lost its partner", node.full_name());
            node.eval(&format!("real_connections:chat({other})"));
        });
        for node in [&mut self.a, &mut self.b] {
            node.eval("real_connections:guarded()");
        }
    }

    /// Calls between the nodes before an attack and beside it: fails the test if those beside it take much longer.
    fn beside<T>(&mut self, attack: &str, attacked: impl FnOnce(&mut Self) -> T) -> T {
        let (mut alone, ()) = self.calls(|_| thread::sleep(ALONE));
        let (beside, outcome) = self.calls(attacked);
        if beside > 2 * alone + CROWDED {
            // Other tests may have begun meanwhile.
            alone = alone.max(self.calls(|_| thread::sleep(ALONE)).0);
        }
        eprintln!("{attack}: p99 of calls {beside} us, {alone} us alone");
        assert!(
            beside <= 2 * alone + CROWDED,
            "{attack}: p99 of calls {beside} us, {alone} us alone"
        );
        outcome
    }

    /// The 99th percentile of calls between the nodes meanwhile, in microseconds: the median of half seconds.
    fn calls<T>(&mut self, meanwhile: impl FnOnce(&mut Self) -> T) -> (u64, T) {
        let begin = format!("real_pressure:keep_calling({}, {CALLERS})", self.b.atom());
        self.a.eval(&begin);
        let outcome = meanwhile(self);
        let told = self.a.eval("real_pressure:stop_calling()");
        let times = told.trim_matches(['[', ']']).split(',');
        let mut times: Vec<u64> = times.map(|time| time.trim().parse().expect("a number")).collect();
        times.sort_unstable();
        (times[times.len() / 2], outcome)
    }

    /// A newcomer is still served: registered, found, connected.
    fn assert_open(&mut self) {
        for (site, partner) in [(0, &self.b), (1, &self.a)] {
            let name = format!("newcomer{site}");
            let mut newcomer = self
                .cluster
                .node(&crate::harness::NodeSpec::new(&name, site).args("-hidden"));
            newcomer.connect(partner);
            newcomer.eval(&format!("real_connections:chat({})", partner.atom()));
        }
    }
}

/// Time for a gateway to end a connection that is malformed.
const ENDED: Duration = Duration::from_secs(10);
