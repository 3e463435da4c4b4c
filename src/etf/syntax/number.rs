use super::SyntaxError;
use super::scanner::Scanner;
use crate::etf::Float;
use crate::etf::Term;
use crate::etf::TermError;
use crate::etf::big;

impl<'a> Scanner<'a> {
    /// Reads a character, an integer or a float, with an optional sign.
    pub(super) fn number(&mut self) -> Result<Term, SyntaxError> {
        let is_negative = self.eat("-");
        if !is_negative {
            self.eat("+");
        }
        self.space();
        if self.eat("$") {
            let value = i64::from(u32::from(self.character()?));
            return Ok(Term::Integer(if is_negative { -value } else { value }));
        }
        let start = self.rest;
        let whole = self.digits(10)?;
        let mut ahead = self.rest.chars();
        match (ahead.next(), ahead.next()) {
            (Some('.'), Some('0'..='9')) => self.float(start, is_negative),
            (Some('#'), Some(c)) if c.is_ascii_alphanumeric() => {
                let base = whole.parse().ok().filter(|base| (2..=36).contains(base));
                let base = base.ok_or_else(|| self.fail("expected a base from 2 to 36 before this"))?;
                self.next();
                let digits = self.digits(base)?;
                self.integer(is_negative, &digits, base)
            }
            _ => self.integer(is_negative, &whole, 10),
        }
    }

    /// Reads at least one digit in a base. Underscores may separate digits.
    pub(super) fn digits(&mut self, base: u32) -> Result<String, SyntaxError> {
        let mut digits = String::new();
        loop {
            let row = self.take_while(|c| c.is_digit(base));
            if row.is_empty() {
                return Err(self.fail("expected a digit"));
            }
            digits.push_str(row);
            let mut ahead = self.rest.chars();
            match (ahead.next(), ahead.next()) {
                (Some('_'), Some(c)) if c.is_digit(base) => self.eat("_"),
                _ => return Ok(digits),
            };
        }
    }

    fn integer(&mut self, is_negative: bool, digits: &str, base: u32) -> Result<Term, SyntaxError> {
        let digits = digits.chars().filter_map(|c| c.to_digit(base));
        let bytes_max = self.budget.integer();
        let magnitude = big::from_digits(digits, base, bytes_max).ok_or(TermError::Limit {
            what: "bytes per integer",
            limit: bytes_max,
        });
        let magnitude = self.held(magnitude)?;
        Ok(Term::integer(is_negative, &magnitude))
    }

    /// Reads a float whose integer part, which begins at `start`, has been read.
    fn float(&mut self, start: &'a str, is_negative: bool) -> Result<Term, SyntaxError> {
        self.next();
        self.digits(10)?;
        if self.eat("e") || self.eat("E") {
            let _sign = self.eat("-") || self.eat("+");
            self.digits(10)?;
        }
        let text = start.strip_suffix(self.rest).unwrap_or_default().replace('_', "");
        let value = text.parse().ok().and_then(Float::new);
        let value = value.ok_or_else(|| self.fail("the float before this is out of range"))?;
        Ok(match is_negative {
            true => (-value.get()).into(),
            false => Term::Float(value),
        })
    }
}
