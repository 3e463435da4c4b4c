use std::sync::Arc;

use ::aws_lc_rs::hmac;
use rustls::CertificateError;
use rustls::ClientConfig;
use rustls::ConfigBuilder;
use rustls::DigitallySignedStruct;
use rustls::Error;
use rustls::ServerConfig;
use rustls::SignatureScheme;
use rustls::WantsVerifier;
use rustls::client::Resumption;
use rustls::client::WantsClientCert;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::ServerName;
use rustls_pki_types::UnixTime;

use super::error::EndpointError;
use super::identity::Identity;
use super::provider::provider;

/// The ALPN protocol (RFC 7301). A new major version of the wire protocol gets a new one.
pub const ALPN: &[u8] = b"beamway/1";

/// The key of stateless resets (RFC 9000 §10.3). It stays the same when a daemon restarts, so that the daemon can tell peers at
/// once that its former connections are gone. It is derived from the private key as the HMAC of a fixed text, which does not
/// reveal the private key.
pub fn reset_key(identity: &Identity) -> hmac::Key {
    derived_key(identity, &[])
}

/// The key of stateless resets of a temporary daemon, which has no former connections. `random` makes it its own: with the key
/// of the host's daemon, whose private key it shares, it could end connections of that daemon.
#[cfg(any(test, feature = "daemon", feature = "internals"))]
pub fn temporary_reset_key(identity: &Identity, random: [u8; 32]) -> hmac::Key {
    derived_key(identity, &random)
}

fn derived_key(identity: &Identity, random: &[u8]) -> hmac::Key {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, identity.key().secret_der());
    let text = [b"beamway stateless reset", random].concat();
    let derived = hmac::sign(&secret, &text);
    hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
}

/// The TLS configuration for trunks that peers dial.
///
/// It accepts only TLS 1.3 and requires a client certificate of one of our authorities. There are no tickets, no stored
/// sessions and no early data: a resumed handshake would skip the check of the client's certificate (rustls copies the stored
/// chain), and sessions of beamway have their own resumption.
///
/// # Errors
///
/// [`EndpointError`] if rustls rejects what [`Identity::load`] accepted.
pub fn server_config(identity: &Identity) -> Result<ServerConfig, EndpointError> {
    let provider = provider();
    let verifier = identity.trust()?.verifier();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain().to_vec(), identity.key())?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(config)
}

/// The TLS configuration for trunks that this daemon dials. The name to check in the server's certificate is given for each
/// connection: the configured name of the peer, never its address.
///
/// It accepts only TLS 1.3 and sends our certificate. There is no resumption and no early data, as in [`server_config`].
///
/// # Errors
///
/// [`EndpointError`] if rustls rejects what [`Identity::load`] accepted.
pub fn client_config(identity: &Identity) -> Result<ClientConfig, EndpointError> {
    let verifier = verifier(identity)?;
    dialling(identity, |config| config.with_webpki_verifier(verifier))
}

/// The same for peers whose names are not known yet. Their certificates are checked in the same way, but for the name: that must be done
/// once they have said it.
///
/// # Errors
///
/// [`EndpointError`] if rustls rejects what [`Identity::load`] accepted.
pub fn client_config_for_any(identity: &Identity) -> Result<ClientConfig, EndpointError> {
    let verifier = Arc::new(AnyName(verifier(identity)?));
    dialling(identity, |config| {
        config.dangerous().with_custom_certificate_verifier(verifier)
    })
}

fn verifier(identity: &Identity) -> Result<Arc<WebPkiServerVerifier>, EndpointError> {
    let verifier = WebPkiServerVerifier::builder_with_provider(identity.authorities(), provider())
        .with_crls(identity.crls().iter().cloned())
        .allow_unknown_revocation_status()
        .build()?;
    Ok(verifier)
}

fn dialling(
    identity: &Identity,
    verifying: impl FnOnce(ConfigBuilder<ClientConfig, WantsVerifier>) -> ConfigBuilder<ClientConfig, WantsClientCert>,
) -> Result<ClientConfig, EndpointError> {
    let config = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
    let mut config = verifying(config).with_client_auth_cert(identity.chain().to_vec(), identity.key())?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    // A daemon has one certificate, so the server does not need the name. SNI would send it unencrypted.
    config.enable_sni = false;
    Ok(config)
}

/// Accepts each certificate that the inner one accepts, whatever its name.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self
            .0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at last: authority, time and revocation are as they must be.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
