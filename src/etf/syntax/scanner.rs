use super::SyntaxError;
use crate::etf::Limits;
use crate::etf::TermError;
use crate::etf::config::Budget;

/// A text, and how far it has been read.
pub(super) struct Scanner<'a> {
    text: &'a str,
    pub(super) rest: &'a str,
    pub(super) budget: Budget,
    size: usize,
}

/// An error at the position where `rest` begins.
fn at(text: &str, rest: &str, reason: String) -> SyntaxError {
    let read = text.strip_suffix(rest).unwrap_or(text);
    let line = read.rsplit('\n').next().unwrap_or(read);
    SyntaxError {
        line: read.matches('\n').count() + 1,
        column: line.chars().count() + 1,
        reason,
    }
}

impl<'a> Scanner<'a> {
    /// Starts at the beginning of a text.
    pub(super) fn new(text: &'a str, limits: &Limits) -> Result<Self, SyntaxError> {
        let scanner = Self {
            text,
            rest: text,
            // The length of the text is checked below, where the error has a position.
            budget: Budget::new(limits, 0).map_err(|error| at(text, "", error.to_string()))?,
            size: limits.size,
        };
        scanner.room(text.len())?;
        Ok(scanner)
    }

    /// An error at the next character.
    pub(super) fn fail(&self, reason: impl Into<String>) -> SyntaxError {
        at(self.text, self.rest, reason.into())
    }

    /// Converts an exceeded limit to an error at the next character.
    pub(super) fn held<T>(&self, result: Result<T, TermError>) -> Result<T, SyntaxError> {
        result.map_err(|error| self.fail(error.to_string()))
    }

    /// Fails if one item has more bytes than the limit.
    pub(super) fn room(&self, bytes: usize) -> Result<(), SyntaxError> {
        self.held(match bytes <= self.size {
            true => Ok(()),
            false => Err(TermError::Limit {
                what: "bytes",
                limit: self.size,
            }),
        })
    }

    /// Takes `count` elements from the limits.
    pub(super) fn take(&mut self, count: usize) -> Result<(), SyntaxError> {
        let taken = self.budget.take(count);
        self.held(taken)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Reads the next character.
    pub(super) fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    /// Reads `word` if it is next.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Skips space and reads `word`, or fails.
    pub(super) fn expect(&mut self, word: &str) -> Result<(), SyntaxError> {
        self.space();
        if self.eat(word) {
            return Ok(());
        }
        Err(self.fail(format!("expected `{word}`")))
    }

    /// Reads the characters that match, up to the first one that does not.
    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest.trim_start_matches(fits);
        let taken = self.rest.strip_suffix(rest).unwrap_or_default();
        self.rest = rest;
        taken
    }

    /// Skips white space (`erl_scan`: up to 32, and 128 to 160) and comments.
    pub(super) fn space(&mut self) {
        loop {
            self.take_while(|c| matches!(c, '\0'..=' ' | '\u{80}'..='\u{a0}'));
            if self.peek() != Some('%') {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    /// Enters a nested level. [`Budget::leave`] is the counterpart.
    pub(super) fn enter(&mut self) -> Result<(), SyntaxError> {
        let entered = self.budget.enter();
        self.held(entered)
    }

    /// Reads a comma (`true`), or stops before a closing token (`false`).
    pub(super) fn goes_on(&mut self, end: &str, or: &str) -> Result<bool, SyntaxError> {
        self.space();
        if self.eat(",") {
            return Ok(true);
        }
        match self.rest.starts_with(end) || self.rest.starts_with(or) {
            true => Ok(false),
            false => Err(self.fail(format!("expected `,` or `{end}`"))),
        }
    }
}
