use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::oneshot;
use super::oneshot::Joining;
use crate::config::LogFormat;
use crate::config::LogLevel;
use crate::tls::LEAF_DAYS_DEFAULT;

/// The commands of the daemon, and of people who use it.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon of this host until SIGTERM or Ctrl-C
    Run(RunArgs),
    /// Check a configuration file and its certificates; print every mistake at once
    Check(CheckArgs),
    /// Make certificates: an authority, and one certificate for each daemon
    Certs(CertsArgs),
    /// Call a function on a node, and print what it returns as an Erlang term; needs no Erlang on this machine
    Call(CallArgs),
    /// Send a message to a registered process of a node
    Send(SendArgs),
    /// See whether a node answers, and how long each hop takes
    Ping(PingArgs),
}

/// What `call`, `send` and `ping` have in common.
#[derive(Debug, clap::Args)]
pub struct JoinArgs {
    /// The configuration file of this host's daemon, for its name, certificates and peers; the daemon need not run, and is
    /// left alone if it does
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The nodes' cookie; others can see it in the list of processes, which a file avoids [default: ~/.erlang.cookie]
    #[arg(long, value_name = "COOKIE")]
    cookie: Option<String>,
    /// Our own node name, `name@host` [default: one that nobody else has]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How long all of it may take
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
    /// The arguments, a list in Erlang's syntax, such as `[1, \"two\", {three, <<4>>}]`
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
    /// The name of the process there
    #[arg(value_name = "NAME")]
    process: String,
    /// The message, in Erlang's syntax
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
    /// How many round trips are timed
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
    /// How the log is written: text or json [default: the file's `log.format`, else text]
    #[arg(long, value_name = "FORMAT")]
    pub(super) log: Option<LogFormat>,
    /// What is logged: off, error, warn, info, debug or trace [default: `RUST_LOG`, else the file's `log.level`, else
    /// info]
    #[arg(long, value_name = "LEVEL")]
    pub(super) log_level: Option<LogLevel>,
    /// Stop when standard input ends: whoever started it holds that, and is gone
    #[arg(long, hide = true)]
    pub(super) until_input_ends: bool,
}

#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct CertsArgs {
    #[command(subcommand)]
    pub(super) command: CertsCommand,
}

/// `beamway certs …`
#[derive(Debug, Subcommand)]
pub(super) enum CertsCommand {
    /// Make an authority: DIR/ca.pem and its secret DIR/ca-key.pem
    Init {
        /// Folder of the authority; made when missing
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Issue certificates: DIR/NAME/{ca.pem,cert.pem,key.pem} for each NAME
    Issue {
        /// Folder of the authority
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// How long they are valid, days, 1 to 825
        #[arg(long, value_name = "DAYS", default_value_t = LEAF_DAYS_DEFAULT)]
        days: u32,
        /// Names of daemons: DNS names
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
}
