use super::SyntaxError;
use super::scanner::Scanner;
use crate::etf::Term;

impl Scanner<'_> {
    /// Reads one or more adjacent strings as one list of characters.
    pub(super) fn strings(&mut self) -> Result<Term, SyntaxError> {
        let mut all = String::new();
        while self.eat("\"") {
            let text = self.quoted('"')?;
            self.take(text.chars().count())?;
            all.push_str(&text);
            self.space();
        }
        Ok(Term::charlist(&all))
    }

    /// Reads text up to the closing quote. The opening one has been read.
    pub(super) fn quoted(&mut self, quote: char) -> Result<String, SyntaxError> {
        let start = self.rest;
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|c| c != quote && c != '\\'));
            match self.next() {
                Some('\\') => text.push(self.escape()?),
                Some(_) => return Ok(text),
                None => {
                    self.rest = start;
                    return Err(self.fail(format!("missing closing {quote}")));
                }
            }
        }
    }

    /// Reads the character of `$c`, after the dollar.
    pub(super) fn character(&mut self) -> Result<char, SyntaxError> {
        match self.next() {
            Some('\\') => self.escape(),
            Some(c) => Ok(c),
            None => Err(self.fail("expected a character")),
        }
    }

    /// Reads an escape sequence after its backslash (`erl_scan:scan_escape/2`).
    fn escape(&mut self) -> Result<char, SyntaxError> {
        const WRONG: &str = "invalid escape sequence before this";
        let code = match self.next() {
            Some('b') => return Ok('\x08'),
            Some('d') => return Ok('\x7f'),
            Some('e') => return Ok('\x1b'),
            Some('f') => return Ok('\x0c'),
            Some('n') => return Ok('\n'),
            Some('r') => return Ok('\r'),
            Some('s') => return Ok(' '),
            Some('t') => return Ok('\t'),
            Some('v') => return Ok('\x0b'),
            Some('^') => self
                .next()
                .filter(|c| matches!(c, '@'..='_'))
                .map(|c| u32::from(c) - 64),
            Some('x') if self.eat("{") => {
                let digits = self.take_while(|c| c.is_ascii_hexdigit());
                self.expect("}")?;
                u32::from_str_radix(digits, 16).ok()
            }
            Some('x') => match (self.next().and_then(hex), self.next().and_then(hex)) {
                (Some(high), Some(low)) => Some(high << 4 | low),
                _ => None,
            },
            Some(c @ '0'..='7') => {
                let mut code = u32::from(c) - u32::from('0');
                for _ in 0..2 {
                    if let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) {
                        self.next();
                        code = code << 3 | digit;
                    }
                }
                Some(code)
            }
            Some(c) => return Ok(c),
            None => None,
        };
        code.and_then(char::from_u32).ok_or_else(|| self.fail(WRONG))
    }
}

fn hex(c: char) -> Option<u32> {
    c.to_digit(16)
}
