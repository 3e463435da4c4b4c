//! Log lines as events of Erlang's logger, with metadata.
//!
//! A process writes them, one after another. What it is not quick enough for is counted and dropped, so that a flood of lines costs the
//! VM no memory. Lines of one kind and source are bounded, as those of a daemon, so that nobody fills a disk.

use std::fmt;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::Once;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use std::time::Instant;

use beamway::internals::config::LogLevel;
use beamway::internals::fields::Limit;
use beamway::internals::fields::Suppressed;
use rustler::Atom;
use rustler::Encoder;
use rustler::LocalPid;
use rustler::OwnedEnv;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tracing::Event;
use tracing::Level;
use tracing::Metadata;
use tracing::Subscriber;
use tracing::field::Field;
use tracing::field::Visit;
use tracing::level_filters::LevelFilter;
use tracing::span;
use tracing::subscriber;
use tracing::warn;

use crate::atoms;

/// Lines that may wait for the thread, and for the process.
const LINES: usize = 256;

/// The most detailed level that is logged: 0 nothing, 5 everything.
static LEVEL: AtomicU8 = AtomicU8::new(3);

/// Lines that were dropped since the last one that was not.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How often suppressed lines are reported.
const SUPPRESSED_TIME: Duration = Duration::from_secs(10);

static LIMIT: LazyLock<Limit> = LazyLock::new(Limit::default);

static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Room in the mailbox of the process that writes.
static ROOM: Semaphore = Semaphore::const_new(LINES);

static WRITER: Mutex<Option<LocalPid>> = Mutex::new(None);

struct Queue {
    lines: mpsc::Sender<Line>,
    /// Taken by the thread.
    receiver: Mutex<Option<mpsc::Receiver<Line>>>,
}

struct Line {
    level: Level,
    target: &'static str,
    message: String,
    fields: Vec<(&'static str, String)>,
}

fn queue() -> &'static Queue {
    QUEUE.get_or_init(|| {
        let (lines, receiver) = mpsc::channel(LINES);
        Queue {
            lines,
            receiver: Mutex::new(Some(receiver)),
        }
    })
}

/// Sets the process that writes.
pub(crate) fn set_writer(pid: LocalPid) {
    *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(pid);
}

/// The process has written a line.
pub(crate) fn written() {
    if ROOM.available_permits() < LINES {
        ROOM.add_permits(1);
    }
}

/// Sets the most detailed level that is logged.
pub(crate) fn set_level(level: LogLevel) {
    let level = match level {
        LogLevel::Off => 0,
        LogLevel::Error => 1,
        LogLevel::Warn => 2,
        LogLevel::Info => 3,
        LogLevel::Debug => 4,
        LogLevel::Trace => 5,
    };
    LEVEL.store(level, Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

/// Lets all of this library log here.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let _ = subscriber::set_global_default(ToErlang);
    });
}

/// Sends lines to the process that writes, for as long as the VM lives.
pub(crate) async fn run() {
    let lines = queue().receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut lines) = lines else {
        return;
    };
    let mut message = OwnedEnv::new();
    while let Some(line) = lines.recv().await {
        if let Ok(room) = ROOM.acquire().await {
            room.forget();
        }
        let writer = *WRITER.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = DROPPED.swap(0, Relaxed);
        let sent = writer.map(|pid| {
            message.send_and_clear(&pid, |env| {
                (
                    atoms::beamway_log(),
                    name(line.level),
                    line.target,
                    &line.message,
                    &line.fields,
                    dropped,
                )
                    .encode(env)
            })
        });
        if !matches!(sent, Some(Ok(()))) {
            DROPPED.fetch_add(dropped + 1, Relaxed);
            written();
        }
    }
}

/// Tells what was suppressed, for as long as the VM lives.
pub(crate) async fn tell_suppressed() {
    loop {
        tokio::time::sleep(SUPPRESSED_TIME).await;
        for Suppressed { kind, source, count } in LIMIT.take_suppressed() {
            warn!(kind, source, count, "suppressed log lines of one kind and source");
        }
    }
}

/// The level as Erlang's logger has it.
fn name(level: Level) -> Atom {
    match level {
        Level::ERROR => atoms::error(),
        Level::WARN => atoms::warning(),
        Level::INFO => atoms::info(),
        _ => atoms::debug(),
    }
}

struct ToErlang;

fn limit() -> LevelFilter {
    match LEVEL.load(Relaxed) {
        0 => LevelFilter::OFF,
        1 => LevelFilter::ERROR,
        2 => LevelFilter::WARN,
        3 => LevelFilter::INFO,
        4 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

impl Subscriber for ToErlang {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Other libraries are of no interest unless something is wrong.
        let is_ours = metadata.target().starts_with("beamway");
        *metadata.level() <= limit() && (is_ours || *metadata.level() <= Level::WARN)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(limit())
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        if !LIMIT.allows(event, Instant::now()) {
            return;
        }
        let metadata = event.metadata();
        let mut line = Line {
            level: *metadata.level(),
            target: metadata.target(),
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut line);
        if queue().lines.try_send(line).is_err() {
            DROPPED.fetch_add(1, Relaxed);
        }
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

impl Line {
    fn add(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.fields.push((field.name(), value));
        }
    }
}
