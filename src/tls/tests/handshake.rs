use std::sync::Arc;
use std::time::SystemTime;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::crypto::rustls::QuicServerConfig;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::Connection;
use rustls::HandshakeKind;
use rustls::NamedGroup;
use rustls::ProtocolVersion;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::version::TLS13;
use rustls_pki_types::ServerName;

use super::support::DAY;
use super::support::identity;
use crate::tls::ALPN;
use crate::tls::Authority;
use crate::tls::Identity;
use crate::tls::PeerCertificate;
use crate::tls::client_config;
use crate::tls::key_exchange_name;
use crate::tls::provider;
use crate::tls::reset_key;
use crate::tls::server_config;
use crate::tls::temporary_reset_key;

/// Both ends after the handshake, with the error of each, if any.
struct Outcome {
    client: Connection,
    server: Connection,
    client_error: Option<String>,
    server_error: Option<String>,
}

impl Outcome {
    fn assert_good(&self) {
        assert_eq!((&self.client_error, &self.server_error), (&None, &None));
        assert!(!self.client.is_handshaking() && !self.server.is_handshaking());
    }

    /// The client rejected the server, so the server never completed the handshake.
    fn assert_client_refuses(&self, piece: &str) {
        let error = self.client_error.as_deref().expect("the client refuses");
        assert!(error.contains(piece), "{error}");
        assert!(
            self.server.is_handshaking(),
            "the server must not believe that it is connected"
        );
    }

    /// The server rejected the client. In TLS 1.3 the client has completed its handshake by then, so only its error shows the
    /// rejection. What matters is that the server never completed.
    fn assert_server_refuses(&self, piece: &str) {
        let error = self.server_error.as_deref().expect("the server refuses");
        assert!(error.contains(piece), "{error}");
        assert!(
            self.server.is_handshaking(),
            "the server must not believe that it is connected"
        );
        assert!(self.client_error.is_some(), "the client is told");
    }
}

/// Moves bytes in both directions until neither side has more to send.
fn shake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>, dialled: &str) -> Outcome {
    let name = ServerName::try_from(dialled.to_owned()).expect("a DNS name");
    let client = ClientConnection::new(client.clone(), name).expect("a client");
    let server = ServerConnection::new(server.clone()).expect("a server");
    let mut outcome = Outcome {
        client: client.into(),
        server: server.into(),
        client_error: None,
        server_error: None,
    };
    loop {
        let there = carry(&mut outcome.client, &mut outcome.server, &mut outcome.server_error);
        let back = carry(&mut outcome.server, &mut outcome.client, &mut outcome.client_error);
        if !there && !back {
            return outcome;
        }
    }
}

fn carry(from: &mut Connection, to: &mut Connection, error: &mut Option<String>) -> bool {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).expect("written to memory");
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() && error.is_none() {
        to.read_tls(&mut rest).expect("read from memory");
        *error = to.process_new_packets().err().map(|error| format!("{error:?}"));
    }
    !bytes.is_empty()
}

fn client(identity: &Identity) -> Arc<ClientConfig> {
    Arc::new(client_config(identity).expect("settings"))
}

fn server(identity: &Identity) -> Arc<ServerConfig> {
    Arc::new(server_config(identity).expect("settings"))
}

fn now() -> SystemTime {
    SystemTime::now()
}

fn authority() -> Authority {
    Authority::create(now()).expect("an authority")
}

#[test]
fn two_daemons_of_one_authority_meet() {
    let authority = authority();
    let (left, right) = (
        identity(&authority, "left", now()),
        identity(&authority, "right", now()),
    );
    let (client, server) = (client(&left), server(&right));
    // Two handshakes with the same settings: the second must not resume the first.
    for _ in 0..2 {
        let outcome = shake(&client, &server, "RIGHT");
        outcome.assert_good();
        for end in [&outcome.client, &outcome.server] {
            assert_eq!(end.protocol_version(), Some(ProtocolVersion::TLSv1_3));
            assert_eq!(end.alpn_protocol(), Some(ALPN));
            assert_eq!(end.handshake_kind(), Some(HandshakeKind::Full));
            let group = end.negotiated_key_exchange_group().expect("a group");
            assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
        }
        let name = |end: &Connection| PeerCertificate::from_chain(end.peer_certificates().expect("a chain"));
        assert!(name(&outcome.client).expect("a certificate").carries("right"));
        assert!(name(&outcome.server).expect("a certificate").carries("left"));
        if let Connection::Client(client) = &outcome.client {
            assert_eq!(client.tls13_tickets_received(), 0);
        }
        if let Connection::Server(server) = &outcome.server {
            assert_eq!(server.server_name(), None, "the name does not travel in clear");
        }
    }
    assert_eq!(key_exchange_name(), "X25519MLKEM768");
}

#[test]
fn a_peer_without_post_quantum_is_served_classically() {
    let authority = authority();
    let (left, right) = (
        identity(&authority, "left", now()),
        identity(&authority, "right", now()),
    );
    let mut classical = (*provider()).clone();
    classical.kx_groups.remove(0);
    let mut old = ClientConfig::builder_with_provider(Arc::new(classical))
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(left.authorities())
        .with_client_auth_cert(left.chain().to_vec(), left.key())
        .expect("a certificate");
    old.alpn_protocols = vec![ALPN.to_vec()];
    shake(&Arc::new(old), &server(&right), "right").assert_good();
}

#[test]
fn another_authority_is_refused_by_both_sides() {
    let (ours, theirs) = (authority(), authority());
    let (left, right) = (identity(&ours, "left", now()), identity(&theirs, "right", now()));
    shake(&client(&left), &server(&right), "right").assert_client_refuses("UnknownIssuer");
    // A server whose certificate the client knows, but which does not know the client's authority.
    let (honest, stranger) = (identity(&ours, "right", now()), right);
    let mut trusting = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(honest.authorities())
        .with_client_auth_cert(stranger.chain().to_vec(), stranger.key())
        .expect("a certificate");
    trusting.alpn_protocols = vec![ALPN.to_vec()];
    shake(&Arc::new(trusting), &server(&honest), "right").assert_server_refuses("UnknownIssuer");
}

#[test]
fn out_of_time_is_refused_by_both_sides() {
    let authority = Authority::create(now() - 200 * DAY).expect("an authority");
    let good = |name| identity(&authority, name, now());
    for (made, fault) in [(now() - 100 * DAY, "Expired"), (now() + 100 * DAY, "NotValidYet")] {
        let bad = |name| identity(&authority, name, made);
        shake(&client(&good("left")), &server(&bad("right")), "right").assert_client_refuses(fault);
        shake(&client(&bad("left")), &server(&good("right")), "right").assert_server_refuses(fault);
    }
}

#[test]
fn the_server_must_have_the_name_that_was_dialled() {
    let authority = authority();
    let (left, right) = (
        identity(&authority, "left", now()),
        identity(&authority, "right", now()),
    );
    for name in ["middle", "right.example.com", "127.0.0.1"] {
        shake(&client(&left), &server(&right), name).assert_client_refuses("NotValidForName");
    }
}

#[test]
fn the_name_of_a_client_is_read_from_its_certificate_alone() {
    let authority = authority();
    let (left, right) = (
        identity(&authority, "left", now()),
        identity(&authority, "right", now()),
    );
    let outcome = shake(&client(&left), &server(&right), "right");
    outcome.assert_good();
    let chain = outcome.server.peer_certificates().expect("a chain");
    let peer = PeerCertificate::from_chain(chain).expect("a certificate");
    assert!(
        !peer.carries("middle"),
        "a client that claims another name is found out"
    );
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let right = identity(&authority(), "right", now());
    let mut bare = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(right.authorities())
        .with_no_client_auth();
    bare.alpn_protocols = vec![ALPN.to_vec()];
    shake(&Arc::new(bare), &server(&right), "right").assert_server_refuses("NoCertificatesPresented");
}

#[test]
fn another_protocol_is_refused() {
    let authority = authority();
    let (left, right) = (
        identity(&authority, "left", now()),
        identity(&authority, "right", now()),
    );
    let mut other = client_config(&left).expect("settings");
    other.alpn_protocols = vec![b"beamway/2".to_vec()];
    shake(&Arc::new(other), &server(&right), "right").assert_server_refuses("NoApplicationProtocol");
    // A client that offers no ALPN protocol passes in TLS over TCP. QUIC requires one (RFC 9001 §8.1), and quinn enforces it.
    let mut other = server_config(&right).expect("settings");
    other.alpn_protocols = vec![b"h3".to_vec()];
    shake(&client(&left), &Arc::new(other), "right").assert_server_refuses("NoApplicationProtocol");
}

#[test]
fn the_settings_forbid_every_shortcut_and_serve_quic() {
    let left = identity(&authority(), "left", now());
    let server = server_config(&left).expect("settings");
    assert_eq!((server.send_tls13_tickets, server.max_early_data_size), (0, 0));
    assert!(!server.session_storage.can_cache());
    assert!(!server.ticketer.enabled());
    assert!(!server.key_log.will_log("CLIENT_TRAFFIC_SECRET_0"));
    let client = client_config(&left).expect("settings");
    assert!(!client.enable_early_data && !client.enable_sni);
    assert!(!client.key_log.will_log("CLIENT_TRAFFIC_SECRET_0"));
    QuicServerConfig::try_from(server).expect("usable by quinn");
    QuicClientConfig::try_from(client).expect("usable by quinn");
}

#[test]
fn a_temporary_daemon_has_a_reset_key_of_its_own() {
    let authority = authority();
    let left = identity(&authority, "left", now());
    let sign = |key: &aws_lc_rs::hmac::Key| aws_lc_rs::hmac::sign(key, b"a connection").as_ref().to_vec();
    let lasting = sign(&reset_key(&left));
    assert_eq!(lasting, sign(&reset_key(&left)), "it survives a restart");
    let (one, other) = (
        sign(&temporary_reset_key(&left, [1; 32])),
        sign(&temporary_reset_key(&left, [2; 32])),
    );
    assert!(lasting != one && lasting != other && one != other);
}
