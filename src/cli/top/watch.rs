use std::env;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use std::time::Instant as Clock;

use serde::Serialize;

use super::ask;
use super::ask::Heard;
use super::rates::Instant;
use super::rates::Order;
use super::screen::Size;
use super::screen::View;
use super::screen::lines;
use super::terminal;
use super::terminal::Terminal;
use super::terminal::Wish;
use crate::cli::args::TopArgs;
use crate::cli::client::Client;
use crate::observe::Status;

/// How long the loop waits for a key before it looks at what the daemon has answered.
const TICK: Duration = Duration::from_millis(50);

/// Where nobody says how wide the output may be.
const COLUMNS: usize = 80;

/// `beamway top`: live on a terminal, else plain snapshots. Status 1 if there was no answer at last.
pub(crate) fn top(args: &TopArgs) -> anyhow::Result<ExitCode> {
    let client = Client::of(&args.config)?.patient_for(ask::PATIENCE);
    let state = State::new(args.sort);
    let is_answered = if !args.json && terminal::is_there() {
        live(client, state, args.count)?
    } else {
        plain(&client, state, args)?
    };
    Ok(if is_answered {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What the daemon has said last.
struct State {
    before: Option<Status>,
    instant: Option<Instant>,
    order: Order,
    heard_at: Clock,
    /// Why there is no answer now.
    silence: Option<String>,
}

impl State {
    fn new(order: Order) -> Self {
        Self {
            before: None,
            instant: None,
            order,
            heard_at: Clock::now(),
            silence: None,
        }
    }

    /// Takes an answer, or that there is none.
    fn hear(&mut self, heard: Result<Box<Status>, String>) {
        match heard {
            Ok(status) => {
                self.instant = Some(Instant::between(self.before.as_ref(), &status));
                self.before = Some(*status);
                self.heard_at = Clock::now();
                self.silence = None;
                self.sort(self.order);
            }
            Err(why) => self.silence = Some(why),
        }
    }

    fn sort(&mut self, order: Order) {
        self.order = order;
        if let Some(instant) = &mut self.instant {
            instant.sort(order);
        }
    }

    fn view(&self, has_keys: bool) -> View<'_> {
        let seconds = self.heard_at.elapsed().as_secs();
        View {
            instant: self.instant.as_ref(),
            silence: self.silence.as_deref().map(|why| (seconds, why)),
            order: self.order,
            has_keys,
        }
    }
}

/// On a terminal, until q, Ctrl-C, a signal, or as many snapshots as wanted. Gives whether the daemon answered at last.
fn live(client: Client, mut state: State, count: Option<u64>) -> anyhow::Result<bool> {
    let (sender, answers) = sync_channel(1);
    ask::signals(sender.clone())?;
    let mut terminal = Terminal::enter()?;
    ask::asking(client, sender);
    let mut left = count;
    let mut is_changed = true;
    loop {
        if is_changed {
            terminal.show(&lines(state.view(true), terminal.size()))?;
        }
        if left == Some(0) {
            return Ok(state.silence.is_none());
        }
        is_changed = true;
        match terminal.wish(TICK)? {
            Some(Wish::Quit) => return Ok(true),
            Some(Wish::Sort(order)) => state.sort(order),
            Some(Wish::Redraw) => {}
            None => is_changed = false,
        }
        let heard = match answers.try_recv() {
            Ok(Heard::End) => return Ok(true),
            Ok(Heard::Status(status)) => Ok(status),
            Ok(Heard::Nothing(why)) => Err(why),
            Err(_) => continue,
        };
        // The first answer has nothing to be compared with, so it is no snapshot.
        let is_snapshot = heard.is_err() || state.before.is_some();
        state.hear(heard);
        is_changed = true;
        left = left.map(|left| left - u64::from(is_snapshot));
    }
}

/// A line of `--json`.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Instant(&'a Instant),
    Silence { error: &'a str },
}

/// Without a terminal: snapshots one after the other. Gives whether the daemon answered at last.
fn plain(client: &Client, mut state: State, args: &TopArgs) -> anyhow::Result<bool> {
    let columns = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let size = Size {
        columns: columns.unwrap_or(COLUMNS),
        rows: None,
    };
    let mut next = Clock::now();
    let mut printed = 0;
    while args.count.is_none_or(|count| printed < count) {
        if printed > 0 || state.before.is_some() {
            ask::wait(&mut next);
        }
        let heard = match ask::ask(client) {
            Heard::Status(status) => Ok(status),
            Heard::Nothing(why) => Err(why),
            Heard::End => return Ok(true),
        };
        let is_snapshot = heard.is_err() || state.before.is_some();
        state.hear(heard);
        if !is_snapshot {
            continue;
        }
        let text = match (args.json, &state.silence, &state.instant) {
            (true, Some(error), _) => serde_json::to_string(&Line::Silence { error })?,
            (true, None, Some(instant)) => serde_json::to_string(&Line::Instant(instant))?,
            // What was said before the silence has been printed already.
            (false, Some(_), _) => lines(
                View {
                    instant: None,
                    ..state.view(false)
                },
                size,
            )
            .join("\n"),
            (false, None, _) => lines(state.view(false), size).join("\n"),
            (true, None, None) => continue,
        };
        let gap = if args.json || printed == 0 { "" } else { "\n" };
        match writeln!(io::stdout().lock(), "{gap}{text}") {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(true),
            written => written?,
        }
        printed += 1;
    }
    Ok(state.silence.is_none())
}
