use std::path::PathBuf;

use super::transport::Transport;

/// What carries distribution between two nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Two gateways, lanes over QUIC with mutual TLS.
    Beamway(Transport),
    /// The carrier inside both VMs.
    Inside,
    /// One TCP connection, in the clear: what Erlang does by itself.
    Plain,
    /// Plain, with larger buffers (`buffer`, `+zdbbl`) as its users are advised to set. In the benchmark only.
    Tuned,
    /// One TCP connection with mutual TLS (`-proto_dist inet_tls`).
    Tls,
    /// Somebody else's.
    Other(Other),
}

/// A carrier whose code lies somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its name in tables.
    pub name: String,
    /// The folder with its compiled modules.
    pub ebin: PathBuf,
    /// What `-proto_dist` is given: its module without `_dist`.
    pub proto_dist: String,
}

impl Carrier {
    /// Beamway as a configuration that says nothing about it has it.
    #[must_use]
    pub fn beamway() -> Self {
        Self::Beamway(Transport::default())
    }

    /// Name in tables and for `--over`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Beamway(transport) => transport.name(),
            Self::Inside => "beamway VM".to_owned(),
            Self::Plain => "plain".to_owned(),
            Self::Tuned => "tuned".to_owned(),
            Self::Tls => "TLS".to_owned(),
            Self::Other(other) => other.name.clone(),
        }
    }

    pub(super) fn arguments(&self, optfile: &str) -> Vec<String> {
        let arguments: &[&str] = match self {
            Self::Beamway(_) | Self::Plain => &[],
            Self::Inside => &["-proto_dist", "beamway"],
            Self::Other(other) => {
                let ebin = other.ebin.display().to_string();
                return ["-pa", &ebin, "-proto_dist", &other.proto_dist]
                    .map(str::to_owned)
                    .into();
            }
            // 64 MB until a sender is suspended; 1 MB read from the socket at once.
            Self::Tuned => &[
                "+zdbbl",
                "65536",
                "-kernel",
                "inet_dist_connect_options",
                "[{buffer,1048576}]",
                "inet_dist_listen_options",
                "[{buffer,1048576}]",
            ],
            Self::Tls => &["-proto_dist", "inet_tls", "-ssl_dist_optfile", optfile],
        };
        arguments.iter().map(|argument| (*argument).to_owned()).collect()
    }
}
