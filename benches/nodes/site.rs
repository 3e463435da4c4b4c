//! What both processes have: a daemon with a certificate, a node attached to it, one with plain distribution, raw QUIC.

use std::fs;
use std::fs::Permissions;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;
use beamway::carrier::Daemon;
use beamway::etf::Atom;
use beamway::internals::tls::Authority;
use beamway::internals::tls::Identity;
use beamway::internals::tls::PemFiles;
use beamway::internals::tls::client_config;
use beamway::internals::tls::reset_key;
use beamway::internals::tls::server_config;
use beamway::internals::trunk::SendErrors;
use beamway::internals::trunk::TrunkConfig;
use beamway::internals::trunk::io::udp::bind;
use beamway::node::Node;
use quinn::ClientConfig;
use quinn::Endpoint;
use quinn::ServerConfig;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::crypto::rustls::QuicServerConfig;
use serde::Deserialize;
use serde::Serialize;

const COOKIE: &str = "bench";

/// Ports of the two processes: found by the first, told to the second.
#[derive(Clone, Copy, Deserialize, Serialize)]
pub(crate) struct Ports {
    /// Of the daemons.
    quic: [u16; 2],
    epmd: [u16; 2],
    /// Of the second process's raw QUIC: with the settings of trunks, and with its own.
    pub(crate) raw: [u16; 2],
}

impl Ports {
    pub(crate) fn find() -> anyhow::Result<Self> {
        // All are kept until all are found, so that they differ.
        let udp = [(); 4].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)));
        let tcp = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let [one, two, raw, default] = udp.map(|socket| anyhow::Ok(socket?.local_addr()?.port()));
        let [first, second] = tcp.map(|socket| anyhow::Ok(socket?.local_addr()?.port()));
        Ok(Self {
            quic: [one?, two?],
            epmd: [first?, second?],
            raw: [raw?, default?],
        })
    }
}

/// The two processes, in the order in which they start.
const NAMES: [&str; 2] = ["near", "far"];

/// Certificates of both, for one run.
pub(crate) fn issue(folder: &Path) -> anyhow::Result<()> {
    let now = SystemTime::now();
    let authority = Authority::create(now)?;
    for name in NAMES {
        let issued = authority.issue_with_hosts(name, &["127.0.0.1".to_owned()], 1, now)?;
        let own = folder.join(name);
        fs::create_dir_all(&own)?;
        fs::write(own.join("ca.pem"), authority.certificate_pem())?;
        fs::write(own.join("cert.pem"), issued.certificate_pem)?;
        fs::write(own.join("key.pem"), issued.key_pem)?;
        fs::set_permissions(own.join("key.pem"), Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// How nodes reach each other.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Way {
    Lanes,
    Plain,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::Lanes, Self::Plain];

    /// The node of the second process.
    pub(crate) const fn far(self) -> Atom {
        match self {
            Self::Lanes => Atom::literal("far@127.0.0.1"),
            Self::Plain => Atom::literal("plain_far@127.0.0.1"),
        }
    }
}

/// One process's share.
pub(crate) struct Site {
    pub(crate) identity: Identity,
    lanes: Node,
    plain: Node,
    _daemon: Daemon,
}

impl Site {
    /// `index` says which of the two it is.
    pub(crate) async fn start(index: usize, folder: &Path, ports: Ports) -> anyhow::Result<Self> {
        let name = NAMES.get(index).context("one of two")?;
        let folder = folder.join(name);
        let read = |file: &str| fs::read(folder.join(file));
        let (authorities, certificate, key) = (read("ca.pem")?, read("cert.pem")?, read("key.pem")?);
        let files = PemFiles {
            authorities: &authorities,
            certificate: &certificate,
            key: &key,
            revoked: b"",
        };
        let identity = Identity::load(&files, name, SystemTime::now())?;
        let ([near, far], [epmd, far_epmd]) = (ports.quic, ports.epmd);
        let (listen, peer, peer_name, own_epmd) = match index {
            0 => (near, far, NAMES[1], epmd),
            _ => (far, near, NAMES[0], far_epmd),
        };
        let daemon = Daemon::builder(name, folder)
            .listen((Ipv4Addr::LOCALHOST, listen).into())
            .epmd((Ipv4Addr::LOCALHOST, own_epmd).into())
            .hosts(&["127.0.0.1"])
            .peer(peer_name, &format!("127.0.0.1:{peer}"))
            .start()
            .await?;
        let builder = Node::builder(&format!("{name}@127.0.0.1")).cookie(COOKIE);
        let attached = builder.attach(&daemon);
        // The first process's port mapper knows both nodes with plain distribution.
        let epmd = SocketAddr::from((Ipv4Addr::LOCALHOST, epmd));
        let builder = Node::builder(&format!("plain_{name}@127.0.0.1")).cookie(COOKIE);
        Ok(Self {
            identity,
            lanes: attached.start().await?,
            plain: builder.epmd(epmd).start().await?,
            _daemon: daemon,
        })
    }

    pub(crate) const fn node(&self, way: Way) -> &Node {
        match way {
            Way::Lanes => &self.lanes,
            Way::Plain => &self.plain,
        }
    }

    /// An endpoint without daemon, with the settings that trunks have, or with quinn's own.
    pub(crate) fn endpoint(&self, port: u16, is_default: bool) -> anyhow::Result<(Endpoint, ClientConfig)> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if is_default {
            let server = QuicServerConfig::try_from(server_config(&self.identity)?)?;
            let client = QuicClientConfig::try_from(client_config(&self.identity)?)?;
            let endpoint = Endpoint::server(ServerConfig::with_crypto(Arc::new(server)), address)?;
            return Ok((endpoint, ClientConfig::new(Arc::new(client))));
        }
        let config = TrunkConfig::default();
        let server = server_config(&self.identity)?;
        let server = config.server(Arc::new(server)).map_err(anyhow::Error::msg)?;
        let client = client_config(&self.identity)?;
        let client = config.client(Arc::new(client)).map_err(anyhow::Error::msg)?;
        let bound = bind(
            address,
            &config,
            Some(server),
            Arc::new(reset_key(&self.identity)),
            SendErrors::default(),
        )?;
        Ok((bound.endpoint, client))
    }
}
