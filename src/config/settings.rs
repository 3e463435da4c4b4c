use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::congestion::Algorithm;
use crate::gateway::GatewayConfig;
use crate::router::DaemonPattern;
use crate::router::NodePattern;
use crate::router::Rule;
use crate::session::SessionConfig;
use crate::trunk::TrunkConfig;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[gateway]`
    pub gateway: GatewaySettings,
    /// `[epmd]`
    pub epmd: EpmdSettings,
    /// `[[peer]]`, in the order of the file
    pub peers: Vec<PeerSettings>,
    /// `[[discover]]`, in the order of the file
    pub discover: Vec<DiscoverSettings>,
    /// `[[policy]]`, in the order of the file
    pub policy: Vec<Rule>,
    /// `[accept]`
    pub accept: AcceptSettings,
    /// `[hosts]`
    pub hosts: HostsSettings,
    /// `[select]`
    pub select: SelectSettings,
    /// `[transport]`
    pub transport: TransportSettings,
    /// `[session]`
    pub session: SessionSettings,
    /// `[admin]`
    pub admin: AdminSettings,
    /// `[log]`
    pub log: LogSettings,
}

/// `[admin]`: where the daemon tells how it is, and takes commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminSettings {
    /// `listen`: a TCP address for HTTP, or none.
    pub listen: Option<SocketAddr>,
    /// `socket`: the Unix socket for the same, and for commands.
    pub socket: AdminSocket,
}

/// `[admin] socket`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdminSocket {
    /// At a path that follows from that of the configuration file.
    #[default]
    Usual,
    /// At this path, as written in the file, so relative to the folder of the file.
    At(PathBuf),
    /// There is none.
    Off,
}

/// `[gateway]`: the daemon itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySettings {
    /// `name`: the daemon's name, in lower case; a DNS name of its certificate.
    pub name: String,
    /// `listen`: UDP address for trunks. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// `certs`: folder with `ca.pem`, `cert.pem`, `key.pem`, as written in the file, so relative to the folder of the file.
    pub certs: PathBuf,
    /// `lanes`: number of lanes in each direction; the smaller value of both sides is used.
    pub lanes: u16,
    /// `net_ticktime`: at least that of the local nodes.
    pub net_ticktime: Duration,
    /// `circuit_budget`: bytes in flight per circuit and direction. At this limit, the sender's leg is not read.
    pub circuit_budget: u64,
    /// `memory`: bound in bytes on the data kept for local nodes, all circuits together.
    pub memory: u64,
    /// `close_deadline`: how long a closing circuit may take to deliver the remaining data.
    pub close_deadline: Duration,
    /// `busy_wait`: how long the daemon's thread polls after a small message.
    pub busy_wait: Duration,
}

impl GatewaySettings {
    /// 16 lanes. With 16 busy pairs of processes, two pairs share a lane now and then. More lanes mean smaller writes.
    pub const LANES: u16 = SessionConfig::LANES as u16;
    /// 1 lane gives the order of the whole connection; 64 is the maximum of the wire protocol.
    pub const LANES_ALLOWED: RangeInclusive<u16> = 1..=64;
    /// 60 s is Erlang's own default (kernel application, `net_ticktime`); no node may have more.
    pub const NET_TICKTIME: u64 = GatewayConfig::NET_TICKTIME.as_secs();
    /// Seconds. A day is longer than anybody waits for a node that is gone.
    pub const NET_TICKTIME_ALLOWED: RangeInclusive<u64> = 1..=86_400;
    /// 64 MiB. At the limit, small signals wait behind bulk data in the sender's own queue, so it is generous: half a second
    /// on a 1 Gbit/s network path (125 MB/s × 0.5 s = 62.5 MB).
    pub const CIRCUIT_BUDGET: u64 = SessionConfig::CIRCUIT_BUDGET;
    /// 256 KiB is four fragments of 64 KiB: the minimum with which a large message keeps moving.
    pub const CIRCUIT_BUDGET_ALLOWED: RangeInclusive<u64> = 256 * KIB..=16 * GIB;
    /// 1 GiB: 16 circuits with full budgets. Most circuits of a real cluster are nearly empty.
    pub const MEMORY: u64 = SessionConfig::MEMORY;
    /// From the smallest circuit budget to 1 TiB.
    pub const MEMORY_ALLOWED: RangeInclusive<u64> = 256 * KIB..=1024 * GIB;
    /// 10 s: a full budget of 64 MiB takes 7 s to a node that reads 10 MB/s.
    pub const CLOSE_DEADLINE: Duration = SessionConfig::CLOSE_DEADLINE;
    /// Up to ten minutes.
    pub const CLOSE_DEADLINE_ALLOWED: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(600);
    /// 200 µs: a call between two nodes in the same rack is answered within it.
    pub const BUSY_WAIT: Duration = Duration::from_micros(200);
    /// Zero turns it off. With more than 10 ms, occasional calls would keep a core busy.
    pub const BUSY_WAIT_ALLOWED: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_millis(10);
}

/// `[epmd]`: the port mapper for the local nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpmdSettings {
    /// `listen`: TCP addresses, at least one. Loopback of a family that the machine has not is left out beside another address.
    pub listen: Vec<SocketAddr>,
    /// `public`: whether `listen` may hold addresses that other machines reach. Personas listen at the same addresses, in clear
    /// text.
    pub is_public: bool,
    /// `hosts`: host parts of node names that mean this machine. They are announced to peers. `None`: its host name, its full
    /// name and the addresses of its interfaces, of which those of loopback and link-local ones are not announced.
    pub hosts: Option<Vec<String>>,
}

impl EpmdSettings {
    /// Loopback, since only local nodes are served: IPv4, and IPv6 for nodes with `-proto_dist inet6_tcp`, which register there and
    /// die at the start if nothing answers. The port is the one that every node asks unless `ERL_EPMD_PORT` says otherwise.
    pub const LISTEN: [SocketAddr; 2] = [
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4369),
        SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 4369),
    ];
    /// Maximum number of addresses, and of host parts: a machine has a handful.
    pub const LIST_MAX: usize = 64;
}

/// `[[peer]]`: another daemon to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    /// `name`: its configured name, in lower case; its certificate must carry it.
    pub name: String,
    /// `address`: the UDP address at which it listens.
    pub address: Address,
    /// `allow`: nodes that it may speak for. Default: the nodes `*@H` of each DNS name and IP address H in its certificate.
    pub allow: Option<Vec<NodePattern>>,
}

impl PeerSettings {
    /// Maximum number of peers in one file, and of patterns for one peer.
    pub const LIST_MAX: usize = 1024;
}

/// `[[discover]]`: peers that are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoverSettings {
    /// `dns`, `srv`: where their addresses are asked for.
    pub lookup: Option<Lookup>,
    /// `name`: the names that daemons may have which are found in this way, as in their certificates.
    pub names: DaemonPattern,
    /// `exchange`: whether peers tell each other of their peers.
    pub exchange: bool,
    /// `forget`: how long a daemon is dialled that is not named any more.
    pub forget: Duration,
}

/// A question for the name service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// `dns` or `srv`: the name.
    pub name: String,
    /// `port`: of the daemons. `None`: SRV records tell it.
    pub port: Option<u16>,
    /// `server`: the name server. `None`: those of the system.
    pub server: Option<SocketAddr>,
}

impl DiscoverSettings {
    /// Maximum number of tables: each asks a name server every few seconds.
    pub const LIST_MAX: usize = 64;
    /// 10 min: longer than a host takes to restart.
    pub const FORGET: Duration = Duration::from_secs(600);
    /// Zero forgets at once. A day is longer than any maintenance.
    pub const FORGET_ALLOWED: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(86_400);
}

impl fmt::Display for DiscoverSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Lookup { name, port, server }) = &self.lookup {
            match port {
                Some(port) => write!(formatter, "dns {name} port {port}")?,
                None => write!(formatter, "srv {name}")?,
            }
            if let Some(server) = server {
                write!(formatter, " at {server}")?;
            }
        }
        if self.exchange {
            let comma = if self.lookup.is_some() { ", " } else { "" };
            write!(formatter, "{comma}what peers tell")?;
        }
        write!(formatter, " (names {})", self.names)
    }
}

/// `[accept]`: daemons that dial in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptSettings {
    /// `names`: names of daemons that may dial in besides those of `[[peer]]`. Default: every daemon with a certificate of the
    /// authority, so that a host that is added needs no change on others.
    pub names: Option<Vec<DaemonPattern>>,
}

impl AcceptSettings {
    /// Maximum number of patterns.
    pub const LIST_MAX: usize = 1024;
}

/// `[hosts]`: dialling the host of a node that nobody has announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostsSettings {
    /// `dial`: whether hosts are dialled. Default: inside a VM, whose node is asked for others by their names and nothing else.
    pub dial: bool,
    /// `port`: the UDP port at which daemons of any host listen. Default: that of `[gateway] listen`.
    pub port: Option<u16>,
    /// `ports`: other ports, by the names of nodes before the `@`.
    pub ports: BTreeMap<String, u16>,
}

impl HostsSettings {
    /// Any port.
    pub const PORT_ALLOWED: RangeInclusive<u16> = 1..=65_535;
    /// The maximum number of names in `ports`.
    pub const PORTS_MAX: usize = 1024;
}

/// `[select]`: which nodes the carrier inside a VM is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectSettings {
    /// `nodes`: these. For others the VM asks the other ones of `-proto_dist`. Default: all.
    pub nodes: Option<Vec<NodePattern>>,
}

/// A host and a port. The host is an address, or a name that is resolved at each dial.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Name or address. An IPv6 address has no brackets.
    pub host: String,
    /// UDP port, never 0.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// `[transport]`: the UDP socket and QUIC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportSettings {
    /// `udp_receive_buffer`: bytes requested from the kernel, which may grant less.
    pub udp_receive_buffer: usize,
    /// `udp_send_buffer`: bytes requested from the kernel.
    pub udp_send_buffer: usize,
    /// `datagram_max`: size in bytes of the largest datagram that is probed and accepted.
    pub datagram_max: u16,
    /// `idle_timeout`: a trunk is considered lost after this time without a packet.
    pub idle_timeout: Duration,
    /// `keep_alive`: interval of keep-alive packets on an idle trunk.
    pub keep_alive: Duration,
    /// `stream_window`: bytes that a peer may send on one lane before we have read them. The window of a trunk is this value
    /// times the number of lanes plus the control stream, so no lane can use up the window of another.
    pub stream_window: u64,
    /// `canary`: whether the end of a peer's process is noticed by a TCP connection beside the trunk.
    pub canary: bool,
    /// `congestion`: the congestion controller for data that we send.
    pub congestion: Algorithm,
}

impl TransportSettings {
    /// 4 MiB: 2 800 packets of 1 472 bytes, or 8 ms at 500 MB/s. A busy machine may delay the reader for this long.
    pub const UDP_BUFFER: u64 = TrunkConfig::UDP_BUFFER as u64;
    /// With less than 64 KiB, not even one burst of the sender (64 packets) fits.
    pub const UDP_BUFFER_ALLOWED: RangeInclusive<u64> = 64 * KIB..=GIB;
    /// 16 200 B: loopback carries it; for other paths the size is probed. Four such datagrams stay just below the 64 KiB that
    /// the kernel takes at once.
    pub const DATAGRAM_MAX: u16 = TrunkConfig::DATAGRAM_MAX;
    /// 1200 B is what QUIC requires of every network (RFC 9000, section 14).
    pub const DATAGRAM_MAX_ALLOWED: RangeInclusive<u64> = 1200..=16_200;
    /// 15 s: longer than the restart of a switch port, shorter than Erlang's `net_ticktime` of 60 s.
    pub const IDLE_TIMEOUT: Duration = TrunkConfig::IDLE_TIMEOUT;
    /// From 1 s to ten minutes.
    pub const IDLE_TIMEOUT_ALLOWED: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);
    /// 3 s: five are sent within [`Self::IDLE_TIMEOUT`], so four in a row may be lost.
    pub const KEEP_ALIVE: Duration = TrunkConfig::KEEP_ALIVE;
    /// At most half the idle timeout, which is checked separately.
    pub const KEEP_ALIVE_ALLOWED: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(300);
    /// 1 MiB: one lane alone carries 50 MB/s over a round trip of 20 ms (window = rate × round trip), 16 of them 800 MB/s.
    pub const STREAM_WINDOW: u64 = TrunkConfig::STREAM_WINDOW as u64;
    /// 64 KiB is one fragment.
    pub const STREAM_WINDOW_ALLOWED: RangeInclusive<u64> = 64 * KIB..=256 * MIB;
}

/// `[session]`: time and memory for sessions that have lost their trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// `grace`: how long a session survives without a trunk. Zero: it ends with its trunk.
    pub grace: Duration,
    /// `replay_budget`: bytes per session that are unsent or unacknowledged. At this limit, no leg is read.
    pub replay_budget: u64,
    /// `race_interval`: interval of attempts to get another trunk.
    pub race_interval: Duration,
    /// `end_expired`: whether a session ends when the certificate expires that the peer has shown.
    pub ends_expired: bool,
}

impl SessionSettings {
    /// 15 s: longer than the restart of a switch port, shorter than Erlang's `net_ticktime`.
    pub const GRACE: Duration = SessionConfig::GRACE;
    /// Up to an hour. Nodes notice nothing, but what they send waits.
    pub const GRACE_ALLOWED: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3600);
    /// 64 MiB: half a second of a 1 Gbit/s network path.
    pub const REPLAY_BUDGET: u64 = SessionConfig::BACKLOG;
    /// At least the bytes that may be in flight on one lane.
    pub const REPLAY_BUDGET_ALLOWED: RangeInclusive<u64> = MIB..=16 * GIB;
    /// 150 ms: the next attempt starts at most this long after the network is back.
    pub const RACE_INTERVAL: Duration = Duration::from_millis(150);
    /// Each attempt is a packet of 1200 bytes and a key exchange.
    pub const RACE_INTERVAL_ALLOWED: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(60);
}

/// `[log]`: what is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// `format`
    pub format: LogFormat,
    /// `level`: overridden by `RUST_LOG`, which `--log-level` overrides.
    pub level: LogLevel,
}

/// The log format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Plain text. The default.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("text or json"),
        }
    }
}

/// The log level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Failures.
    Error,
    /// Possible problems.
    Warn,
    /// Nodes and peers that connect and disconnect. The default. Silent while nothing changes.
    #[default]
    Info,
    /// Details of every circuit.
    Debug,
    /// Every frame. Slow.
    Trace,
}

impl LogLevel {
    /// The level as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl FromStr for LogLevel {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Off, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or("off, error, warn, info, debug or trace")
    }
}
