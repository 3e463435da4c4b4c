use super::SyntaxError;
use super::segments::Segments;
use crate::etf::Atom;
use crate::etf::Export;
use crate::etf::Limits;
use crate::etf::Map;
use crate::etf::Term;
use crate::etf::TermError;
use crate::etf::config::Budget;
use crate::etf::print::continues_name;
use crate::etf::print::is_reserved;
use crate::etf::print::starts_atom;

impl Term {
    /// A term written in Erlang's syntax, a full stop behind it or not, within the default [`Limits`].
    ///
    /// It reads what [`Term::print`] prints, but for funs with a body. Pids, ports and references are read as Erlang
    /// prints its own, `<0.91.0>`, or with the name of their node, `<a@host.91.0>`; the creation, which is not printed,
    /// is 0.
    ///
    /// ```
    /// use beamway::etf::Term;
    /// use beamway::term;
    ///
    /// let term = Term::parse("{order, 16#ff, \"hi\", <<1:4, 2:4>>, #{'a b' => [x | y]}}. % an order")?;
    /// assert_eq!(term, term!({order, 255, [104, 105], b"\x12", #{@"a b" => [x | y]}}));
    /// let error = Term::parse("{order, Id}").unwrap_err();
    /// assert_eq!(error.to_string(), "line 1, column 9: a variable has no value here");
    /// # Ok::<(), beamway::etf::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    /// If the text is anything but one term, or beyond the limits.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        Self::parse_within(text, &Limits::default())
    }

    /// [`Term::parse`], within limits of one's own; `size` bounds the text.
    ///
    /// # Errors
    /// As [`Term::parse`].
    pub fn parse_within(text: &str, limits: &Limits) -> Result<Self, SyntaxError> {
        let mut parser = Parser {
            text,
            rest: text,
            // The text is looked at below, where the error has a place.
            budget: Budget::new(limits, 0).map_err(|error| at(text, "", error.to_string()))?,
            size: limits.size,
        };
        parser.room(text.len())?;
        let term = parser.term()?;
        parser.space();
        parser.eat(".");
        parser.space();
        match parser.rest {
            "" => Ok(term),
            _ => Err(parser.fail("the end of the term should be here")),
        }
    }
}

/// A text and how far it has been read.
pub(super) struct Parser<'a> {
    text: &'a str,
    pub(super) rest: &'a str,
    pub(super) budget: Budget,
    size: usize,
}

/// An error where `rest` begins.
fn at(text: &str, rest: &str, reason: String) -> SyntaxError {
    let read = text.strip_suffix(rest).unwrap_or(text);
    let line = read.rsplit('\n').next().unwrap_or(read);
    SyntaxError {
        line: read.matches('\n').count() + 1,
        column: line.chars().count() + 1,
        reason,
    }
}

impl<'a> Parser<'a> {
    /// An error at the next character.
    pub(super) fn fail(&self, reason: impl Into<String>) -> SyntaxError {
        at(self.text, self.rest, reason.into())
    }

    /// What the limits say, as an error at the next character.
    pub(super) fn held<T>(&self, result: Result<T, TermError>) -> Result<T, SyntaxError> {
        result.map_err(|error| self.fail(error.to_string()))
    }

    /// Refuses more bytes than one item may have.
    pub(super) fn room(&self, bytes: usize) -> Result<(), SyntaxError> {
        self.held(match bytes <= self.size {
            true => Ok(()),
            false => Err(TermError::Limit {
                what: "bytes",
                limit: self.size,
            }),
        })
    }

    /// Takes `count` elements from what the limits allow.
    pub(super) fn take(&mut self, count: usize) -> Result<(), SyntaxError> {
        let taken = self.budget.take(count);
        self.held(taken)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// The next character, which is read.
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

    /// Space, then `word`, which must be there.
    pub(super) fn expect(&mut self, word: &str) -> Result<(), SyntaxError> {
        self.space();
        if self.eat(word) {
            return Ok(());
        }
        Err(self.fail(format!("`{word}` should be here")))
    }

    /// The characters from here on that fit, which are read.
    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest.trim_start_matches(fits);
        let taken = self.rest.strip_suffix(rest).unwrap_or_default();
        self.rest = rest;
        taken
    }

    /// White space (`erl_scan`: up to 32, and 128 to 160) and comments.
    pub(super) fn space(&mut self) {
        loop {
            self.take_while(|c| matches!(c, '\0'..=' ' | '\u{80}'..='\u{a0}'));
            if self.peek() != Some('%') {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    /// The next term. What recurses is kept apart from what does not, and small: without optimisation a function takes
    /// stack for all its branches together.
    pub(super) fn term(&mut self) -> Result<Term, SyntaxError> {
        self.space();
        match self.peek() {
            Some('{') => self.tuple(),
            Some('[') => self.list(),
            Some('#') if self.eat("#{") => self.map(),
            _ => self.leaf(),
        }
    }

    /// A term without elements, or a string.
    fn leaf(&mut self) -> Result<Term, SyntaxError> {
        match self.peek() {
            Some('"') => self.strings(),
            Some('$' | '-' | '+' | '0'..='9') => self.number(),
            Some('<') if self.eat("<<") => Segments::read(self),
            Some('<') => self.pid(),
            Some('#') => self.hash(),
            Some('A'..='Z' | 'À'..='Ö' | 'Ø'..='Þ' | '_') => Err(self.fail("a variable has no value here")),
            Some('\'') => self.atom().map(Term::Atom),
            Some(c) if starts_atom(c) => {
                let start = self.rest;
                if self.take_while(continues_name) == "fun" {
                    return self.export();
                }
                self.rest = start;
                self.atom().map(Term::Atom)
            }
            _ => Err(self.fail("a term should be here")),
        }
    }

    /// An atom, in quotes or not.
    pub(super) fn atom(&mut self) -> Result<Atom, SyntaxError> {
        self.space();
        let start = self.rest;
        if self.eat("'") {
            let name = self.quoted('\'')?;
            return self.held(Atom::new(&name));
        }
        let name = match self.peek() {
            Some(c) if starts_atom(c) => self.take_while(continues_name),
            _ => return Err(self.fail("an atom should be here")),
        };
        if is_reserved(name) && !is_reserved_later(name) {
            self.rest = start;
            return Err(self.fail(format!("`{name}` is a reserved word: as an atom it stands in quotes")));
        }
        self.held(Atom::new(name))
    }

    /// `fun Module:Function/Arity`, after the first word.
    fn export(&mut self) -> Result<Term, SyntaxError> {
        let module = self.atom()?;
        self.expect(":")?;
        let function = self.atom()?;
        self.expect("/")?;
        self.space();
        let arity = self.take_while(|c| c.is_ascii_digit()).parse();
        let arity = arity.map_err(|_| self.fail("an arity up to 255 should stand before this"))?;
        Ok(Term::Export(Box::new(Export {
            module,
            function,
            arity,
        })))
    }

    /// One level down; [`Budget::leave`] comes back.
    fn enter(&mut self) -> Result<(), SyntaxError> {
        let entered = self.budget.enter();
        self.held(entered)
    }

    /// Goes past a comma (`true`), or stays at an end (`false`).
    fn goes_on(&mut self, end: &str, or: &str) -> Result<bool, SyntaxError> {
        self.space();
        if self.eat(",") {
            return Ok(true);
        }
        match self.rest.starts_with(end) || self.rest.starts_with(or) {
            true => Ok(false),
            false => Err(self.fail(format!("`,` or `{end}` should be here"))),
        }
    }

    fn tuple(&mut self) -> Result<Term, SyntaxError> {
        self.next();
        let mut items = Vec::new();
        self.space();
        if self.eat("}") {
            return Ok(Term::Tuple(items));
        }
        self.items(&mut items, "}", "}")?;
        self.expect("}")?;
        Ok(Term::Tuple(items))
    }

    fn list(&mut self) -> Result<Term, SyntaxError> {
        self.next();
        let mut items = Vec::new();
        self.space();
        if self.eat("]") {
            return Ok(Term::NIL);
        }
        self.items(&mut items, "]", "|")?;
        if !self.eat("|") {
            self.expect("]")?;
            return Ok(Term::List(items.into()));
        }
        self.enter()?;
        let tail = self.term()?;
        self.budget.leave();
        self.expect("]")?;
        Ok(Term::list(items, tail))
    }

    /// Items up to either of two ends, at least one.
    fn items(&mut self, items: &mut Vec<Term>, end: &str, or: &str) -> Result<(), SyntaxError> {
        self.enter()?;
        loop {
            self.take(1)?;
            items.push(self.term()?);
            if !self.goes_on(end, or)? {
                self.budget.leave();
                return Ok(());
            }
        }
    }

    /// The pairs of a map, after `#{`.
    fn map(&mut self) -> Result<Term, SyntaxError> {
        let mut pairs = Vec::new();
        self.space();
        if self.eat("}") {
            return Ok(Term::Map(Map::new()));
        }
        self.enter()?;
        loop {
            pairs.push(self.pair()?);
            if !self.goes_on("}", "}")? {
                break;
            }
        }
        self.budget.leave();
        self.expect("}")?;
        Ok(Term::Map(pairs.into_iter().collect()))
    }

    fn pair(&mut self) -> Result<(Term, Term), SyntaxError> {
        self.take(2)?;
        let key = self.term()?;
        self.expect("=>")?;
        Ok((key, self.term()?))
    }
}

/// Words that are reserved from OTP 27 on; before, Erlang prints them without quotes.
fn is_reserved_later(name: &str) -> bool {
    matches!(name, "maybe" | "else")
}
