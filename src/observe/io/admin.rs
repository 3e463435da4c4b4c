//! Answers over HTTP, on a Unix socket that only its owner may use, and at a TCP address. Commands are taken on the socket alone.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use serde::Serialize;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::collect::Collector;
use super::reload::Reload;
use crate::epmd::io::entrance::Entrance;
use crate::epmd::io::entrance::Place;
use crate::observe::CONTENT_TYPE;
use crate::observe::metrics;
use crate::observe::web;

/// Connections at once, on the socket and at the address each. Beyond that, the oldest goes.
const CONNECTIONS: usize = 64;

/// How long a request may take to arrive, and a connection may last: monitoring connects again.
const HEADER_TIME: Duration = Duration::from_secs(5);
const CONNECTION_TIME: Duration = Duration::from_secs(60);

/// How long a reload may take.
const RELOAD_TIME: Duration = Duration::from_secs(30);

/// A pause after an error of the listener, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// What answers.
#[derive(Debug)]
pub struct Admin {
    /// Who is asked for the status.
    pub collector: Collector,
    /// Who reloads.
    pub reloads: mpsc::Sender<Reload>,
}

/// Where a request came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Socket,
    /// From this machine alone.
    Loopback,
    Network,
}

/// Whether a request to an address of loopback names this machine. A page in a browser can have a name of its own resolved to loopback, and
/// would read what this machine alone may.
fn names_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// A Unix socket that is removed with its listener.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens the Unix socket, for its owner alone. One that a daemon has left behind is replaced, but not one at which a daemon answers.
///
/// # Errors
/// If the path cannot be used.
pub fn bind(path: &Path) -> io::Result<Socket> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => return Err(io::Error::new(ErrorKind::AddrInUse, "another daemon answers there")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(Socket {
        listener,
        path: path.to_owned(),
    })
}

/// Whether the process at the other end has the user of this one, or is root. The mode of the socket says so too, but not before it is set.
fn is_own(stream: &UnixStream) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|other| other.uid() == own || other.uid() == 0)
}

/// Opens the TCP address.
///
/// # Errors
/// If it cannot be used.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Answers on both, until the task is ended.
pub async fn serve(admin: Admin, socket: Option<Socket>, tcp: Option<TcpListener>) {
    let admin = Arc::new(admin);
    let on_socket = async {
        let Some(socket) = &socket else {
            return std::future::pending::<()>().await;
        };
        let entrance = Entrance::new("[admin] socket", CONNECTIONS);
        loop {
            match socket.listener.accept().await {
                Ok((stream, _)) if is_own(&stream) => enter(&admin, entrance.enter(), stream, Way::Socket),
                Ok(_) => {}
                Err(_) => {
                    // There may be no file descriptors left.
                    entrance.evict();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    let on_tcp = async {
        let Some(tcp) = &tcp else {
            return std::future::pending::<()>().await;
        };
        let entrance = Entrance::new("[admin] listen", CONNECTIONS);
        let is_loopback = tcp.local_addr().is_ok_and(|at| at.ip().to_canonical().is_loopback());
        let way = if is_loopback { Way::Loopback } else { Way::Network };
        loop {
            match tcp.accept().await {
                Ok((stream, _)) => enter(&admin, entrance.enter(), stream, way),
                Err(_) => {
                    // There may be no file descriptors left.
                    entrance.evict();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::join!(on_socket, on_tcp);
}

fn enter(admin: &Arc<Admin>, place: Place, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, way: Way) {
    let admin = Arc::clone(admin);
    tokio::spawn(async move {
        let service = service_fn(|request| {
            let admin = Arc::clone(&admin);
            async move { Ok::<_, Infallible>(answer(&admin, &request, way).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .max_buf_size(16 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        let served = timeout(CONNECTION_TIME, connection);
        let _ = place.evicted().run_until_cancelled(served).await;
        drop(place);
    });
}

fn text(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        header::HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        header::HeaderValue::from_static(web::POLICY),
    );
    headers.insert(header::REFERRER_POLICY, header::HeaderValue::from_static("no-referrer"));
    response
}

const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

async fn answer(admin: &Admin, request: &Request<Incoming>, way: Way) -> Response<Full<Bytes>> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    if way == Way::Loopback && !names_this_machine(host) {
        return text(
            StatusCode::MISDIRECTED_REQUEST,
            PLAIN,
            "ask for an IP address or localhost\n",
        );
    }
    match request.uri().path() {
        "/reload" if *request.method() != Method::POST => text(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "use POST\n"),
        "/reload" if way != Way::Socket => text(
            StatusCode::FORBIDDEN,
            PLAIN,
            "commands are taken on the Unix socket alone: beamway reload --config FILE\n",
        ),
        "/reload" => reload(admin).await,
        _ if !is_read => text(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "use GET\n"),
        "/live" => text(StatusCode::OK, PLAIN, "ok\n"),
        "/ready" if admin.collector.leave.is_cancelled() => {
            text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "the daemon is stopping\n")
        }
        "/ready" => text(StatusCode::OK, PLAIN, "ok\n"),
        "/metrics" => text(StatusCode::OK, CONTENT_TYPE, metrics(admin.collector.status().await)),
        "/status" => json(StatusCode::OK, &admin.collector.status().await),
        path => match web::file(path) {
            Some((kind, file)) => text(StatusCode::OK, kind, file),
            None => text(StatusCode::NOT_FOUND, PLAIN, "/ /live /ready /metrics /status\n"),
        },
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_vec_pretty(value) {
        Ok(bytes) => text(status, JSON, bytes),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, error.to_string()),
    }
}

async fn reload(admin: &Admin) -> Response<Full<Bytes>> {
    let (answer, told) = oneshot::channel();
    let done = async {
        admin.reloads.send(answer).await.ok()?;
        told.await.ok()
    };
    match timeout(RELOAD_TIME, done).await {
        Ok(Some(reloaded)) if reloaded.mistakes.is_empty() => json(StatusCode::OK, &reloaded),
        Ok(Some(reloaded)) => json(StatusCode::UNPROCESSABLE_ENTITY, &reloaded),
        _ => text(
            StatusCode::SERVICE_UNAVAILABLE,
            PLAIN,
            "the daemon does not reload now\n",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_not_this_machine() {
        for (host, is_own) in [
            ("127.0.0.1:9470", true),
            ("127.0.0.1", true),
            ("[::1]:9470", true),
            ("localhost:9470", true),
            ("LocalHost", true),
            ("evil.example:9470", false),
            ("localhost.evil.example", false),
            ("", false),
        ] {
            assert_eq!(names_this_machine(host), is_own, "{host}");
        }
    }
}
