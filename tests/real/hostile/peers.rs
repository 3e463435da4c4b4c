//! QUIC clients without the right certificate, and with it but without manners.

use std::fs;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use beamway::internals::tls;
use beamway::internals::wire::Hello;
use beamway::internals::wire::Notice;
use beamway::internals::wire::VERSION;
use bytes::BytesMut;
use quinn::Connection;
use quinn::ConnectionError;
use quinn::Endpoint;
use quinn::RecvStream;
use quinn::SendStream;
use quinn::TransportConfig;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::Healthy;
use crate::harness::Carrier;
use crate::harness::Certificates;
use crate::harness::Site;

/// A gateway that would answer has answered within this.
const ANSWER: Duration = Duration::from_secs(4);

fn identity(folder: &Path, name: &str) -> tls::Identity {
    let read = |file: &str| fs::read(folder.join(file)).expect("a file that `beamway certs issue` made");
    let files = tls::PemFiles {
        authorities: &read("ca.pem"),
        certificate: &read("cert.pem"),
        key: &read("key.pem"),
        revoked: b"",
    };
    tls::Identity::load(&files, name, SystemTime::now()).expect("certificates that beamway made")
}

/// How a client comes: with what certificate, believing what authority, claiming what name.
pub(super) struct Visitor {
    tls: rustls::ClientConfig,
    claims: &'static str,
    /// The name in the certificate of whom it dials.
    pub(super) dials: &'static str,
    /// What it grants on each stream, in bytes.
    pub(super) window: u32,
    /// How long it stays.
    pub(super) patience: Duration,
}

impl Visitor {
    fn of(tls: rustls::ClientConfig, claims: &'static str) -> Self {
        Self {
            tls,
            claims,
            dials: "left",
            window: 1 << 20,
            patience: ANSWER,
        }
    }

    pub(super) fn with(certs: &Path, name: &str, claims: &'static str) -> Self {
        let tls = tls::client_config(&identity(certs, name)).expect("settings that beamway makes");
        Self::of(tls, claims)
    }

    /// Believes the cluster's authority and shows no certificate.
    fn naked(certs: &Path, name: &str, claims: &'static str) -> Self {
        let mut tls = rustls::ClientConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(identity(certs, name).authorities())
            .with_no_client_auth();
        tls.alpn_protocols = vec![tls::ALPN.to_vec()];
        Self::of(tls, claims)
    }

    /// Shows a certificate that may be worth nothing, but believes the authority of `certs`, so that it goes on with the
    /// handshake.
    fn showing(certificate: &[u8], key: &[u8], certs: &Path, name: &str, claims: &'static str) -> Self {
        let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<_, _>>();
        let key = PrivateKeyDer::from_pem_slice(key).expect("a key");
        let mut tls = rustls::ClientConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(identity(certs, name).authorities())
            .with_client_auth_cert(chain.expect("certificates"), key)
            .expect("a certificate and its key");
        tls.alpn_protocols = vec![tls::ALPN.to_vec()];
        Self::of(tls, claims)
    }

    /// Dials, says hello on a stream and gives what it is answered there: nothing, if it is shut out.
    fn answered(self, address: SocketAddr) -> Vec<u8> {
        self.visit(address, async |connection, claims| greet(connection, claims).await.1)
    }

    /// Dials, is welcomed, does what no peer does, and gives the code that the connection was closed with.
    fn shown_out(self, address: SocketAddr, breach: &Breach) -> Option<u64> {
        self.visit(address, async |connection, claims| {
            let (control, answer) = greet(connection, claims).await;
            assert_ne!(answer, b"", "a daemon of the cluster was not answered");
            let (control, _kept_open) = control.expect("a control stream");
            breach.commit(connection, control).await;
            match connection.closed().await {
                ConnectionError::ApplicationClosed(close) => Some(close.error_code.into_inner()),
                _ => None,
            }
        })
    }

    pub(super) fn visit<T: Default>(self, address: SocketAddr, stay: impl AsyncFnOnce(&Connection, &str) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let mut endpoint = Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a UDP socket");
            let quic = QuicClientConfig::try_from(self.tls).expect("a cipher for QUIC");
            let mut client = quinn::ClientConfig::new(Arc::new(quic));
            let mut transport = TransportConfig::default();
            transport.stream_receive_window(self.window.into());
            client.transport_config(Arc::new(transport));
            endpoint.set_default_client_config(client);
            let visit = async {
                let connecting = endpoint.connect(address, self.dials).expect("an address to dial");
                match connecting.await {
                    Ok(connection) => stay(&connection, self.claims).await,
                    Err(_) => T::default(),
                }
            };
            let brought = tokio::time::timeout(self.patience, visit).await;
            endpoint.close(0u32.into(), b"");
            brought.unwrap_or_default()
        })
    }
}

/// Says hello; what is answered, if anything. In TLS 1.3 a client believes it is connected before the server has judged
/// its certificate.
async fn greet(connection: &Connection, claims: &str) -> (Option<(SendStream, RecvStream)>, Vec<u8>) {
    let Ok((mut send, mut receive)) = connection.open_bi().await else {
        return (None, Vec::new());
    };
    // Shut out already: then nothing will be read either.
    let _ = send.write_all(&notice(0, hello(claims))).await;
    let mut answer = vec![0; 4096];
    let answer = match receive.read(&mut answer).await {
        Ok(Some(length)) => answer[..length].to_vec(),
        Ok(None) | Err(_) => Vec::new(),
    };
    (Some((send, receive)), answer)
}

pub(super) fn hello(claims: &str) -> Notice {
    Notice::Hello(Hello {
        session: None,
        versions: (VERSION, VERSION),
        name: claims.to_owned(),
        boot: [7; 16],
        lanes: 16,
        software: "a test".to_owned(),
        temporary: false,
        port: 0,
        exchanges: false,
    })
}

pub(super) fn notice(number: u64, notice: Notice) -> BytesMut {
    let mut bytes = BytesMut::new();
    notice.encode(number, &mut bytes);
    bytes
}

/// What a peer must not do.
#[derive(Debug)]
enum Breach {
    /// Bytes on the control stream after the greeting.
    Control(BytesMut),
    /// Bytes on a stream of its own.
    Lane(&'static [u8]),
    /// The control stream ends.
    Ends,
}

impl Breach {
    /// The other side may end the connection in the middle of it.
    async fn commit(&self, connection: &Connection, mut control: SendStream) {
        match self {
            Self::Control(bytes) => {
                let _ = control.write_all(bytes).await;
            }
            Self::Lane(bytes) => {
                if let Ok(mut lane) = connection.open_uni().await {
                    let _ = lane.write_all(bytes).await;
                    let _ = lane.finish();
                }
            }
            Self::Ends => {
                let _ = control.finish();
            }
        }
        // Dropped, a stream would be reset: another breach.
        connection.closed().await;
    }
}

#[test]
fn only_certificates_of_the_cluster_are_answered() {
    let sites = ["left", "right", "third"].map(Site::loopback);
    // The third is a peer whose gateway does not run: its certificate is at hand for this test.
    let mut healthy = Healthy::of(Carrier::Bridge, sites.to_vec(), 2);
    let address = healthy.address();
    let third: PathBuf = healthy.cluster.certificates().issue("third");
    let elsewhere = Certificates::init(healthy.cluster.folder().join("elsewhere"));
    let forged = elsewhere.issue("third");

    healthy.beside("certificates that are not of the cluster", |healthy| {
        let naked = Visitor::naked(&third, "third", "third");
        assert_eq!(naked.answered(address), b"", "answered without a certificate");
        healthy.assert_unharmed("a client without a certificate");

        let file = |name: &str| fs::read(forged.join(name)).expect("a file that `beamway certs issue` made");
        let forger = Visitor::showing(&file("cert.pem"), &file("key.pem"), &third, "third", "third");
        assert_eq!(
            forger.answered(address),
            b"",
            "answered with a certificate of another authority"
        );
        healthy.assert_unharmed("a client with a certificate of another authority");

        let expired = healthy.cluster.certificates().expired("third");
        let late = Visitor::showing(
            expired.certificate_pem.as_bytes(),
            expired.key_pem.as_bytes(),
            &third,
            "third",
            "third",
        );
        assert_eq!(late.answered(address), b"", "answered with an expired certificate");
        healthy.assert_unharmed("a client with an expired certificate");

        let liar = Visitor::with(&third, "third", "right");
        assert_eq!(
            liar.answered(address),
            b"",
            "answered though its certificate does not carry the name"
        );
        healthy.assert_unharmed("a daemon that claims another's name");

        // What was refused above was refused for the certificate: with the right one the same client is answered.
        let right = Visitor::with(&third, "third", "third");
        assert_ne!(
            right.answered(address),
            b"",
            "a daemon with a certificate of the cluster was not answered"
        );
        healthy.assert_unharmed("a daemon that says hello and goes");
    });
}

/// What closes a connection whose peer broke the protocol (docs/PROTOCOL.md, P4).
const BROKE_THE_PROTOCOL: u64 = 3;

#[test]
fn a_peer_that_breaks_the_protocol_loses_its_trunk_only() {
    let sites = ["left", "right", "third"].map(Site::loopback);
    let mut healthy = Healthy::of(Carrier::Bridge, sites.to_vec(), 2);
    let address = healthy.address();
    let third = healthy.cluster.certificates().issue("third");
    let goodbye = |number| {
        notice(
            number,
            Notice::Goodbye {
                reason: "bye".to_owned(),
            },
        )
    };
    let breaches = [
        Breach::Control(BytesMut::from(&b"\x05\xff\xff\xff\xff\xff"[..])),
        Breach::Control(BytesMut::from(&b"\xff\xff\xff\xff\xff\xff\xff\xff"[..])),
        Breach::Control(notice(0, hello("third"))),
        Breach::Control(goodbye(7)),
        Breach::Ends,
        Breach::Lane(b"\x40\x01"),
        Breach::Lane(b"\x00\x02"),
        Breach::Lane(b"\x00\x01\xff"),
        Breach::Lane(b"\x00\x01\x00\x01\x7f\xff\x00"),
        Breach::Lane(b"\x00\x01\x00\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff"),
        Breach::Lane(b"\x00\x01"),
    ];
    healthy.beside("breaches of the protocol", |healthy| {
        for breach in &breaches {
            let visitor = Visitor::with(&third, "third", "third");
            let code = visitor.shown_out(address, breach);
            assert_eq!(code, Some(BROKE_THE_PROTOCOL), "{breach:?}");
            healthy.assert_unharmed(&format!("{breach:?}"));
        }
    });
}

/// A copied configuration: two daemons would end each other's sessions for ever.
#[test]
fn a_second_daemon_of_one_name_is_refused_while_the_first_one_answers() {
    let mut healthy = Healthy::new();
    let address = healthy.address();
    let running = healthy.cluster.gateway(1).site().quic;
    let certs = healthy.cluster.folder().join("certs/right");
    healthy.beside("second daemons of one name", |_| {
        for _ in 0..3 {
            let twin = Visitor::with(&certs, "right", "right");
            let reason = twin.visit(address, async |connection, claims| {
                let (_streams, answer) = greet(connection, claims).await;
                assert_ne!(answer, b"", "a daemon with this certificate was not answered");
                match connection.closed().await {
                    ConnectionError::ApplicationClosed(close) => String::from_utf8_lossy(&close.reason).into_owned(),
                    other => other.to_string(),
                }
            });
            let named =
                format!("another daemon named \"right\" is running, at {running}; this one came from 127.0.0.1:");
            assert!(reason.starts_with(&named), "{reason}");
        }
    });
    healthy.assert_unharmed("a second daemon of the same name");
}
