use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::info;
use tracing::warn;

use super::StartError;
use super::source::Source;
use crate::config::AdminSettings;
use crate::config::AdminSocket;
use crate::config::Config;
use crate::observe::Facts;
use crate::observe::io::admin;
use crate::observe::io::admin::Admin;
use crate::observe::io::admin::Socket;
use crate::observe::io::collect::Collector;
use crate::observe::io::reload::Reload;

/// Where a daemon answers: a Unix socket, and a TCP address.
#[derive(Debug, Default)]
pub(super) struct Entrances {
    socket: Option<Socket>,
    tcp: Option<TcpListener>,
}

impl Entrances {
    /// Opens what the configuration says. Without the usual socket a daemon runs too; one that is configured must be there.
    /// A temporary daemon has none.
    pub(super) async fn open(config: &Config, source: &Source, is_temporary: bool) -> Result<Self, StartError> {
        if is_temporary {
            return Ok(Self::default());
        }
        let path = socket_path(&config.gateway.name, &config.admin, source);
        let socket = match path.as_deref().map(|path| (path, admin::bind(path))) {
            None => None,
            Some((_, Ok(socket))) => Some(socket),
            Some((path, Err(error))) if config.admin.socket == AdminSocket::Usual => {
                info!(
                    path = %path.display(), %error,
                    "no socket for `beamway status`, `top`, `doctor` and `reload`: set `[admin] socket`"
                );
                None
            }
            Some((path, Err(error))) => {
                return Err(StartError::Other(format!(
                    "cannot listen on the Unix socket {} ([admin] socket): {error}",
                    path.display()
                )));
            }
        };
        let tcp = match config.admin.listen {
            None => None,
            Some(address) => Some(admin::listen(address).await.map_err(|error| StartError::Listen {
                address,
                kind: error.kind(),
                message: format!("cannot listen on TCP {address} ([admin] listen): {error}"),
            })?),
        };
        if let Some(address) = config
            .admin
            .listen
            .filter(|address| !address.ip().to_canonical().is_loopback())
        {
            warn!(
                %address,
                "[admin] listen is not an address of loopback: whoever reaches it reads names and addresses of nodes and peers, without a \
                 password and unencrypted"
            );
        }
        Ok(Self { socket, tcp })
    }

    /// Answers, as long as the tasks run.
    pub(super) fn serve(self, collector: Collector, reloads: mpsc::Sender<Reload>, tasks: &mut JoinSet<()>) {
        if self.socket.is_some() || self.tcp.is_some() {
            tasks.spawn(admin::serve(Admin { collector, reloads }, self.socket, self.tcp));
        }
    }
}

/// What a daemon tells that does not change.
pub(super) fn facts(config: &Config, listen: Option<SocketAddr>) -> Facts {
    Facts {
        name: config.gateway.name.clone(),
        listen: listen.unwrap_or(config.gateway.listen).to_string(),
        lanes: config.gateway.lanes,
        congestion: config.transport.congestion.name().to_owned(),
    }
}

/// The path of the Unix socket of a daemon, from `[admin] socket`; `None` if there is none.
fn socket_path(name: &str, admin: &AdminSettings, source: &Source) -> Option<PathBuf> {
    let file = source.file();
    match &admin.socket {
        AdminSocket::Off => None,
        AdminSocket::At(path) => {
            let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
            Some(folder.join(path))
        }
        AdminSocket::Usual => usual_socket(file?, name),
    }
}

/// The folder of the sockets of a system's daemons.
const RUN: &str = "/run/beamway";

/// One socket for each configuration file: `/run/beamway/NAME-HASH.sock` for a daemon that root or a service manager has started, and
/// otherwise in the user's own folder for such things. Without one there is none: in a folder that all users share, another one could put
/// its socket first.
fn usual_socket(file: &Path, name: &str) -> Option<PathBuf> {
    let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    // The file itself may be a link that moves, as in Kubernetes.
    let folder = whole.parent().and_then(|folder| folder.canonicalize().ok());
    let whole = match (folder, whole.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => whole,
    };
    let hash = xxhash_rust::xxh3::xxh3_64(whole.as_os_str().as_encoded_bytes());
    let socket = format!("{name}-{:08x}.sock", hash as u32);
    let is_root = nix::unistd::geteuid().is_root();
    if is_root || Path::new(RUN).is_dir() {
        return Some(Path::new(RUN).join(socket));
    }
    let folder = std::env::var_os("XDG_RUNTIME_DIR")?;
    Some(Path::new(&folder).join("beamway").join(socket))
}

/// The path of the Unix socket of the daemon, program or VM with this configuration file; `None` if there is none. The certificates are not
/// looked at.
///
/// # Errors
///
/// Every mistake in the file, one line each.
#[cfg(feature = "daemon")]
pub(crate) fn socket_of(file: &Path) -> Result<Option<PathBuf>, Vec<String>> {
    use crate::config::Purpose;
    let text =
        std::fs::read_to_string(file).map_err(|error| vec![format!("{} cannot be read: {error}", file.display())])?;
    let purpose = Purpose::Daemon;
    let found = match crate::config::parse(&text, purpose) {
        Ok(config) => Some((config.gateway.name, config.admin)),
        // A VM has other sections; and a daemon that runs is reached although its file has mistakes by now.
        Err(mistakes) => match (mistakes.name.clone(), mistakes.admin.clone()) {
            (Some(name), Some(admin)) => Some((name, *admin)),
            _ => {
                let lines = mistakes.list.iter();
                return Err(lines.map(|mistake| format!("{}: {mistake}", file.display())).collect());
            }
        },
    };
    let source = Source::File(file.to_owned(), purpose);
    Ok(found.and_then(|(name, admin)| socket_path(&name, &admin, &source)))
}
