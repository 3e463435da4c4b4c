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

/// Why an authority could not be made, loaded or used.
#[cfg(any(test, feature = "daemon"))]
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// The name to certify is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A file of the authority is not what it should be.
    #[error("{file}: {reason}")]
    File {
        /// Which of the two.
        file: &'static str,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The key does not belong to the certificate.
    #[error("the key does not belong to the certificate of the authority: one of the two files comes from elsewhere")]
    KeyMismatch,
    /// The authority's own time is over.
    #[error("the authority expired on {0}: make a new one with `beamway certs init` and issue all certificates again")]
    Expired(String),
    /// A certificate cannot be valid for so long.
    #[error("{days} days: a certificate is valid for 1 to {max} days")]
    Days {
        /// Days asked for.
        days: u32,
        /// Most days possible.
        max: u32,
    },
    /// The clock stands outside the dates a certificate can hold.
    #[error("the clock of this machine is outside the years 1970 to 9999")]
    Clock,
    /// Making a key or a signature failed.
    #[error("making the certificate failed: {0}")]
    Make(#[from] rcgen::Error),
}

/// One mistake in the files of a daemon. Each names its file and says what to do.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IdentityError {
    /// A file is larger than any real one.
    #[error("{file}: {bytes} bytes; more than {max} is not read")]
    TooLarge {
        /// The file.
        file: &'static str,
        /// Its size.
        bytes: usize,
        /// The largest size read.
        max: usize,
    },
    /// A PEM section is damaged.
    #[error("{file}: damaged PEM ({reason}); copy the file again")]
    Pem {
        /// The file.
        file: &'static str,
        /// What the PEM reader says.
        reason: String,
    },
    /// No certificate where one must be.
    #[error("{file}: no certificate in it; expected sections `-----BEGIN CERTIFICATE-----`")]
    NoCertificate {
        /// The file.
        file: &'static str,
    },
    /// More certificates than are looked at.
    #[error("{file}: {count} certificates; at most {max} are read")]
    TooMany {
        /// The file.
        file: &'static str,
        /// How many there are.
        count: usize,
        /// How many may be there.
        max: usize,
    },
    /// A section that is a certificate only by its label.
    #[error("{file}: certificate {number} cannot be read ({reason}); have it issued again")]
    Certificate {
        /// The file.
        file: &'static str,
        /// Which one, counted from 1.
        number: usize,
        /// Why.
        reason: String,
    },
    /// A certificate among the authorities that may not sign.
    #[error("ca.pem: certificate {number} is not of an authority (no `CA:TRUE`); put the certificate of your CA there")]
    NotAuthority {
        /// Which one, counted from 1.
        number: usize,
    },
    /// All authorities are out of their time.
    #[error("ca.pem: no authority in it is valid now; certificate {number} is valid from {from} to {to}")]
    AuthorityTime {
        /// The last one looked at, counted from 1.
        number: usize,
        /// First moment.
        from: String,
        /// Last moment.
        to: String,
    },
    /// No key.
    #[error("key.pem: no private key in it; expected one section `-----BEGIN PRIVATE KEY-----`, not encrypted")]
    NoKey,
    /// A key that nothing here can sign with.
    #[error("key.pem: the key cannot be used ({0}); make an ECDSA P-256, Ed25519 or RSA key of 2048 bits or more")]
    Key(String),
    /// Key and certificate are of different pairs.
    #[error("key.pem: the key does not belong to the first certificate of cert.pem; copy both from one issue")]
    KeyMismatch,
    /// Too late.
    #[error("cert.pem: expired on {0}; issue a new one (`beamway certs issue`) or set the clock")]
    Expired(String),
    /// Too early.
    #[error("cert.pem: not valid before {0}; wait, or set the clock of this machine")]
    NotYetValid(String),
    /// Nobody known has signed it.
    #[error(
        "cert.pem: not signed by an authority of ca.pem; copy both from one issue, or append the missing intermediate \
         certificates to cert.pem"
    )]
    UnknownIssuer,
    /// A use is missing.
    #[error("cert.pem: may not be used for {usage}; a daemon needs both serverAuth and clientAuth")]
    Usage {
        /// `serverAuth` or `clientAuth`.
        usage: &'static str,
    },
    /// The chain does not hold for another reason.
    #[error("cert.pem: the chain to ca.pem does not hold: {0}")]
    Chain(String),
    /// It is somebody else's.
    #[error(
        "cert.pem: it is not for `{wanted}` but for {held}; issue one with the DNS name `{wanted}`, or change the name"
    )]
    Name {
        /// The configured name.
        wanted: String,
        /// The names in the certificate.
        held: String,
    },
    /// The configured name is none.
    #[error(transparent)]
    BadName(#[from] NameError),
}

/// All mistakes in the files of a daemon, found in one go. Never empty.
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

/// Why the settings of one side of a trunk could not be made.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// rustls refuses them.
    #[error("TLS settings: {0}")]
    Tls(#[from] rustls::Error),
    /// The verifier of client certificates refuses the authorities.
    #[error("TLS settings: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// Why the certificate of a peer could not be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PeerError {
    /// The peer showed none.
    #[error("the peer has shown no certificate")]
    Missing,
    /// It cannot be read.
    #[error("the certificate of the peer cannot be read: {0}")]
    Unreadable(webpki::Error),
}
