//! Whether the VM still runs processes.
//!
//! The thread of this library goes on when the schedulers of the VM are stuck, and peers would take the node for alive. So a process
//! is asked, once a second unless the VM has called a function meanwhile, and if it does not answer, the node counts as silent: its
//! partners are told, and apply their own tick time (docs/ARCHITECTURE.md, "The carrier inside the VM").

use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustler::Encoder;
use rustler::LocalPid;
use rustler::OwnedEnv;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::info;
use tracing::warn;

use crate::atoms;

const INTERVAL: Duration = Duration::from_secs(1);

/// Intervals without an answer until the VM counts as silent, as a node counts for its gateway.
const UNANSWERED: u32 = 3;

/// Whether the VM has called a function since it was looked at.
static SEEN: AtomicBool = AtomicBool::new(false);

/// The process that is asked.
static ASKED: Mutex<Option<LocalPid>> = Mutex::new(None);

static SILENCE: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::channel(false).0);

/// The VM has called a function.
pub(crate) fn seen() {
    SEEN.store(true, Relaxed);
}

/// Sets the process that is asked.
pub(crate) fn ask(pid: LocalPid) {
    *ASKED.lock().unwrap_or_else(PoisonError::into_inner) = Some(pid);
}

/// Whether the VM is silent.
pub(crate) fn silence() -> watch::Receiver<bool> {
    SILENCE.subscribe()
}

/// Asks for as long as the VM lives.
pub(crate) async fn run() {
    let mut message = OwnedEnv::new();
    let mut unanswered = 0;
    loop {
        sleep(INTERVAL).await;
        if SEEN.swap(false, Relaxed) {
            unanswered = 0;
            if SILENCE.send_replace(false) {
                info!("the VM runs processes again");
            }
            continue;
        }
        let asked = *ASKED.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pid) = asked else {
            continue;
        };
        let _ = message.send_and_clear(&pid, |env| atoms::beamway_pulse().encode(env));
        unanswered += 1;
        if unanswered > UNANSWERED && !SILENCE.send_replace(true) {
            warn!("the VM runs no processes: its partners are told, and their own tick time applies");
        }
    }
}
