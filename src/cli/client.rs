use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use anyhow::anyhow;
use anyhow::bail;
use http_body_util::BodyExt;
use http_body_util::Empty;
use hyper::Method;
use hyper::Request;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::output;
use crate::carrier::socket_of;

/// How long a daemon may take to answer.
const TIME: Duration = Duration::from_secs(40);

/// The way to a running daemon: the Unix socket that its configuration file names.
#[derive(Debug)]
pub(super) struct Client {
    socket: std::path::PathBuf,
    runtime: Runtime,
    time: Duration,
}

impl Client {
    /// For the daemon with this configuration file. Nothing is opened yet.
    pub(super) fn of(file: &Path) -> anyhow::Result<Self> {
        Self::find(file)?.map_err(|mistakes| {
            for line in &mistakes {
                output::complain(line);
            }
            anyhow!("the configuration has errors")
        })
    }

    /// The same. If the file does not even say where the socket is, the inner error has its mistakes.
    pub(super) fn find(file: &Path) -> anyhow::Result<Result<Self, Vec<String>>> {
        let socket = match socket_of(file) {
            Ok(socket) => socket,
            Err(mistakes) => return Ok(Err(mistakes)),
        };
        let socket = socket
            .with_context(|| format!("{}: there is no socket: set `[admin] socket` to a path", file.display()))?;
        Ok(Ok(Self {
            socket,
            runtime: Builder::new_current_thread().enable_all().build()?,
            time: TIME,
        }))
    }

    /// The same with another time that an answer may take.
    pub(super) fn patient_for(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    /// Asks for a path. Returns the status of HTTP and the body.
    pub(super) fn ask(&self, method: Method, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        let asked = async { timeout(self.time, self.exchange(method, path)).await };
        self.runtime
            .block_on(asked)
            .unwrap_or_else(|_| bail!("no answer within {:?} on {}", self.time, self.socket.display()))
    }

    /// The same for what is answered as JSON.
    pub(super) fn read<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let (status, body) = self.ask(Method::GET, path)?;
        if status != StatusCode::OK {
            bail!("{status}: {}", String::from_utf8_lossy(&body).trim());
        }
        serde_json::from_slice(&body).context("the daemon has another version than this program")
    }

    async fn exchange(&self, method: Method, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        let stream = UnixStream::connect(&self.socket).await.with_context(|| {
            format!(
                "cannot reach the daemon at {}: does it run with this configuration file, and as your user?",
                self.socket.display()
            )
        })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, "beamway")
            .body(Empty::<Bytes>::new())?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }
}
