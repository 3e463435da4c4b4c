//! A daemon of this process, for native nodes to attach to.

use std::fs;

use beamway::carrier;
use tokio::sync::oneshot;

use super::PATIENCE;
use crate::harness::Certificates;
use crate::harness::Site;

/// A daemon that runs on a thread of this process.
pub(super) struct Daemon {
    running: Option<carrier::Daemon>,
    stopping: Option<oneshot::Sender<carrier::Daemon>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Daemon {
    pub(super) fn start(site: &Site, sites: &[Site], certificates: &Certificates) -> Self {
        let folder = certificates.issue_for(&site.name, &site.hosts);
        let file = folder.join("beamway.toml");
        fs::write(&file, site.config(&folder, sites)).expect("a writable folder");
        let (sender, started) = std::sync::mpsc::channel();
        let (stopping, told) = oneshot::channel::<carrier::Daemon>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let running = carrier::Daemon::start_file(&file).await.expect("free ports");
                sender.send(running).expect("a test that waits");
                if let Ok(running) = told.await {
                    running.stop().await;
                }
            });
        });
        Self {
            running: Some(started.recv_timeout(PATIENCE).expect("a daemon that listens")),
            stopping: Some(stopping),
            thread: Some(thread),
        }
    }

    pub(super) const fn running(&self) -> &carrier::Daemon {
        self.running.as_ref().expect("it is there until this is dropped")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let (Some(running), Some(stopping)) = (self.running.take(), self.stopping.take()) {
            // A thread that panicked is found below.
            let _ = stopping.send(running);
        }
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "the daemon panicked");
        }
    }
}
