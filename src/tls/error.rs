use std::fmt;

use thiserror::Error;

/// A text that cannot be the name of a daemon.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{name}` cannot name a daemon: {reason}")]
pub struct NameError {
    /// The text, cut to 80 characters.
    pub name: String,
    /// The rule that it breaks.
    pub reason: &'static str,
}

/// Why an authority could not be created, loaded or used.
#[cfg(any(test, feature = "daemon"))]
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// The name to certify is invalid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A file of the authority is malformed or has the wrong content.
    #[error("{file}: {reason}")]
    File {
        /// The name of the file.
        file: &'static str,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The key does not belong to the certificate.
    #[error(
        "the key does not belong to the certificate of the authority: the two files come from different authorities"
    )]
    KeyMismatch,
    /// The authority has expired.
    #[error(
        "the authority expired on {0}: create a new one with `beamway certs init` and issue all certificates again"
    )]
    Expired(String),
    /// The requested validity is too short or too long.
    #[error("{days} days: a certificate is valid for 1 to {max} days")]
    Days {
        /// The requested number of days.
        days: u32,
        /// The maximum number of days.
        max: u32,
    },
    /// The clock is outside the range of dates that a certificate can hold.
    #[error("the clock of this machine is outside the years 1970 to 9999")]
    Clock,
    /// A key or a signature could not be created.
    #[error("cannot create the certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// One mistake in the files of a daemon. Each names its file and says what to do.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IdentityError {
    /// A file is too large.
    #[error("{file}: {bytes} bytes; at most {max} are allowed")]
    TooLarge {
        /// The file.
        file: &'static str,
        /// Its size in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A PEM section is damaged.
    #[error("{file}: damaged PEM ({reason}); copy the file again")]
    Pem {
        /// The file.
        file: &'static str,
        /// The PEM parser's error.
        reason: String,
    },
    /// A file without a certificate.
    #[error("{file}: contains no certificate; expected sections `-----BEGIN CERTIFICATE-----`")]
    NoCertificate {
        /// The file.
        file: &'static str,
    },
    /// A file contains too many certificates.
    #[error("{file}: {count} certificates; at most {max} are allowed")]
    TooMany {
        /// The file.
        file: &'static str,
        /// The number of certificates.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A malformed certificate.
    #[error("{file}: certificate {number} cannot be read ({reason}); issue it again")]
    Certificate {
        /// The file.
        file: &'static str,
        /// The position of the certificate in the file, counted from 1.
        number: usize,
        /// The parser's error.
        reason: String,
    },
    /// A certificate in `ca.pem` that is not a CA certificate.
    #[error("ca.pem: certificate {number} is not a CA certificate (no `CA:TRUE`); replace it with that of your CA")]
    NotAuthority {
        /// The position of the certificate in the file, counted from 1.
        number: usize,
    },
    /// No authority is valid now.
    #[error(
        "ca.pem: contains no authority that is valid now; it is {now}, and certificate {number} is valid from {from} to {to}"
    )]
    AuthorityTime {
        /// The position of the last certificate that was checked, counted from 1.
        number: usize,
        /// The time by the clock of this machine.
        now: String,
        /// The start of its validity.
        from: String,
        /// The end of its validity.
        to: String,
    },
    /// `key.pem` contains no usable section.
    #[error("key.pem: contains no private key; expected one section `-----BEGIN PRIVATE KEY-----`, not encrypted")]
    NoKey,
    /// An unsupported key.
    #[error("key.pem: the key cannot be used ({0}); make an ECDSA P-256, Ed25519 or RSA key of 2048 bits or more")]
    Key(String),
    /// The key does not belong to the certificate.
    #[error("key.pem: the key does not belong to the first certificate of cert.pem; copy both from the same issue")]
    KeyMismatch,
    /// The certificate has expired.
    #[error("cert.pem: expired on {0}, and it is {1}; issue a new one (`beamway certs issue`), or set the clock")]
    Expired(String, String),
    /// The certificate is not valid yet.
    #[error("cert.pem: not valid before {0}, and it is {1}; wait, or set the clock of this machine")]
    NotYetValid(String, String),
    /// Not signed by a known authority.
    #[error(
        "cert.pem: not signed by an authority in ca.pem; copy both files from the same issue, or append the missing \
         intermediate certificates to cert.pem"
    )]
    UnknownIssuer,
    /// The first certificate is not a daemon's own.
    #[error(
        "cert.pem: the first certificate is that of an authority (CA:TRUE); put the daemon's own certificate first \
         (`beamway certs issue` makes one)"
    )]
    IsAuthority,
    /// A key usage is missing.
    #[error("cert.pem: may not be used for {usage}; a daemon needs both serverAuth and clientAuth")]
    Usage {
        /// `serverAuth` or `clientAuth`.
        usage: &'static str,
    },
    /// The chain is invalid for another reason.
    #[error("cert.pem: the chain to ca.pem is invalid: {0}")]
    Chain(String),
    /// The certificate is for another name.
    #[error(
        "cert.pem: issued for {held}, not for `{wanted}`; issue one with the DNS name `{wanted}`, or change the name"
    )]
    Name {
        /// The configured name.
        wanted: String,
        /// The names in the certificate.
        held: String,
    },
    /// The list of revoked certificates cannot be used.
    #[error("crl.pem: {0}; copy the file again (`beamway certs revoke` makes one)")]
    Crl(String),
    /// The daemon's own certificate is revoked.
    #[error("cert.pem: revoked by crl.pem, so every peer refuses it; issue a new one (`beamway certs issue`)")]
    Revoked,
    /// The configured name is invalid.
    #[error(transparent)]
    BadName(#[from] NameError),
}

/// All mistakes in the files of a daemon. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityErrors(pub Vec<IdentityError>);

impl fmt::Display for IdentityErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            error.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for IdentityErrors {}

/// Why the TLS configuration for one side of a trunk could not be created.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// rustls rejected the settings.
    #[error("TLS settings: {0}")]
    Tls(#[from] rustls::Error),
    /// A verifier of certificates rejected the authorities or the revocation lists.
    #[error("TLS settings: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// Why the certificate of a peer could not be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PeerError {
    /// The peer presented no certificate.
    #[error("the peer presented no certificate")]
    Missing,
    /// The certificate is malformed.
    #[error("the certificate of the peer cannot be read: {0}")]
    Unreadable(webpki::Error),
    /// The same, with the reason of another parser.
    #[error("the certificate of the peer cannot be read: {0}")]
    Malformed(String),
}
