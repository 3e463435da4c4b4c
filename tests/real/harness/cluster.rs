//! Sites with nodes attached, over the carrier under test or over stock distribution.

use std::cell::RefCell;
use std::fs;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::erlang::ebin;
use super::gateway::Certificates;
use super::gateway::Gateway;
use super::gateway::Site;
use super::gateway::epmd_answers;
use super::node::Node;
use super::node::NodeSpec;
use super::node::Surroundings;
use super::node::command_in;
use super::node::erlang_environment;
use super::otp;
use super::ports::free_tcp_port;
use super::ports::free_udp_port;
use super::process::Process;
use super::process::until;

/// What carries the signals between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// Stock distribution: the control, which shows that a case itself is right.
    Plain,
    /// Gateways.
    Bridge,
    /// The carrier inside each VM.
    Vm,
    /// The carrier inside the VMs of every second site, beginning with the first, and gateways at the others.
    Mixed,
}

impl Carrier {
    /// Whether the nodes of a site have the carrier inside.
    const fn is_inside(self, site: usize) -> bool {
        match self {
            Self::Plain | Self::Bridge => false,
            Self::Vm => true,
            Self::Mixed => site.is_multiple_of(2),
        }
    }
}

/// A node with the carrier inside: the name of its lanes, where they listen, and the folder with their certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Inside {
    name: String,
    quic: SocketAddr,
    certs: PathBuf,
}

/// Sites, and everything needed to attach nodes to them. Nodes are owned by the test.
pub(crate) struct Cluster {
    sites: Vec<Site>,
    gateways: Vec<Gateway>,
    /// Stock port mappers: one for all sites, or one in the namespace of each.
    epmds: Vec<Process>,
    folder: TempDir,
    certificates: Option<Certificates>,
    carrier: Carrier,
    /// The nodes with the carrier inside that were started so far.
    inside: RefCell<Vec<Inside>>,
}

impl Cluster {
    /// As many sites on 127.0.0.1.
    pub(crate) fn new(carrier: Carrier, sites: usize) -> Self {
        let names = ["left", "right", "third", "fourth"];
        let sites = names.iter().take(sites).map(|name| Site::loopback(name)).collect();
        Self::of(carrier, sites)
    }

    /// These sites, each a peer of all others.
    pub(crate) fn of(carrier: Carrier, sites: Vec<Site>) -> Self {
        let running = sites.len();
        Self::with_absent(carrier, sites, running)
    }

    /// These sites with gateways, of which only those named have the others as peers; nobody else dials.
    pub(crate) fn with_diallers(sites: Vec<Site>, diallers: &[usize]) -> Self {
        let mut cluster = Self::empty(Carrier::Bridge, sites);
        let certificates = Certificates::init(cluster.folder.path().join("certs"));
        for (index, site) in cluster.sites.iter().enumerate() {
            let peers = if diallers.contains(&index) {
                cluster.sites.as_slice()
            } else {
                &[]
            };
            let gateway = Gateway::start(site.clone(), cluster.folder.path(), &certificates, peers);
            cluster.gateways.push(gateway);
        }
        cluster.certificates = Some(certificates);
        cluster
    }

    /// These sites, each a peer of all others, of which only the first `running` have a gateway that runs.
    pub(crate) fn with_absent(carrier: Carrier, sites: Vec<Site>, running: usize) -> Self {
        let mut cluster = Self::empty(carrier, sites);
        match carrier {
            Carrier::Plain => cluster.start_epmds(),
            Carrier::Bridge | Carrier::Vm | Carrier::Mixed => cluster.start_gateways(running),
        }
        cluster
    }

    fn empty(carrier: Carrier, sites: Vec<Site>) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("beamway-real-")
            .tempdir()
            .expect("a temporary folder");
        Self {
            sites,
            gateways: Vec::new(),
            epmds: Vec::new(),
            folder,
            certificates: None,
            carrier,
            inside: RefCell::default(),
        }
    }

    fn start_epmds(&mut self) {
        if self.sites.iter().all(|site| site.namespace.is_none()) {
            // Sites of one host share it.
            let port = free_tcp_port(&[IpAddr::V4(Ipv4Addr::LOCALHOST)]);
            for site in &mut self.sites {
                site.epmd_port = port;
            }
        }
        for index in 0..self.sites.len() {
            if index == 0 || self.namespace(index).is_some() {
                let epmd = self.start_epmd(index);
                self.epmds.push(epmd);
            }
        }
    }

    fn start_epmd(&self, site: usize) -> Process {
        let port = self.epmd_port(site);
        let mut command = command_in(self.namespace(site), "epmd");
        otp::choose(&mut command, site);
        command.args(["-port", &port.to_string()]);
        if self.namespace(site).is_none() {
            command.args(["-address", "127.0.0.1"]);
        }
        let epmd = Process::spawn("epmd", &mut command);
        until(Duration::from_secs(10), "epmd to listen", || {
            epmd_answers(self.namespace(site), site, port)
        });
        epmd
    }

    fn start_gateways(&mut self, running: usize) {
        let certificates = Certificates::init(self.folder.path().join("certs"));
        for (index, site) in self.sites.iter().enumerate().take(running) {
            if self.carrier.is_inside(index) {
                continue;
            }
            let peers = self.gateway_sites();
            let gateway = Gateway::start(site.clone(), self.folder.path(), &certificates, &peers);
            self.gateways.push(gateway);
        }
        self.certificates = Some(certificates);
    }

    /// The sites that have a gateway.
    fn gateway_sites(&self) -> Vec<Site> {
        let sites = self.sites.iter().enumerate();
        sites
            .filter(|(index, _)| !self.carrier.is_inside(*index))
            .map(|(_, site)| site.clone())
            .collect()
    }

    /// The configuration file of a node with the carrier inside. Its peers are the gateways, and the nodes that were started before; those
    /// that come later dial it. A node that is started again has the address that it had.
    pub(crate) fn file_of(&self, spec: &NodeSpec) -> PathBuf {
        let site = self.sites.get(spec.site).expect("a site of this cluster");
        let mut inside = self.inside.borrow_mut();
        let mut name = format!("{}-{}", site.name, spec.name).to_ascii_lowercase();
        if spec.name == "undefined" {
            // Several nodes may be without a name.
            name = format!("{name}-{}", inside.len());
        }
        let known = inside.iter().find(|inside| inside.name == name).cloned();
        let own = known.unwrap_or_else(|| {
            let ip = site.quic.ip();
            let is_free = inside.iter().all(|other| other.quic != site.quic);
            let own = Inside {
                quic: if is_free {
                    site.quic
                } else {
                    SocketAddr::new(ip, free_udp_port(ip))
                },
                certs: self.certificates().issue_for(&name, std::slice::from_ref(&spec.host)),
                name,
            };
            inside.push(own.clone());
            own
        });
        let gateways = self.gateway_sites().into_iter().map(|site| (site.name, site.quic));
        let nodes = inside.iter().filter(|other| **other != own);
        let peers = gateways.chain(nodes.map(|node| (node.name.clone(), node.quic)));
        let peers: String = peers
            .filter(|_| spec.lists_peers && site.discover.is_none())
            .map(|(name, quic)| format!("[[peer]]\nname = \"{name}\"\naddress = \"{quic}\"\n"))
            .collect();
        let text = format!(
            "[gateway]\nname = \"{}\"\nlisten = \"{}\"\ncerts = \"{}\"\n{}\n[admin]\nsocket = \"{}.sock\"\n[log]\nlevel = \"debug\"\n{peers}{}",
            own.name,
            own.quic,
            own.certs.display(),
            site.settings.join("\n"),
            own.name,
            site.discover.as_deref().unwrap_or_default(),
        );
        let file = self.folder.path().join(format!("{}.toml", own.name));
        fs::write(&file, text).expect("a writable folder");
        file
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().expect("a bridge")
    }

    pub(crate) const fn carrier(&self) -> Carrier {
        self.carrier
    }

    pub(crate) fn site(&self, site: usize) -> &Site {
        self.sites.get(site).expect("a site of this cluster")
    }

    pub(crate) fn gateway(&mut self, site: usize) -> &mut Gateway {
        self.gateways.get_mut(site).expect("a site of this cluster")
    }

    pub(crate) fn epmd_port(&self, site: usize) -> u16 {
        self.sites.get(site).expect("a site of this cluster").epmd_port
    }

    fn namespace(&self, site: usize) -> Option<&str> {
        self.sites.get(site).and_then(|site| site.namespace.as_deref())
    }

    /// Starts a node at its site.
    pub(crate) fn node(&self, spec: &NodeSpec) -> Node {
        let surroundings = Surroundings {
            epmd_port: self.epmd_port(spec.site),
            home: self.folder.path(),
            namespace: self.namespace(spec.site),
        };
        if !self.carrier.is_inside(spec.site) {
            return Node::start(spec, &surroundings);
        }
        let file = self.file_of(spec);
        let spec = spec
            .clone()
            .args("-proto_dist beamway -pa")
            .argument(ebin(spec.site))
            .args("-beamway_config")
            .argument(&file);
        Node::start(&spec, &surroundings)
    }

    /// Any other program at a site, in the environment that nodes have there.
    pub(crate) fn command(&self, site: usize, program: &str) -> Command {
        let mut command = command_in(self.namespace(site), program);
        erlang_environment(&mut command, self.epmd_port(site), self.folder.path());
        otp::choose(&mut command, site);
        command
    }

    /// The folder with the compiled modules for nodes of a site.
    pub(crate) fn modules(site: usize) -> &'static Path {
        ebin(site)
    }

    /// Two sites with a node each, connected.
    pub(crate) fn pair(carrier: Carrier) -> (Self, Node, Node) {
        let (cluster, mut a, b) = Self::apart(carrier);
        a.connect(&b);
        (cluster, a, b)
    }

    /// Two sites with a node each that know of each other but are not connected.
    pub(crate) fn apart(carrier: Carrier) -> (Self, Node, Node) {
        let cluster = Self::new(carrier, 2);
        let mut a = cluster.node(&NodeSpec::new("a", 0));
        let mut b = cluster.node(&NodeSpec::new("b", 1));
        a.await_known(&b);
        b.await_known(&a);
        (cluster, a, b)
    }

    /// Fails the test if a gateway ended or panicked; the last line of every case.
    pub(crate) fn assert_healthy(&mut self) {
        for gateway in &mut self.gateways {
            gateway.assert_healthy();
        }
    }
}
