//! The lanes of this VM, and the thread on which they run.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;

use beamway::carrier::Lanes;
use beamway::internals::config::LogLevel;
use beamway::internals::epmd::Registration;
use beamway::internals::hub::Scope;
use beamway::internals::hub::io::directory::CALLERS;
use beamway::internals::hub::io::directory::Caller;
use beamway::internals::hub::io::directory::Found;
use beamway::internals::hub::io::directory::LocalNode;
use beamway::internals::hub::io::directory::Place;
use beamway::internals::hub::io::directory::Request;
use rustler::LocalPid;
use tokio::runtime::Builder;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tracing::warn;

use crate::circuit::Shared;
use crate::log;
use crate::pulse;
use crate::task;

/// How many tasks run before the socket is looked at again, as in a gateway.
const EVENT_INTERVAL: u32 = 24;

/// The carrier of this VM. The thread runs for as long as the VM lives, since its code is in this library. Nobody waits while they hold
/// this lock: the thread takes it too.
static CARRIER: Mutex<Option<Carrier>> = Mutex::new(None);

/// Held while lanes start or stop, by dirty schedulers only.
static CHANGING: Mutex<()> = Mutex::new(());

struct Carrier {
    runtime: Handle,
    running: Option<Running>,
}

/// Running lanes.
struct Running {
    file: PathBuf,
    lanes: Lanes,
    requests: mpsc::Sender<Request>,
    node: Option<Attached>,
    /// The process that hears of circuits which peers open.
    acceptor: watch::Sender<Option<LocalPid>>,
    circuits: Vec<Weak<Shared>>,
}

/// The local node, as peers know it.
struct Attached {
    name: String,
    creation: u32,
}

fn carrier() -> MutexGuard<'static, Option<Carrier>> {
    CARRIER.lock().unwrap_or_else(PoisonError::into_inner)
}

fn changing() -> MutexGuard<'static, ()> {
    CHANGING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something with the lanes that run.
fn with_running<T>(body: impl FnOnce(&Handle, &mut Running) -> T) -> Option<T> {
    let mut carrier = carrier();
    let Carrier { runtime, running } = carrier.as_mut()?;
    Some(body(runtime, running.as_mut()?))
}

/// The thread of the runtime. It is started once.
fn runtime() -> Result<Handle, String> {
    let mut carrier = carrier();
    if let Some(carrier) = &*carrier {
        return Ok(carrier.runtime.clone());
    }
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("beamway".to_owned());
    let started = thread.spawn(move || {
        let built = Builder::new_current_thread()
            .enable_all()
            .event_interval(EVENT_INTERVAL)
            .build();
        match built {
            Ok(runtime) => {
                let _ = tell.send(Ok(runtime.handle().clone()));
                // Tasks, since the runtime catches their panics.
                runtime.spawn(pulse::run());
                runtime.spawn(log::run());
                runtime.spawn(log::tell_suppressed());
                runtime.block_on(std::future::pending::<()>());
            }
            Err(error) => {
                let _ = tell.send(Err(error.to_string()));
            }
        }
    });
    started.map_err(|error| format!("cannot start a thread: {error}"))?;
    let runtime = told
        .recv()
        .map_err(|_| "the thread of beamway has ended".to_owned())??;
    *carrier = Some(Carrier {
        runtime: runtime.clone(),
        running: None,
    });
    Ok(runtime)
}

/// Runs a future on the runtime's thread, and waits for the end: not for schedulers of the VM.
fn wait_for<T: Send + 'static>(
    runtime: &Handle,
    future: impl Future<Output = T> + Send + 'static,
) -> Result<T, String> {
    let (tell, told) = oneshot::channel();
    runtime.spawn(async move {
        let _ = tell.send(future.await);
    });
    told.blocking_recv()
        .map_err(|_| "beamway has failed; its log or the standard error says why".to_owned())
}

/// Starts the lanes with a configuration file, if they do not run. If they do not listen, they may use the file of another VM that runs.
/// Blocks for some milliseconds.
pub(crate) fn start(file: PathBuf, listens: bool) -> Result<(), Vec<String>> {
    let _alone = changing();
    let one = |reason| vec![reason];
    let runtime = runtime().map_err(one)?;
    match with_running(|_, running| running.file.clone()) {
        Some(running) if running == file => return Ok(()),
        Some(running) => return Err(one(format!("beamway runs already, with {}", running.display()))),
        None => {}
    }
    log::install();
    let path = file.clone();
    let lanes = wait_for(&runtime, async move {
        Lanes::start_in_vm(path, listens, log::set_level).await
    })
    .map_err(one)?;
    let lanes = lanes.map_err(|error| error.to_string().lines().map(str::to_owned).collect::<Vec<_>>())?;
    log::set_level(match lanes.log_level() {
        // What a command prints stands on the same terminal.
        LogLevel::Info if !listens => LogLevel::Warn,
        level => level,
    });
    let running = Running {
        file,
        requests: lanes.requests(),
        lanes,
        node: None,
        acceptor: watch::channel(None).0,
        circuits: Vec::new(),
    };
    if let Some(carrier) = &mut *carrier() {
        carrier.running = Some(running);
    }
    Ok(())
}

/// Stops the lanes: circuits end, and peers are told that this node leaves. Blocks until that is done.
pub(crate) fn stop() {
    let _alone = changing();
    let Ok(runtime) = runtime() else {
        return;
    };
    let running = carrier().as_mut().and_then(|carrier| carrier.running.take());
    if let Some(running) = running {
        let _ = wait_for(&runtime, running.lanes.stop());
    }
}

/// Attaches the local node, so that peers find it. Returns its creation. Blocks until the hub answers.
pub(crate) fn attach(name: String, host: String, is_hidden: bool) -> Result<u32, String> {
    let _alone = changing();
    let not_running = || "beamway does not run".to_owned();
    let (runtime, requests) =
        with_running(|runtime, running| (runtime.clone(), running.requests.clone())).ok_or_else(not_running)?;
    // Nobody connects past the lanes, so there is no port.
    let mut registration = Registration::normal(&name, 0);
    if is_hidden {
        registration.node_type = Registration::HIDDEN;
    }
    let (callers_in, callers) = mpsc::channel(CALLERS);
    let node = LocalNode {
        registration,
        hosts: vec![host],
        private: Vec::new(),
        callers: callers_in,
    };
    let creation = wait_for(&runtime, async move {
        let (answer, answered) = oneshot::channel();
        requests.send(Request::Attach { node, answer }).await.ok()?;
        answered.await.ok()?
    })?;
    let creation = creation.ok_or_else(|| format!("the name {name} is taken"))?;
    with_running(|runtime, running| {
        running.node = Some(Attached { name, creation });
        runtime.spawn(hand_over(callers, running.acceptor.subscribe()));
    })
    .ok_or_else(not_running)?;
    Ok(creation)
}

/// Withdraws the local node.
pub(crate) fn detach() {
    with_running(|runtime, running| {
        running.acceptor.send_replace(None);
        let requests = running.requests.clone();
        if let Some(Attached { name, creation }) = running.node.take() {
            runtime.spawn(async move { requests.send(Request::Detach { name, creation }).await });
        }
    });
}

/// Sets the process that hears of circuits which peers open.
pub(crate) fn set_acceptor(pid: LocalPid) -> bool {
    with_running(|_, running| running.acceptor.send_replace(Some(pid))).is_some()
}

/// Runs the task of a circuit, if the lanes run, and remembers the circuit.
pub(crate) fn spawn(circuit: &Arc<Shared>, task: impl Future<Output = ()> + Send + 'static) -> bool {
    with_running(|runtime, running| {
        running.circuits.retain(|circuit| circuit.strong_count() > 0);
        running.circuits.push(Arc::downgrade(circuit));
        runtime.spawn(task);
    })
    .is_some()
}

/// Whether connections to a node go over these lanes, as the configuration file says.
pub(crate) fn selects(node: &str) -> bool {
    with_running(|_, running| running.lanes.selects(node)).unwrap_or(true)
}

/// The channel to the hub of the lanes that run.
pub(crate) fn requests() -> Option<mpsc::Sender<Request>> {
    with_running(|_, running| running.requests.clone())
}

/// What can be said of the lanes that run.
pub(crate) struct Overview {
    pub(crate) name: String,
    pub(crate) address: String,
    /// The bytes that are kept for all peers, and their limit.
    pub(crate) memory: (u64, u64),
    pub(crate) circuits: Vec<Arc<Shared>>,
}

/// The lanes that run, and their circuits.
pub(crate) fn overview() -> Option<Overview> {
    with_running(|_, running| Overview {
        name: running.lanes.name().to_owned(),
        address: running.lanes.address().to_string(),
        memory: (running.lanes.memory().kept(), running.lanes.memory().limit()),
        circuits: running.circuits.iter().filter_map(Weak::upgrade).collect(),
    })
}

/// The names of the nodes of a host, as far as peers have announced them. Blocks until the hub answers.
pub(crate) fn names(host: String) -> Vec<String> {
    let Some((runtime, requests)) = with_running(|runtime, running| (runtime.clone(), running.requests.clone())) else {
        return Vec::new();
    };
    let found = wait_for(&runtime, {
        let host = host.clone();
        async move {
            let (answer, answered) = oneshot::channel();
            let scope = Scope::Host(host);
            requests.send(Request::Names { scope, answer }).await.ok()?;
            answered.await.ok()
        }
    });
    let name = |found| match found {
        Found::Local(registration) => Some(registration.name),
        Found::Remote(node) => Some(node.name),
        Found::Unknown | Found::Ambiguous(_) => None,
    };
    let names = found.ok().flatten().unwrap_or_default().into_iter().filter_map(name);
    names.map(|name| format!("{name}@{host}")).collect()
}

/// Where a node is.
pub(crate) async fn find(requests: mpsc::Sender<Request>, target: String) -> Result<Place, String> {
    let gone = |_| "beamway has stopped".to_owned();
    let (answer, answered) = oneshot::channel();
    let find = Request::Find { target, answer };
    requests.send(find).await.map_err(|_| gone(()))?;
    answered.await.map_err(|_| gone(()))
}

/// Hands circuits that peers open to the acceptor, until the node is withdrawn.
async fn hand_over(mut callers: mpsc::Receiver<Caller>, acceptor: watch::Receiver<Option<LocalPid>>) {
    while let Some(caller) = callers.recv().await {
        let pid = *acceptor.borrow();
        let Some(pid) = pid else {
            let Caller { session, open, .. } = caller;
            session
                .refuse(open.circuit, "the node accepts no connections now".to_owned())
                .await;
            continue;
        };
        if let Err(reason) = task::accept(caller, &pid).await {
            warn!(reason, "a connection was refused");
        }
    }
}
