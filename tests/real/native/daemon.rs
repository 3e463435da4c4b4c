//! A daemon of this process, for native nodes to attach to.

use std::fs;
use std::time::SystemTime;

use beamway::carrier;
use beamway::internals::config;
use beamway::internals::hub::io::directory::Request;
use beamway::internals::tls::Identity;
use beamway::internals::tls::PemFiles;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::PATIENCE;
use crate::harness::Certificates;
use crate::harness::Site;

/// A daemon that runs on a thread of this process.
pub(super) struct Daemon {
    pub(super) natives: mpsc::Sender<Request>,
    leave: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Daemon {
    pub(super) fn start(site: &Site, sites: &[Site], certificates: &Certificates) -> Self {
        let folder = certificates.issue(&site.name);
        let config = config::parse(&site.config(&folder, sites)).expect("a configuration");
        let read = |file: &str| fs::read(folder.join(file)).expect("a file of a certificate");
        let (authorities, certificate, key) = (read("ca.pem"), read("cert.pem"), read("key.pem"));
        let files = PemFiles {
            authorities: &authorities,
            certificate: &certificate,
            key: &key,
        };
        let identity = Identity::load(&files, &site.name, SystemTime::now()).expect("a certificate");
        let (sender, natives) = std::sync::mpsc::channel();
        let leave = CancellationToken::new();
        let left = leave.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let app = carrier::Daemon::bind(config, &identity, Vec::new())
                    .await
                    .expect("free ports");
                sender.send(app.natives()).expect("a test that waits");
                app.run(left).await;
            });
        });
        let natives = natives.recv_timeout(PATIENCE).expect("a daemon that listens");
        Self {
            natives,
            leave,
            thread: Some(thread),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.leave.cancel();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "the daemon panicked");
        }
    }
}
