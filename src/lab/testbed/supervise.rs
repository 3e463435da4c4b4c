use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use super::children::Children;
use super::workspace::Workspace;

/// How a supervised run ended.
pub enum Ended<T> {
    /// The work came to its end.
    Done(T),
    /// A signal ended it: its number.
    Signal(u8),
}

impl<T> Ended<T> {
    /// What a shell expects of a program that a signal ended: 128 and its number.
    #[must_use]
    pub fn exit_code(number: u8) -> ExitCode {
        ExitCode::from(128_u8.saturating_add(number))
    }
}

/// Does `work` in a fresh folder. At its end, or at the first Ctrl-C, SIGTERM or SIGHUP, all children are ended and the
/// folder is removed, in this order.
///
/// # Errors
///
/// Those of `work`, with the last lines of its children.
pub async fn supervise<T>(
    work: impl AsyncFnOnce(&Workspace, &Children) -> anyhow::Result<T>,
) -> anyhow::Result<Ended<T>> {
    // First of all: from here on no signal ends us behind our back.
    let mut signals = Signals::watch()?;
    let workspace = Workspace::create()?;
    let children = Children::default();
    let ended = tokio::select! {
        done = work(&workspace, &children) => done.map(Ended::Done),
        number = signals.next() => Ok(Ended::Signal(number)),
    };
    let words = children.last_words();
    children.end().await;
    drop(workspace);
    ended.map_err(|error| match words.as_str() {
        "" => error,
        words => anyhow::anyhow!("{error:#}\nLast lines of the processes:\n{}", words.trim_end()),
    })
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn watch() -> anyhow::Result<Self> {
        let watch = |kind| signal(kind).context("cannot watch for signals");
        Ok(Self {
            interrupt: watch(SignalKind::interrupt())?,
            terminate: watch(SignalKind::terminate())?,
            hangup: watch(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => number(SignalKind::interrupt()),
            _ = self.terminate.recv() => number(SignalKind::terminate()),
            _ = self.hangup.recv() => number(SignalKind::hangup()),
        }
    }
}

fn number(kind: SignalKind) -> u8 {
    u8::try_from(kind.as_raw_value()).unwrap_or_default()
}
