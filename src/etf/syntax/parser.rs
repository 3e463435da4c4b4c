use super::SyntaxError;
use super::scanner::Scanner;
use super::segments::Segments;
use crate::etf::Atom;
use crate::etf::Export;
use crate::etf::Limits;
use crate::etf::Map;
use crate::etf::Term;
use crate::etf::quote::continues_name;
use crate::etf::quote::is_reserved;
use crate::etf::quote::starts_atom;

impl Term {
    /// Parses a term in Erlang's syntax, with or without a full stop at the end, within the default [`Limits`].
    ///
    /// Everything that [`Term::print`] prints can be parsed, except local funs. Pids, ports and references may be
    /// written as Erlang prints its own, `<0.91.0>`, or with the name of their node, `<a@host.91.0>`. The creation,
    /// which is not printed, becomes 0.
    ///
    /// ```
    /// use beamway::etf::Term;
    /// use beamway::term;
    ///
    /// let term = Term::parse("{order, 16#ff, \"hi\", <<1:4, 2:4>>, #{'a b' => [x | y]}}. % an order")?;
    /// assert_eq!(term, term!({order, 255, [104, 105], b"\x12", #{@"a b" => [x | y]}}));
    /// let error = Term::parse("{order, Id}").unwrap_err();
    /// assert_eq!(error.to_string(), "line 1, column 9: a variable is not allowed in a term");
    /// # Ok::<(), beamway::etf::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    /// If the text is not exactly one term, or exceeds the limits.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        Self::parse_within(text, &Limits::default())
    }

    /// Like [`Term::parse`], with the given limits. `size` bounds the text.
    ///
    /// # Errors
    /// As [`Term::parse`].
    pub fn parse_within(text: &str, limits: &Limits) -> Result<Self, SyntaxError> {
        let mut parser = Scanner::new(text, limits)?;
        let term = parser.term()?;
        parser.space();
        parser.eat(".");
        parser.space();
        match parser.rest {
            "" => Ok(term),
            _ => Err(parser.fail("expected the end of the term")),
        }
    }
}

/// The grammar of terms.
impl Scanner<'_> {
    /// Reads the next term. The recursive part is separate and small, because an unoptimised function reserves stack
    /// for all its branches at once.
    pub(super) fn term(&mut self) -> Result<Term, SyntaxError> {
        self.space();
        match self.peek() {
            Some('{') => self.tuple(),
            Some('[') => self.list(),
            Some('#') if self.eat("#{") => self.map(),
            _ => self.leaf(),
        }
    }

    /// Reads a term without elements, or a string.
    fn leaf(&mut self) -> Result<Term, SyntaxError> {
        match self.peek() {
            Some('"') => self.strings(),
            Some('$' | '-' | '+' | '0'..='9') => self.number(),
            Some('<') if self.eat("<<") => Segments::read(self),
            Some('<') => self.pid(),
            Some('#') => self.hash(),
            Some('A'..='Z' | 'À'..='Ö' | 'Ø'..='Þ' | '_') => Err(self.fail("a variable is not allowed in a term")),
            Some('\'') => self.atom().map(Term::Atom),
            Some(c) if starts_atom(c) => {
                let start = self.rest;
                if self.take_while(continues_name) == "fun" {
                    return self.export();
                }
                self.rest = start;
                self.atom().map(Term::Atom)
            }
            _ => Err(self.fail("expected a term")),
        }
    }

    /// Reads an atom, quoted or not.
    pub(super) fn atom(&mut self) -> Result<Atom, SyntaxError> {
        self.space();
        let start = self.rest;
        if self.eat("'") {
            let name = self.quoted('\'')?;
            return self.held(Atom::new(&name));
        }
        let name = match self.peek() {
            Some(c) if starts_atom(c) => self.take_while(continues_name),
            _ => return Err(self.fail("expected an atom")),
        };
        if is_reserved(name) && !is_reserved_later(name) {
            self.rest = start;
            return Err(self.fail(format!("`{name}` is a reserved word: quote it to use it as an atom")));
        }
        self.held(Atom::new(name))
    }

    /// Reads `fun Module:Function/Arity`, after the keyword.
    fn export(&mut self) -> Result<Term, SyntaxError> {
        let module = self.atom()?;
        self.expect(":")?;
        let function = self.atom()?;
        self.expect("/")?;
        self.space();
        let arity = self.take_while(|c| c.is_ascii_digit()).parse();
        let arity = arity.map_err(|_| self.fail("expected an arity of at most 255 before this"))?;
        Ok(Term::Export(Box::new(Export {
            module,
            function,
            arity,
        })))
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

    /// Reads at least one element, up to either of two closing tokens.
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

    /// Reads the pairs of a map, after `#{`.
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

/// Words that are reserved from OTP 27 on. Earlier releases print them without quotes.
fn is_reserved_later(name: &str) -> bool {
    matches!(name, "maybe" | "else")
}
