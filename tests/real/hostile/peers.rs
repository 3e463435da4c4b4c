//! QUIC clients without the right certificate.

use std::fs;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use beamway::tls;
use beamway::wire::Hello;
use beamway::wire::Notice;
use bytes::BytesMut;
use quinn::Endpoint;
use quinn::crypto::rustls::QuicClientConfig;

use super::Healthy;
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
    };
    tls::Identity::load(&files, name, SystemTime::now()).expect("certificates that beamway made")
}

/// How a client comes: with what certificate, believing what authority, claiming what name.
struct Visitor {
    tls: rustls::ClientConfig,
    claims: &'static str,
}

impl Visitor {
    fn with(certs: &Path, name: &str, claims: &'static str) -> Self {
        let tls = tls::client_config(&identity(certs, name)).expect("settings that beamway makes");
        Self { tls, claims }
    }

    /// Believes the cluster's authority and shows no certificate.
    fn naked(certs: &Path, name: &str, claims: &'static str) -> Self {
        let mut tls = rustls::ClientConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(identity(certs, name).authorities())
            .with_no_client_auth();
        tls.alpn_protocols = vec![tls::ALPN.to_vec()];
        Self { tls, claims }
    }

    /// Shows the first certificate but believes the authority of the second, so that it goes on with the handshake.
    fn of_another_authority(own: &Path, cluster: &Path, name: &str, claims: &'static str) -> Self {
        let (mine, theirs) = (identity(own, name), identity(cluster, name));
        let mut tls = rustls::ClientConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(theirs.authorities())
            .with_client_auth_cert(mine.chain().to_vec(), mine.key())
            .expect("a certificate and its key");
        tls.alpn_protocols = vec![tls::ALPN.to_vec()];
        Self { tls, claims }
    }

    /// Dials, says hello on a stream and gives what it is answered there: nothing, if it is shut out.
    fn answered(self, address: SocketAddr) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let mut endpoint = Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a UDP socket");
            let quic = QuicClientConfig::try_from(self.tls).expect("a cipher for QUIC");
            endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(quic)));
            let heard = tokio::time::timeout(ANSWER, greet(&endpoint, address, self.claims)).await;
            endpoint.close(0u32.into(), b"");
            heard.unwrap_or_default()
        })
    }
}

/// In TLS 1.3 a client believes it is connected before the server has judged its certificate.
async fn greet(endpoint: &Endpoint, address: SocketAddr, claims: &str) -> Vec<u8> {
    let connecting = endpoint.connect(address, "left").expect("an address to dial");
    let Ok(connection) = connecting.await else {
        return Vec::new();
    };
    let Ok((mut send, mut receive)) = connection.open_bi().await else {
        return Vec::new();
    };
    let hello = Hello {
        versions: (1, 1),
        name: claims.to_owned(),
        boot: [7; 16],
        lanes: 16,
        software: "a test".to_owned(),
    };
    let mut bytes = BytesMut::new();
    Notice::Hello(hello).encode(0, &mut bytes);
    // Shut out already: then nothing will be read either.
    let _ = send.write_all(&bytes).await;
    let mut answer = vec![0; 4096];
    match receive.read(&mut answer).await {
        Ok(Some(length)) => answer[..length].to_vec(),
        Ok(None) | Err(_) => Vec::new(),
    }
}

#[test]
fn only_certificates_of_the_cluster_are_answered() {
    let sites = ["left", "right", "third"].map(Site::loopback);
    // The third is a peer whose gateway does not run: its certificate is at hand for this test.
    let mut healthy = Healthy::of(sites.to_vec(), 2);
    let address = healthy.cluster.gateway(0).site().quic;
    let third: PathBuf = healthy.cluster.certificates().issue("third");
    let elsewhere = Certificates::init(healthy.cluster.folder().join("elsewhere"));
    let forged = elsewhere.issue("third");

    let naked = Visitor::naked(&third, "third", "third");
    assert_eq!(naked.answered(address), b"", "answered without a certificate");
    healthy.assert_unharmed("a client without a certificate");

    let forger = Visitor::of_another_authority(&forged, &third, "third", "third");
    assert_eq!(
        forger.answered(address),
        b"",
        "answered with a certificate of another authority"
    );
    healthy.assert_unharmed("a client with a certificate of another authority");

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
}
