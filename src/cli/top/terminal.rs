use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::panic;
use std::sync::Once;
use std::time::Duration;

use crossterm::cursor::Hide;
use crossterm::cursor::MoveTo;
use crossterm::cursor::Show;
use crossterm::event;
use crossterm::event::Event;
use crossterm::event::KeyCode;
use crossterm::event::KeyEventKind;
use crossterm::event::KeyModifiers;
use crossterm::execute;
use crossterm::queue;
use crossterm::style::Print;
use crossterm::terminal::BeginSynchronizedUpdate;
use crossterm::terminal::Clear;
use crossterm::terminal::ClearType;
use crossterm::terminal::EndSynchronizedUpdate;
use crossterm::terminal::EnterAlternateScreen;
use crossterm::terminal::LeaveAlternateScreen;
use crossterm::terminal::disable_raw_mode;
use crossterm::terminal::enable_raw_mode;
use crossterm::terminal::size;

use super::rates::Order;
use super::screen::Size;

/// Where the terminal does not say how large it is.
const COLUMNS: u16 = 80;
const ROWS: u16 = 24;

/// What the person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Quit,
    Sort(Order),
    /// The size has changed.
    Redraw,
}

/// The terminal while it shows a screen. Dropping it gives the terminal back as it was.
#[derive(Debug)]
pub(super) struct Terminal(());

/// Whether there are a screen and a keyboard.
pub(super) fn is_there() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|kind| kind == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb
}

fn restore() {
    let _ = execute!(io::stdout(), EndSynchronizedUpdate, Show, LeaveAlternateScreen);
    let _ = disable_raw_mode();
}

impl Terminal {
    /// Takes the terminal.
    ///
    /// # Errors
    /// If it is none.
    pub(super) fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        // What a panic says would be lost with the other screen, so the terminal is given back before it is said.
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                restore();
                before(info);
            }));
        });
        enable_raw_mode()?;
        // From here on dropping it restores, whatever fails.
        let terminal = Self(());
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        Ok(terminal)
    }

    pub(super) fn size(&self) -> Size {
        let (columns, rows) = size().unwrap_or((COLUMNS, ROWS));
        // A pseudo-terminal that nobody gave a size has 0.
        let or = |number: u16, otherwise| usize::from(if number == 0 { otherwise } else { number });
        Size {
            columns: or(columns, COLUMNS),
            rows: Some(or(rows, ROWS)),
        }
    }

    /// Shows the lines in one piece, so that nothing flickers.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub(super) fn show(&mut self, lines: &[String]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        queue!(out, BeginSynchronizedUpdate, MoveTo(0, 0))?;
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                queue!(out, Print("\r\n"))?;
            }
            queue!(out, Print(line), Clear(ClearType::UntilNewLine))?;
        }
        queue!(out, Clear(ClearType::FromCursorDown), EndSynchronizedUpdate)?;
        out.flush()
    }

    /// What the person wants, if it comes within this time.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub(super) fn wish(&mut self, within: Duration) -> io::Result<Option<Wish>> {
        if !event::poll(within)? {
            return Ok(None);
        }
        let key = match event::read()? {
            Event::Resize(..) => return Ok(Some(Wish::Redraw)),
            Event::Key(key) if key.kind != KeyEventKind::Release => key,
            _ => return Ok(None),
        };
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        Ok(match key.code {
            KeyCode::Char('c') if is_control => Some(Wish::Quit),
            KeyCode::Char(_) if is_control => None,
            KeyCode::Char('q') | KeyCode::Esc => Some(Wish::Quit),
            KeyCode::Char('n') => Some(Wish::Sort(Order::Name)),
            KeyCode::Char('s') => Some(Wish::Sort(Order::Sent)),
            KeyCode::Char('r') => Some(Wish::Sort(Order::Received)),
            KeyCode::Char('t') => Some(Wish::Sort(Order::RoundTrip)),
            KeyCode::Char('w') => Some(Wish::Sort(Order::Waiting)),
            KeyCode::Char('b') => Some(Wish::Sort(Order::Blocked)),
            _ => None,
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}
