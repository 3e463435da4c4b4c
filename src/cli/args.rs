use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use clap::ValueEnum;

use super::cookie::CookieArgs;
use super::oneshot;
use super::oneshot::Joining;
use super::top::Order;
use crate::config::LogFormat;
use crate::config::LogLevel;
use crate::tls::LEAF_DAYS_DEFAULT;

/// The commands of the daemon and of its operators.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon of this host until SIGTERM or Ctrl-C
    Run(RunArgs),
    /// Check a configuration file and its certificates; print all errors at once
    Check(CheckArgs),
    /// Show what a running daemon does: peers, nodes, circuits, and what is slow or will fail, and why
    Status(StatusArgs),
    /// Show live what a running daemon does, each second anew; without a terminal, print snapshots
    Top(TopArgs),
    /// Have a running daemon read its configuration and certificates again
    Reload(ReloadArgs),
    /// Look for everything that is known to go wrong with this host, its files, the network and the peers, and say the remedy
    Doctor(DoctorArgs),
    /// Create certificates: an authority, and one certificate per daemon
    Certs(CertsArgs),
    /// Call a function on a node and print its result as an Erlang term; Erlang need not be installed here
    Call(CallArgs),
    /// Send a message to a registered process of a node
    Send(SendArgs),
    /// Ping a node, and print the round-trip time of each hop
    Ping(PingArgs),
    /// Write the man pages of all commands into a folder, or print the main one
    Man(ManArgs),
    /// Print a script that completes commands and options in a shell
    Completions(CompletionsArgs),
}

/// Common options of `call`, `send` and `ping`.
#[derive(Debug, clap::Args)]
pub struct JoinArgs {
    /// The configuration file of this host's daemon, for name, certificates and peers; a running daemon is not needed, and
    /// not disturbed
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    cookie: CookieArgs,
    /// Our own node name, `name@host` [default: a unique name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Time limit
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// The node, `name@host`
    #[arg(value_name = "NODE")]
    node: String,
}

impl From<JoinArgs> for Joining {
    fn from(args: JoinArgs) -> Self {
        Self {
            config: args.config,
            cookie: args.cookie,
            name: args.name,
            timeout: Duration::from_secs(args.timeout),
            node: args.node,
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct CallArgs {
    #[command(flatten)]
    join: JoinArgs,
    /// The module, such as `erlang` or `Elixir.Enum`
    #[arg(value_name = "MODULE")]
    module: String,
    /// The function
    #[arg(value_name = "FUNCTION")]
    function: String,
    /// The arguments, a list in Erlang syntax, such as `[1, \"two\", {three, <<4>>}]`
    #[arg(value_name = "ARGUMENTS", default_value = "[]")]
    arguments: String,
}

impl From<CallArgs> for oneshot::Call {
    fn from(args: CallArgs) -> Self {
        Self {
            joining: args.join.into(),
            module: args.module,
            function: args.function,
            arguments: args.arguments,
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct SendArgs {
    #[command(flatten)]
    join: JoinArgs,
    /// The registered name of the process
    #[arg(value_name = "NAME")]
    process: String,
    /// The message, in Erlang syntax
    #[arg(value_name = "TERM")]
    message: String,
}

impl From<SendArgs> for oneshot::Send {
    fn from(args: SendArgs) -> Self {
        Self {
            joining: args.join.into(),
            name: args.process,
            message: args.message,
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct PingArgs {
    #[command(flatten)]
    join: JoinArgs,
    /// Number of round trips
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    count: u32,
    /// Print the times as JSON, in microseconds
    #[arg(long)]
    json: bool,
}

impl From<PingArgs> for oneshot::Ping {
    fn from(args: PingArgs) -> Self {
        Self {
            joining: args.join.into(),
            count: args.count,
            json: args.json,
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Log format: text or json [default: the file's `log.format`, else text]
    #[arg(long, value_name = "FORMAT")]
    pub(super) log: Option<LogFormat>,
    /// Log level: off, error, warn, info, debug or trace [default: `RUST_LOG`, else the file's `log.level`, else
    /// info]
    #[arg(long, value_name = "LEVEL")]
    pub(super) log_level: Option<LogLevel>,
    /// Stop when standard input ends, as when the parent process has ended
    #[arg(long, hide = true)]
    pub(super) until_input_ends: bool,
}

#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Print what the policy says of each pair of these nodes as JSON
    #[arg(long, requires = "nodes")]
    pub(super) json: bool,
    /// Nodes, `name@host`: print what the policy says of each pair of them
    #[arg(value_name = "NODE")]
    pub(super) nodes: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// The configuration file of the daemon, which names its socket
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Print everything as JSON, as `/status` has it
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// The configuration file of the daemon, which may run or not
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    #[command(flatten)]
    pub(super) cookie: CookieArgs,
    /// Print what was found as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub struct TopArgs {
    /// The configuration file of the daemon, which names its socket
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// What peers and circuits are sorted by; on a terminal a key changes it
    #[arg(long, value_name = "KEY", default_value = "sent")]
    pub(super) sort: Order,
    /// End after so many snapshots
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
    /// Print one JSON object per line and second
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub struct ReloadArgs {
    /// The configuration file of the daemon, which names its socket
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub struct CertsArgs {
    #[command(subcommand)]
    pub(super) command: CertsCommand,
}

#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Folder of the pages, one for each command; created if missing [default: the main page alone, on standard output]
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(super) shell: Shell,
}

/// The shells for which there are completions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// `beamway certs …`
#[derive(Debug, Subcommand)]
pub(super) enum CertsCommand {
    /// Create an authority: DIR/ca.pem and its secret key DIR/ca-key.pem
    Init {
        /// Folder of the authority; created if missing
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Issue certificates: DIR/NAME/{ca.pem,cert.pem,key.pem} for each NAME
    Issue {
        /// Folder of the authority
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Validity in days, 1 to 825
        #[arg(long, value_name = "DAYS", default_value_t = LEAF_DAYS_DEFAULT)]
        days: u32,
        /// A DNS name or IP address that the certificates name too, so that peers let the daemons speak for nodes of this
        /// host; may be repeated
        #[arg(long = "host", value_name = "HOST")]
        hosts: Vec<String>,
        /// Names of daemons, which are DNS names
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Give daemons another certificate for the same names and hosts, with another key, in the folders DIR/NAME that they have
    Renew {
        /// Folder of the authority
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Validity in days, 1 to 825
        #[arg(long, value_name = "DAYS", default_value_t = LEAF_DAYS_DEFAULT)]
        days: u32,
        /// Names of daemons
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Revoke certificates: adds that of each NAME to DIR/crl.pem, which belongs into the folder of every daemon
    Revoke {
        /// Folder of the authority
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Names of daemons, whose certificates are DIR/NAME/cert.pem, or files of certificates
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
}
