//! The greeting at the beginning of a trunk: who the peer is, and what both sides agree on.

use quinn::Connection;
use quinn::RecvStream;
use quinn::SendStream;
use rustls_pki_types::CertificateDer;

use super::notices::CONTROL_PRIORITY;
use super::notices::NoticeReader;
use crate::tls::PeerCertificate;
use crate::trunk::Agreement;
use crate::trunk::Dialled;
use crate::trunk::Held;
use crate::trunk::LocalDaemon;
use crate::trunk::TrunkConfig;
use crate::trunk::TrunkError;
use crate::wire::Notice;

/// A connection to a peer whose certificate and greeting have been accepted.
#[derive(Debug)]
pub struct Greeted {
    /// The connection.
    pub connection: Connection,
    /// The sending half of the control stream.
    pub control: SendStream,
    /// The receiving half of the control stream.
    pub notices: NoticeReader,
    /// What both sides agreed on.
    pub agreement: Agreement,
    /// Whether this daemon dialled.
    pub is_ours: bool,
}

/// Exchanges `Hello` notices. The side that dialled sends first. `dialled` is whom it dialled, on that side.
pub(in crate::trunk) async fn greet(
    connection: Connection,
    mut control: SendStream,
    receiving: RecvStream,
    daemon: &LocalDaemon,
    held: &Held,
    dialled: Option<Dialled<'_>>,
) -> Result<Greeted, TrunkError> {
    let hello = |session| {
        let mut hello = bytes::BytesMut::new();
        Notice::Hello(daemon.hello(session)).encode(0, &mut hello);
        hello
    };
    if let Some(Dialled::Any(wanted)) = dialled {
        // Before it is greeted, since it would begin a session at once.
        let certificate = certificate_of(&connection)?;
        LocalDaemon::wants(wanted, certificate.names()).inspect_err(|error| refuse(&connection, error))?;
    }
    match dialled {
        Some(Dialled::Daemon(peer)) => control.write_all(&hello(held.get(peer))).await?,
        // Which daemon that is, it will tell.
        Some(Dialled::Host(_) | Dialled::Any(_)) => control.write_all(&hello(None)).await?,
        None => {}
    }
    let mut notices = NoticeReader::new(receiving);
    let theirs = match notices.read().await? {
        (_, Notice::Hello(theirs)) => theirs,
        _ => return Err(TrunkError::Greeting),
    };
    let certificate = certificate_of(&connection)?;
    let agreement = daemon
        .agree(theirs, &certificate, dialled)
        .inspect_err(|error| refuse(&connection, error))?;
    if dialled.is_none() {
        control.write_all(&hello(held.get(&agreement.peer))).await?;
    }
    // Acknowledgements and notices that close circuits must not wait behind data.
    let _ = control.set_priority(CONTROL_PRIORITY);
    Ok(Greeted {
        connection,
        control,
        notices,
        agreement,
        is_ours: dialled.is_some(),
    })
}

fn refuse(connection: &Connection, error: &TrunkError) {
    connection.close(TrunkConfig::REFUSED, error.to_string().as_bytes());
}

/// The certificate that the peer authenticated with.
fn certificate_of(connection: &Connection) -> Result<PeerCertificate, TrunkError> {
    let chain = connection
        .peer_identity()
        .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
    PeerCertificate::from_chain(&chain.unwrap_or_default()).map_err(|error| TrunkError::Identity {
        claimed: String::new(),
        reason: error.to_string(),
    })
}
