use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use std::time::SystemTime;

use bytes::BytesMut;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_util::sync::CancellationToken;

use super::config::DISCOVERY_INTERVAL;
use super::io::accept;
use super::io::busy_wait::BusyWait;
use super::io::canary;
use super::io::canary::Canaries;
use super::io::dial;
use super::io::exchange::Exchange;
use super::io::greet::Greeted;
use super::io::leave::LeaveBarrier;
use super::io::probe;
use super::io::session;
use super::io::streams::Arrival;
use super::io::streams::Streams;
use super::io::trunks::trunks;
use super::io::udp;
use super::*;
use crate::codec::Account;
use crate::congestion::Shared;
use crate::endpoint::io::session::PeerEvent;
use crate::router::Acceptance;
use crate::router::DaemonPattern;
use crate::session::SessionConfig;
use crate::tls::Authority;
use crate::tls::Identity;
use crate::tls::PeerCertificate;
use crate::tls::PemFiles;
use crate::tls::client_config;
use crate::tls::client_config_for_any;
use crate::tls::reset_key;
use crate::tls::server_config;
use crate::wire::CircuitId;
use crate::wire::Content;
use crate::wire::FrameHead;
use crate::wire::Hello;
use crate::wire::LaneId;
use crate::wire::Notice;
use crate::wire::VERSION;
use crate::wire::VERSION_MIN;

fn daemon(name: &str, lanes: u8) -> LocalDaemon {
    LocalDaemon {
        name: name.into(),
        boot: [1; 16],
        lanes,
        is_temporary: false,
        port: 4471,
        accepts: Acceptance::default(),
    }
}

fn certificate(name: &str) -> PeerCertificate {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let issued = Authority::create(now).unwrap().issue(name, 30, now).unwrap();
    let chain = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap();
    PeerCertificate::from_chain(&[chain]).unwrap()
}

fn hello(name: &str) -> Hello {
    daemon(name, 8).hello(None)
}

/// `left` is greeted with `hello` by a peer whose certificate is for `right`.
fn meet(hello: Hello, dialled: Option<&str>) -> Result<Agreement, String> {
    let dialled = dialled.map(Dialled::Daemon);
    daemon("left", 16)
        .agree(hello, &certificate("right"), dialled)
        .map_err(|error| error.to_string())
}

#[test]
fn a_peer_with_the_certificate_for_its_name_is_taken() {
    for dialled in [None, Some("right"), Some("RIGHT")] {
        let agreed = meet(hello("right"), dialled).unwrap();
        assert_eq!((agreed.peer.as_str(), agreed.boot), ("right", [1; 16]));
    }
}

#[test]
fn temporary_daemons_are_told_apart_and_ranked_by_their_name() {
    let temporary = |boot| Hello {
        boot: [boot; 16],
        temporary: true,
        ..hello("right")
    };
    let (one, other) = (
        meet(temporary(1), None).unwrap().peer,
        meet(temporary(2), None).unwrap().peer,
    );
    assert_eq!((one.as_str(), other.as_str()), ("right/01010101", "right/02020202"));
    // `-` sorts before `/`: compared with the appended numbers, each name would be the lower one.
    for name in ["left", "right", "right-b"] {
        let ours = daemon(name, 8).is_lower_than(&one);
        assert_eq!(ours, daemon(name, 8).is_lower_than("right"), "{name}");
    }
}

#[test]
fn the_smaller_number_of_lanes_wins() {
    assert_eq!(meet(hello("right"), None).unwrap().lanes, 8);
    let many = Hello {
        lanes: 64,
        ..hello("right")
    };
    assert_eq!(meet(many, None).unwrap().lanes, 16);
}

#[test]
fn a_name_that_the_certificate_does_not_carry_is_refused() {
    for name in ["middle", "right.example", "", "*"] {
        let refused = meet(hello(name), None).unwrap_err();
        assert_eq!(
            refused,
            format!("refused {name:?}: its certificate does not contain that name")
        );
    }
    // Not even if that is the name we dialled: the certificate decides, not what the peer claims.
    assert!(meet(hello("middle"), Some("middle")).is_err());
}

#[test]
fn somebody_else_than_was_dialled_is_refused() {
    assert_eq!(
        meet(hello("right"), Some("middle")).unwrap_err(),
        "refused \"right\": this daemon dialled \"middle\""
    );
}

#[test]
fn who_dials_must_be_configured_or_fit_a_pattern() {
    let meet = |names: &[&str], dialled| {
        let names = names.iter().filter_map(|name| DaemonPattern::parse(name)).collect();
        let left = LocalDaemon {
            accepts: Acceptance::new(["middle".to_owned()], Some(names)),
            ..daemon("left", 8)
        };
        left.agree(hello("right"), &certificate("right"), dialled)
            .map(|agreed| agreed.peer)
            .map_err(|error| error.to_string())
    };
    let refused = meet(&["db-*"], None).unwrap_err();
    assert!(
        refused.contains("refused \"right\"") && refused.contains("`[accept] names`"),
        "{refused}"
    );
    assert!(meet(&[], None).is_err());
    assert!(meet(&["db-*", "RI*"], None).is_ok());
    assert!(
        meet(&[], Some(Dialled::Daemon("right"))).is_ok(),
        "whom we dial need not fit"
    );
    assert!(meet(&[], Some(Dialled::Host("right"))).is_ok());
}

/// Its certificate has been compared with the host in the TLS handshake.
#[test]
fn whoever_answers_for_a_host_may_have_any_name_of_its_certificate() {
    let meet = |dialled| daemon("left", 8).agree(hello("right"), &certificate("right"), Some(dialled));
    assert_eq!(meet(Dialled::Host("h1.example")).unwrap().peer, "right");
    assert!(meet(Dialled::Daemon("h1.example")).is_err());
    let own = daemon("right", 8).agree(hello("right"), &certificate("right"), Some(Dialled::Host("h1")));
    assert!(own.is_err(), "the host is this one");
}

#[tokio::test]
async fn a_host_that_the_certificate_does_not_name_is_refused() {
    let authority = Authority::create(SystemTime::now()).unwrap();
    let hosts = ["127.0.0.1".to_owned()];
    let (far, _) = endpoint_for(&authority, "far", &hosts, &TrunkConfig::default());
    let address = far.local_addr().unwrap();
    let (greeted, mut peers) = tokio::sync::mpsc::channel(4);
    let us = Arc::new(daemon("far", 1));
    tokio::spawn(accept::accept(
        far,
        us,
        Held::default(),
        KnownAddresses::default(),
        Counters::default(),
        greeted,
    ));
    let (near, client) = endpoint(&authority, "near", &TrunkConfig::default());
    let (sockets, near) = (dial::Sockets::only(near), daemon("near", 1));
    for (host, is_met) in [
        ("127.0.0.1", true),
        ("far", true),
        ("127.0.0.2", false),
        ("other", false),
    ] {
        let target = dial::Target {
            who: Dialled::Host(host),
            addresses: &[address],
            fresh: false,
        };
        let met = dial::dial(&sockets, &client, &near, &Held::default(), target).await;
        assert_eq!(
            met.as_ref().map(|met| met.agreement.peer.as_str()).ok(),
            is_met.then_some("far"),
            "{host}: {met:?}"
        );
        if is_met {
            peers.recv().await.unwrap();
        }
    }
}

/// Whoever listens at an address that the name service gave has a certificate of an authority, whatever its name; and the name is one
/// that was asked for.
#[tokio::test]
async fn a_daemon_without_a_name_is_dialled_by_its_address() {
    let (authority, other) = (
        Authority::create(SystemTime::now()).unwrap(),
        Authority::create(SystemTime::now()).unwrap(),
    );
    let (near, client) = endpoint(&authority, "near", &TrunkConfig::default());
    let (far, _) = endpoint(&authority, "far", &TrunkConfig::default());
    let (stranger, _) = endpoint(&other, "far", &TrunkConfig::default());
    let mut kept = Vec::new();
    for (endpoint, name) in [(&near, "near"), (&far, "far"), (&stranger, "far")] {
        let (greeted, peers) = tokio::sync::mpsc::channel(4);
        kept.push(peers);
        tokio::spawn(accept::accept(
            endpoint.clone(),
            Arc::new(daemon(name, 1)),
            Held::default(),
            KnownAddresses::default(),
            Counters::default(),
            greeted,
        ));
    }
    let sockets = dial::Sockets::only(near.clone());
    let names = |text| [DaemonPattern::parse(text).unwrap()];
    for (at, pattern, expected) in [
        (&far, "*", Ok("far")),
        (&far, "F*", Ok("far")),
        (&far, "nobody", Err("identity")),
        (&near, "*", Err("myself")),
        (&stranger, "*", Err("connection")),
    ] {
        let names = names(pattern);
        let target = dial::Target {
            who: Dialled::Any(&names),
            addresses: &[at.local_addr().unwrap()],
            fresh: false,
        };
        let met = dial::dial(&sockets, &client, &daemon("near", 1), &Held::default(), target).await;
        let met = met.map(|met| met.agreement.peer).map_err(|error| error.kind());
        assert_eq!(met.as_deref().map_err(|kind| *kind), expected, "{pattern}");
    }
    assert!(sockets.is_own(near.local_addr().unwrap()));
    assert!(!sockets.is_own(far.local_addr().unwrap()));
}

/// One that does not answer costs a moment, not the time after which it is given up.
#[tokio::test]
async fn all_addresses_of_a_peer_are_tried() {
    let authority = Authority::create(SystemTime::now()).unwrap();
    let (near, client) = endpoint(&authority, "near", &TrunkConfig::default());
    let (far, _) = endpoint(&authority, "far", &TrunkConfig::default());
    let (greeted, _peers) = tokio::sync::mpsc::channel(4);
    let silent = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addresses = [silent.local_addr().unwrap(), far.local_addr().unwrap()];
    tokio::spawn(accept::accept(
        far,
        Arc::new(daemon("far", 1)),
        Held::default(),
        KnownAddresses::default(),
        Counters::default(),
        greeted,
    ));
    let target = dial::Target {
        who: Dialled::Daemon("far"),
        addresses: &addresses,
        fresh: false,
    };
    let (sockets, us, held) = (dial::Sockets::only(near), daemon("near", 1), Held::default());
    let dialled = dial::dial(&sockets, &client, &us, &held, target);
    let dialled = tokio::time::timeout(Duration::from_secs(5), dialled).await;
    assert_eq!(dialled.unwrap().unwrap().agreement.peer, "far");
}

#[test]
fn the_hosts_of_a_peer_are_those_of_its_certificate() {
    assert_eq!(*meet(hello("right"), None).unwrap().hosts, ["right".to_owned()]);
}

/// A command or a remote shell has the file and the certificate of its host's daemon, and may dial that one.
#[test]
fn a_temporary_daemon_meets_the_one_with_its_name() {
    let certificate = certificate("right");
    let lasting = daemon("right", 16);
    let temporary = LocalDaemon {
        is_temporary: true,
        boot: [2; 16],
        ..daemon("right", 16)
    };
    let here = lasting.agree(temporary.hello(None), &certificate, None).unwrap();
    let there = temporary
        .agree(lasting.hello(None), &certificate, Some(Dialled::Daemon("right")))
        .unwrap();
    assert_eq!((here.peer.as_str(), there.peer.as_str()), ("right/02020202", "right"));
    let lower = (lasting.is_lower_than(&here.peer), temporary.is_lower_than(&there.peer));
    assert_eq!(lower, (true, false), "one of both decides");
    // Nobody dials these.
    assert!(temporary.agree(temporary.hello(None), &certificate, None).is_err());
}

#[test]
fn our_own_name_is_refused() {
    for name in ["right", "Right"] {
        let refused = |boot| {
            let hello = Hello {
                boot: [boot; 16],
                ..hello("right")
            };
            let refused = daemon(name, 16).agree(hello, &certificate("right"), None);
            refused.unwrap_err().to_string()
        };
        assert!(refused(2).contains("this daemon's own name"));
        assert_eq!(refused(1), "that is an address of this daemon");
    }
}

#[test]
fn a_version_must_be_common() {
    for (versions, is_common) in [
        ((VERSION, VERSION), true),
        ((0, VERSION + 5), true),
        ((VERSION + 1, VERSION + 2), false),
        ((VERSION_MIN, VERSION_MIN), true),
        ((0, VERSION_MIN), true),
        ((0, VERSION_MIN - 1), false),
        ((VERSION + 1, VERSION - 1), false),
    ] {
        let met = meet(
            Hello {
                versions,
                ..hello("right")
            },
            None,
        );
        assert_eq!(met.is_ok(), is_common, "{versions:?}: {met:?}");
    }
    let newer = Hello {
        versions: (VERSION + 1, VERSION + 2),
        ..hello("right")
    };
    assert_eq!(
        meet(newer, None).unwrap_err(),
        format!(
            "the peer speaks versions {} to {} of the protocol; this daemon speaks {VERSION_MIN} to {VERSION}",
            VERSION + 1,
            VERSION + 2
        )
    );
}

#[test]
fn the_highest_common_version_is_spoken() {
    for (versions, spoken) in [
        ((VERSION, VERSION + 1), VERSION),
        ((0, VERSION), VERSION),
        ((3, VERSION_MIN), VERSION_MIN),
    ] {
        let hello = Hello {
            versions,
            ..hello("right")
        };
        let left = daemon("left", 16).agree(hello, &certificate("right"), None).unwrap();
        assert_eq!((left.version, left.versions), (spoken, versions));
    }
    assert_eq!(daemon("left", 16).hello(None).versions, (VERSION_MIN, VERSION));
}

/// The two sides must come to opposite answers, whatever the case of the names.
#[test]
fn exactly_one_side_is_lower() {
    for (one, other) in [("left", "right"), ("Right", "left"), ("a", "AB")] {
        let answers = (daemon(one, 1).is_lower_than(other), daemon(other, 1).is_lower_than(one));
        assert!(answers.0 != answers.1, "{one} {other}: {answers:?}");
    }
}

fn identity(authority: &Authority, name: &str) -> Identity {
    identity_for(authority, name, &[])
}

fn identity_for(authority: &Authority, name: &str, hosts: &[String]) -> Identity {
    let now = SystemTime::now();
    let issued = authority.issue_with_hosts(name, hosts, 30, now).unwrap();
    let files = PemFiles {
        authorities: authority.certificate_pem().as_bytes(),
        certificate: issued.certificate_pem.as_bytes(),
        key: issued.key_pem.as_bytes(),
        revoked: b"",
    };
    Identity::load(&files, name, now).unwrap()
}

/// A daemon's UDP endpoint on loopback, and the QUIC configuration for dialling.
fn endpoint(authority: &Authority, name: &str, config: &TrunkConfig) -> (quinn::Endpoint, dial::Clients) {
    endpoint_at(authority, name, config, (Ipv4Addr::LOCALHOST, 0).into())
}

/// The same with these hosts in its certificate.
fn endpoint_for(
    authority: &Authority,
    name: &str,
    hosts: &[String],
    config: &TrunkConfig,
) -> (quinn::Endpoint, dial::Clients) {
    let identity = identity_for(authority, name, hosts);
    bound(&identity, config, (Ipv4Addr::LOCALHOST, 0).into())
}

fn endpoint_at(
    authority: &Authority,
    name: &str,
    config: &TrunkConfig,
    address: SocketAddr,
) -> (quinn::Endpoint, dial::Clients) {
    bound(&identity(authority, name), config, address)
}

fn bound(identity: &Identity, config: &TrunkConfig, address: SocketAddr) -> (quinn::Endpoint, dial::Clients) {
    let server = config.server(Arc::new(server_config(identity).unwrap())).unwrap();
    let key = Arc::new(reset_key(identity));
    let listening = udp::bind(address, config, Some(server), key, SendErrors::default()).unwrap();
    (listening.endpoint, clients(identity, config))
}

fn clients(identity: &Identity, config: &TrunkConfig) -> dial::Clients {
    dial::Clients {
        named: config.client(Arc::new(client_config(identity).unwrap())).unwrap(),
        any: config
            .client(Arc::new(client_config_for_any(identity).unwrap()))
            .unwrap(),
    }
}

async fn dial_from(
    near: &quinn::Endpoint,
    client: dial::Clients,
    us: &LocalDaemon,
    address: SocketAddr,
) -> Result<Greeted, TrunkError> {
    dial_at(near, client, us, "far", address).await
}

async fn dial_at(
    near: &quinn::Endpoint,
    client: dial::Clients,
    us: &LocalDaemon,
    name: &str,
    address: SocketAddr,
) -> Result<Greeted, TrunkError> {
    let target = dial::Target {
        who: Dialled::Daemon(name),
        addresses: &[address],
        fresh: false,
    };
    dial::dial(
        &dial::Sockets::only(near.clone()),
        &client,
        us,
        &Held::default(),
        target,
    )
    .await
}

fn streams(trunk: Greeted, lanes: u8) -> Streams {
    Streams::new(trunk, lanes, Account::default())
}

/// Loopback carries more than any setting allows.
#[tokio::test]
async fn datagrams_grow_to_what_both_sides_allow() {
    let authority = Authority::create(SystemTime::now()).unwrap();
    let config = |datagram_max| TrunkConfig {
        datagram_max,
        ..TrunkConfig::default()
    };
    for (near, far) in [(16_200, 16_200), (16_200, 1400), (6500, 16_200), (1200, 1200)] {
        let (near_end, client) = endpoint(&authority, "near", &config(near));
        let (far_end, _) = endpoint(&authority, "far", &config(far));
        let dialled = near_end
            .connect_with(client.named, far_end.local_addr().unwrap(), "far")
            .unwrap();
        let accepted = async { far_end.accept().await.unwrap().await.unwrap() };
        let (dialled, _accepted) = tokio::join!(dialled, accepted);
        let connection = dialled.unwrap();
        let most = near.min(far);
        // The search ends where a step would gain less than 20 bytes.
        let grown = async {
            while connection.stats().path.current_mtu + 20 < most {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let settled = tokio::time::timeout(Duration::from_secs(5), grown).await;
        let mtu = connection.stats().path.current_mtu;
        assert!(settled.is_ok() && mtu <= most, "{mtu} bytes between {near} and {far}");
    }
}

/// Passes datagrams of at most `limit` bytes between whoever sends here first and `far`, and counts the others.
async fn narrow_path(far: SocketAddr, limit: Arc<AtomicUsize>, dropped: Arc<AtomicUsize>) -> SocketAddr {
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut near, mut buffer) = (far, vec![0; 65_536]);
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            if from != far {
                near = from;
            }
            if length > limit.load(Relaxed) {
                dropped.fetch_add(1, Relaxed);
                continue;
            }
            let to = if from == far { near } else { far };
            let _ = socket.send_to(&buffer[..length], to).await;
        }
    });
    address
}

/// Passes TCP connections on to `far`, and closes them when it is ended.
async fn tcp_path(at: SocketAddr, far: SocketAddr) -> tokio::task::JoinHandle<()> {
    let listener = tokio::net::TcpListener::bind(at).await.unwrap();
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = tokio::net::TcpStream::connect(far).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    })
}

/// How a canary ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CanaryEnd {
    /// With the process of the peer.
    Process,
    /// On the way.
    Path,
    /// Because the peer no longer needs it, while datagrams are lost.
    Farewell,
}

/// Whether the near end of a trunk notices, within a second, that the process of the far end has ended.
async fn canary_alarms(end: CanaryEnd) -> bool {
    let authority = Authority::create(SystemTime::now()).unwrap();
    let (near, client) = endpoint(&authority, "near", &TrunkConfig::default());
    let (far, _) = endpoint(&authority, "far", &TrunkConfig::default());
    let limit = Arc::new(AtomicUsize::new(65_536));
    let path = narrow_path(far.local_addr().unwrap(), Arc::clone(&limit), Arc::default()).await;
    let canaries = Canaries::default();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let tcp = tcp_path(path, listener.local_addr().unwrap()).await;
    tokio::spawn(canary::serve(listener, canaries.clone()));
    let accepted = async { far.accept().await.unwrap().await.unwrap() };
    let (dialled, accepted) = tokio::join!(near.connect_with(client.named, path, "far").unwrap(), accepted);
    let dialled = dialled.unwrap();
    let probe = Arc::new(tokio::sync::Notify::new());
    let (probed, session) = (Arc::clone(&probe), dialled.clone());
    tokio::spawn(async move {
        loop {
            probed.notified().await;
            let mut stream = session.open_uni().await.unwrap();
            stream.write_all(b"what is acknowledged").await.unwrap();
        }
    });
    let watched = tokio::spawn(canary::watch(dialled, true, Canaries::default(), probe));
    let there = tokio::spawn(canary::watch(accepted.clone(), false, canaries, Arc::default()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!watched.is_finished(), "nothing has happened");
    if end != CanaryEnd::Path {
        limit.store(0, Relaxed);
    }
    match end {
        CanaryEnd::Process | CanaryEnd::Path => tcp.abort(),
        CanaryEnd::Farewell => there.abort(),
    }
    tokio::time::timeout(Duration::from_secs(1), watched).await.is_ok()
}

#[tokio::test]
async fn the_end_of_a_process_is_noticed_within_a_second() {
    assert!(canary_alarms(CanaryEnd::Process).await);
}

#[tokio::test]
async fn a_peer_that_answers_outlives_its_canary() {
    assert!(!canary_alarms(CanaryEnd::Path).await);
}

/// A peer hangs right after it has acknowledged something, which waits in the socket.
#[tokio::test]
async fn an_acknowledgement_from_before_is_no_answer() {
    const SOME: &[u8] = &[7; 5000];
    let authority = Authority::create(SystemTime::now()).unwrap();
    let (near, client) = endpoint(&authority, "near", &TrunkConfig::default());
    let (tell, told) = std::sync::mpsc::channel();
    let (hang, hangs) = tokio::sync::oneshot::channel::<()>();
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let peer_identity = identity(&authority, "far");
    let peer = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let _kept = runtime.block_on(async {
            let here = (Ipv4Addr::LOCALHOST, 0).into();
            let (far, _) = bound(&peer_identity, &TrunkConfig::default(), here);
            tell.send(far.local_addr().unwrap()).unwrap();
            let connection = far.accept().await.unwrap().await.unwrap();
            hangs.await.unwrap();
            (far, connection)
        });
        let _ = ends.recv();
    });
    let connection = near
        .connect_with(client.named, told.recv().unwrap(), "far")
        .unwrap()
        .await
        .unwrap();
    let mut stream = connection.open_uni().await.unwrap();
    // What the handshake leaves to acknowledge.
    tokio::time::sleep(Duration::from_millis(100)).await;
    stream.write_all(SOME).await.unwrap();
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    // Nothing is read here while the peer acknowledges it, and then hangs.
    std::thread::sleep(Duration::from_millis(100));
    hang.send(()).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    let before = connection.stats().frame_rx.acks;
    let answers = probe::acknowledges(&connection, &tokio::sync::Notify::new(), Duration::from_millis(300)).await;
    let came = connection.stats().frame_rx.acks - before;
    drop(end);
    peer.join().unwrap();
    assert!(came > 0, "the acknowledgement had been read before");
    assert!(!answers);
}

/// When a session goes on over another trunk, the canary of the lost one is closed by the side that knows first.
#[tokio::test]
async fn a_canary_that_is_no_longer_needed_raises_no_alarm() {
    assert!(!canary_alarms(CanaryEnd::Farewell).await);
}

#[tokio::test]
async fn datagrams_grow_again_when_the_path_does() {
    let authority = Authority::create(SystemTime::now()).unwrap();
    let (near, client) = endpoint(&authority, "near", &TrunkConfig::default());
    let (far, _) = endpoint(&authority, "far", &TrunkConfig::default());
    let limit = Arc::new(AtomicUsize::new(1300));
    let dropped = Arc::new(AtomicUsize::new(0));
    let path = narrow_path(far.local_addr().unwrap(), Arc::clone(&limit), Arc::clone(&dropped)).await;
    let dialled = near.connect_with(client.named, path, "far").unwrap();
    let accepted = async { far.accept().await.unwrap().await.unwrap() };
    let (dialled, _accepted) = tokio::join!(dialled, accepted);
    let connection = dialled.unwrap();
    let size = || usize::from(connection.stats().path.current_mtu);
    // The search is over when nothing large has been tried for a while.
    let mut tried = 0;
    while tried == 0 || dropped.load(Relaxed) > tried {
        tried = dropped.load(Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!((1200..=1300).contains(&size()), "{} bytes where 1300 pass", size());
    limit.store(65_536, Relaxed);
    let grown = async {
        while size() <= 1300 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let grown = tokio::time::timeout(2 * DISCOVERY_INTERVAL, grown).await;
    assert!(grown.is_ok(), "still {} bytes", size());
}

#[tokio::test]
async fn the_congestion_control_of_a_trunk_is_told_of_calls() {
    let authority = Authority::create(SystemTime::now()).unwrap();
    let (near, client) = endpoint(&authority, "near", &TrunkConfig::default());
    let (far, _) = endpoint(&authority, "far", &TrunkConfig::default());
    let address = far.local_addr().unwrap();
    let (greeted, mut peers) = tokio::sync::mpsc::channel(1);
    tokio::spawn(accept::accept(
        far,
        Arc::new(daemon("far", 4)),
        Held::default(),
        KnownAddresses::default(),
        Counters::default(),
        greeted,
    ));
    let us = daemon("near", 4);
    let trunk = dial_from(&near, client, &us, address).await.unwrap();
    let _peer = peers.recv().await.unwrap();
    let connection = trunk.connection.clone();
    streams(trunk, 4).tell_calls(7);
    let shared = Shared::of(connection.congestion_state()).expect("a counting controller");
    let heard = shared.calls.expect("the model");
    assert_eq!(heard.count(), 7);
}

/// When the peer's IP address changes, quinn gives the connection a new controller, which counts from zero.
#[tokio::test]
async fn acknowledgements_are_counted_after_the_peer_has_another_address() {
    const SOON: Duration = Duration::from_secs(10);
    let authority = Authority::create(SystemTime::now()).unwrap();
    let (near, client) = endpoint(&authority, "near", &TrunkConfig::default());
    let (far, _) = endpoint(&authority, "far", &TrunkConfig::default());
    let address = far.local_addr().unwrap();
    let (greeted, mut peers) = tokio::sync::mpsc::channel(1);
    tokio::spawn(accept::accept(
        far,
        Arc::new(daemon("far", 1)),
        Held::default(),
        KnownAddresses::default(),
        Counters::default(),
        greeted,
    ));
    let us = daemon("near", 1);
    let dialled = dial_from(&near, client, &us, address).await.unwrap();
    let accepted = peers.recv().await.unwrap();
    let connection = accepted.connection.clone();
    let (mut here, mut there) = (streams(dialled, 1), streams(accepted, 1));
    let before = there.acknowledgements();
    let notice = || {
        let mut notice = BytesMut::new();
        Notice::NodeDown { name: "a".into() }.encode(1, &mut notice);
        notice.freeze()
    };

    near.rebind(std::net::UdpSocket::bind("127.0.0.2:0").unwrap()).unwrap();
    let moved = async {
        while connection.remote_address().ip() != Ipv4Addr::new(127, 0, 0, 2) {
            here.write_control(notice());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, moved).await.expect("the far side follows");
    let begin = there.acknowledgements();
    let grown = async {
        while there.acknowledgements() < begin + 3 {
            there.write_control(notice());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let counted = tokio::time::timeout(SOON, grown).await;
    assert!(counted.is_ok(), "{before} before, then {begin}, and no more");
}

/// Whom a peer may speak for follows from the certificate of the trunk that carries its session now.
#[tokio::test]
async fn another_certificate_on_the_next_trunk_of_a_session_is_told_to_the_hub() {
    let authority = Authority::create(SystemTime::now()).unwrap();
    let (near, _) = endpoint(&authority, "near", &TrunkConfig::default());
    let address = near.local_addr().unwrap();
    let (greeted, mut peers) = tokio::sync::mpsc::channel(1);
    let us = Arc::new(daemon("near", 1));
    tokio::spawn(accept::accept(
        near,
        us,
        Held::default(),
        KnownAddresses::default(),
        Counters::default(),
        greeted,
    ));
    let mut accepted = Vec::new();
    let mut kept = Vec::new();
    for hosts in [&["h1".to_owned()], &["h1".to_owned()], &["h2".to_owned()]] {
        let (far, client) = endpoint_for(&authority, "far", hosts, &TrunkConfig::default());
        let them = daemon("far", 1);
        kept.push(dial_at(&far, client, &them, "near", address).await.unwrap());
        accepted.push(peers.recv().await.unwrap());
    }
    let [first, same, other] = <[Greeted; 3]>::try_from(accepted).unwrap();
    let (hub, mut events) = tokio::sync::mpsc::channel(8);
    let settings = session::SessionSettings {
        canaries: None,
        config: SessionConfig {
            lanes: 1,
            ..SessionConfig::default()
        },
        race_interval: Duration::from_secs(1),
        keep_alive: TrunkConfig::KEEP_ALIVE,
        hub,
        leave: CancellationToken::new(),
        barrier: LeaveBarrier::default(),
        busy_wait: BusyWait::default(),
        exchange: Exchange::default(),
    };
    let (trunks, receiver) = trunks(tokio::sync::watch::channel(TrunkState::Fresh).0);
    let running = tokio::spawn(session::run(first, settings, receiver));
    let certified = |hosts: Arc<[String]>| hosts.join(" ");
    assert!(matches!(events.recv().await, Some(PeerEvent::Up { hosts, .. }) if certified(hosts.clone()) == "far h1"));
    trunks.trunks.send(same).await.unwrap();
    trunks.trunks.send(other).await.unwrap();
    match events.recv().await {
        Some(PeerEvent::Certified { peer, hosts }) => assert_eq!((&*peer, &*certified(hosts)), ("far", "far h2")),
        event => panic!("{event:?}"),
    }
    trunks.end.tell("the test is over".to_owned());
    running.await.unwrap();
}

/// Attempts that lost a race are frequent and normal, so they are not logged as warnings. A refused peer is.
#[tokio::test]
async fn what_a_peer_gives_up_is_told_from_what_is_refused() {
    let now = SystemTime::now();
    let (ours, foreign) = (Authority::create(now).unwrap(), Authority::create(now).unwrap());
    let (far, _) = endpoint(&ours, "far", &TrunkConfig::default());
    let dial = |authority| {
        let (near, client) = endpoint(authority, "near", &TrunkConfig::default());
        let connecting = near
            .connect_with(client.named, far.local_addr().unwrap(), "far")
            .unwrap();
        (near, connecting)
    };

    let (_near, connecting) = dial(&ours);
    let incoming = far.accept().await.unwrap();
    drop(connecting);
    let error = TrunkError::from(incoming.await.unwrap_err());
    assert!(matches!(error, TrunkError::Withdrawn), "{error}");

    let (_near, connecting) = dial(&ours);
    let incoming = far.accept().await.unwrap();
    let (dialled, accepted) = tokio::join!(connecting, incoming.into_future());
    drop(dialled.unwrap());
    let error = TrunkError::from(accepted.unwrap().accept_bi().await.unwrap_err());
    assert!(matches!(error, TrunkError::Withdrawn), "{error}");

    let (_near, connecting) = dial(&foreign);
    let incoming = far.accept().await.unwrap();
    let (refused, error) = tokio::join!(connecting, incoming.into_future());
    let error = TrunkError::from(error.unwrap_err());
    assert!(matches!(error, TrunkError::Connection(_)), "{error}");
    assert!(refused.is_err());
}

/// A peer does not read for a while, and a call is written meanwhile. Returns how many bytes of 15 other lanes it has received
/// when it gets the call.
async fn bulk_before_a_call(is_call: bool) -> usize {
    const CALL: LaneId = 15;
    let authority = Authority::create(SystemTime::now()).unwrap();
    let (near, client) = endpoint(&authority, "near", &TrunkConfig::default());
    let (address, far_address) = tokio::sync::oneshot::channel();
    let far = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let (far, _) = endpoint(&authority, "far", &TrunkConfig::default());
            address.send(far.local_addr().unwrap()).unwrap();
            let (greeted, mut peers) = tokio::sync::mpsc::channel(1);
            let us = Arc::new(daemon("far", CALL + 1));
            tokio::spawn(accept::accept(
                far,
                us,
                Held::default(),
                KnownAddresses::default(),
                Counters::default(),
                greeted,
            ));
            let mut streams = streams(peers.recv().await.unwrap(), CALL + 1);
            let (mut bulk, mut arrived) = (0, Vec::new());
            loop {
                std::future::poll_fn(|context| streams.poll_arrive(context, &mut arrived)).await;
                for arrival in arrived.drain(..) {
                    match arrival {
                        Arrival::Frames { lane: CALL, .. } => return bulk,
                        Arrival::Frames { frames, .. } => {
                            if bulk == 0 {
                                std::thread::sleep(Duration::from_millis(200));
                            }
                            bulk += frames.iter().map(|frame| frame.content.body().len()).sum::<usize>();
                        }
                        _ => {}
                    }
                }
            }
        })
    });

    let (us, address) = (daemon("near", CALL + 1), far_address.await.unwrap());
    let trunk = dial_from(&near, client, &us, address).await.unwrap();
    // If packets grew meanwhile, the window would grow too.
    while trunk.connection.stats().path.current_mtu < TrunkConfig::default().datagram_max - 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut streams = streams(trunk, CALL + 1);
    streams.open_lanes(vec![1; usize::from(CALL) + 1]);
    let frame = |length| {
        let content = Content::Signal(vec![0; length].into());
        let mut bytes = BytesMut::new();
        let (circuit, strand) = (CircuitId(1), 0);
        FrameHead {
            circuit,
            strand,
            fences: &[],
            content: &content,
        }
        .encode(&mut bytes);
        bytes.extend_from_slice(content.body());
        bytes.freeze()
    };
    for lane in 0..CALL {
        streams.write(lane, vec![frame(1000); 64], false);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    streams.write(CALL, vec![frame(10)], is_call);
    far.await.unwrap()
}

/// Each of the other lanes has bulk data that waits for room.
#[tokio::test]
async fn a_call_leaves_before_the_bulk_of_other_lanes() {
    let (usual, first) = (bulk_before_a_call(false).await, bulk_before_a_call(true).await);
    assert!(
        first + 50_000 < usual,
        "{first} bytes before a call, {usual} before another frame"
    );
}

/// Strangers begin handshakes and fall silent: whoever wants to greet is let in at once, from their address too.
#[tokio::test]
async fn handshakes_that_nobody_completes_keep_no_peer_out() {
    let authority = Authority::create(SystemTime::now()).unwrap();
    let (far, _) = endpoint(&authority, "far", &TrunkConfig::default());
    let address = far.local_addr().unwrap();
    let (greeted, mut peers) = tokio::sync::mpsc::channel(1);
    let us = Arc::new(daemon("far", 4));
    tokio::spawn(accept::accept(
        far,
        us,
        Held::default(),
        KnownAddresses::default(),
        Counters::default(),
        greeted,
    ));
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(half_a_handshake(&authority, address).await);
    }
    for _ in 0..5 {
        let (near, client) = endpoint(&authority, "near", &TrunkConfig::default());
        let began = std::time::Instant::now();
        let trunk = dial_from(&near, client, &daemon("near", 4), address).await.unwrap();
        peers.recv().await.unwrap();
        // A packet that was ignored is sent again after a second.
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        drop(trunk);
        silent.push(half_a_handshake(&authority, address).await);
    }
}

/// A client that sends its first packet, proves its address if it must, and then nothing.
async fn half_a_handshake(authority: &Authority, address: SocketAddr) -> quinn::Endpoint {
    let (near, client) = endpoint(authority, "near", &TrunkConfig::default());
    let connecting = near.connect_with(client.named, address, "far").unwrap();
    // Neither quinn nor the kernel is asked for what comes back.
    tokio::time::sleep(Duration::from_millis(2)).await;
    let _ = near.rebind(std::net::UdpSocket::bind("127.0.0.9:0").unwrap());
    std::mem::forget(connecting);
    near
}

#[tokio::test]
async fn peers_of_both_families_are_dialled_and_from_fresh_ports() {
    let authority = Authority::create(SystemTime::now()).unwrap();
    let far = |ip: IpAddr| endpoint_at(&authority, "far", &TrunkConfig::default(), (ip, 0).into()).0;
    let (four, six) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    let (near, client) = endpoint(&authority, "near", &TrunkConfig::default());
    let key = Arc::new(reset_key(&identity(&authority, "near")));
    let sockets = dial::Sockets::new(near.clone(), SendErrors::default(), TrunkConfig::default(), key);
    let usual = near.local_addr().unwrap();
    for (far, fresh, is_usual) in [
        (far(four), false, true),
        (far(four), true, false),
        (far(six), false, false),
    ] {
        let target = dial::Target {
            who: Dialled::Daemon("far"),
            addresses: &[far.local_addr().unwrap()],
            fresh,
        };
        let (us, held) = (daemon("near", 4), Held::default());
        let dialled = dial::dial(&sockets, &client, &us, &held, target);
        let from = async { far.accept().await.map(|incoming| incoming.remote_address()) };
        let from = tokio::select! {
            from = from => from.unwrap(),
            dialled = dialled => panic!("{dialled:?}"),
        };
        assert_eq!(from == usual, is_usual, "{from}, fresh: {fresh}");
    }
}

/// What a person reads when nothing answers, and when it is this host that sends nothing.
#[tokio::test]
async fn who_does_not_answer_is_told_with_what_to_look_at() {
    let authority = Authority::create(SystemTime::now()).unwrap();
    let identity = identity(&authority, "near");
    let config = TrunkConfig {
        idle_timeout: Duration::from_millis(300),
        ..TrunkConfig::default()
    };
    let (key, errors): (Arc<dyn quinn::crypto::HmacKey>, _) = (Arc::new(reset_key(&identity)), SendErrors::default());
    let client = clients(&identity, &config);
    let any = (Ipv4Addr::UNSPECIFIED, 0).into();
    let near = udp::bind(any, &config, None, Arc::clone(&key), errors.clone()).unwrap();
    let sockets = dial::Sockets::new(near.endpoint, errors, config, key);
    let silent = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let silent = silent.local_addr().unwrap();
    // The kernel forbids what is for everybody.
    let everybody = (Ipv4Addr::BROADCAST, 4471).into();
    for (address, expected) in [
        (silent, ["no answer from UDP 127.0.0.1:", "firewalls", "(MTU)"]),
        (
            everybody,
            [
                "nothing was sent to UDP 255.255.255.255:4471: ",
                "firewall of this host",
                "(Permission denied",
            ],
        ),
    ] {
        let target = dial::Target {
            who: Dialled::Daemon("far"),
            addresses: &[address],
            fresh: false,
        };
        let (us, held) = (daemon("near", 4), Held::default());
        let error = dial::dial(&sockets, &client, &us, &held, target).await.unwrap_err();
        let error = error.to_string();
        for part in expected {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }
}
