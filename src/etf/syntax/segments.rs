use bytes::Bytes;

use super::SyntaxError;
use super::scanner::Scanner;
use crate::etf::Bits;
use crate::etf::Term;

/// The bits of a binary, collected from its segments.
#[derive(Default)]
pub(super) struct Segments {
    bytes: Vec<u8>,
    /// The number of bits used in the last byte; 0 if all are.
    last: u8,
}

impl Segments {
    /// Reads `<<Segment, …>>`, after `<<`. A segment is an integer or a string, with an optional size in bits and an
    /// optional type, `integer` or `utf8`.
    pub(super) fn read(scanner: &mut Scanner<'_>) -> Result<Term, SyntaxError> {
        let mut segments = Self::default();
        scanner.space();
        if scanner.eat(">>") {
            return Ok(segments.term());
        }
        loop {
            scanner.space();
            segments.segment(scanner)?;
            scanner.space();
            if scanner.eat(">>") {
                return Ok(segments.term());
            }
            scanner.expect(",")?;
        }
    }

    fn segment(&mut self, scanner: &mut Scanner<'_>) -> Result<(), SyntaxError> {
        let mut values = Vec::new();
        match scanner.eat("\"") {
            true => {
                let text = scanner.quoted('"')?;
                values.extend(text.chars().map(Term::from));
            }
            false => match scanner.number()? {
                value @ (Term::Integer(_) | Term::Big(_)) => values.push(value),
                _ => return Err(scanner.fail("expected an integer or a string before this")),
            },
        }
        scanner.space();
        let size = match scanner.eat(":") {
            true => {
                scanner.space();
                let size = scanner.digits(10)?.parse();
                Some(size.map_err(|_| scanner.fail("expected a size in bits before this"))?)
            }
            false => None,
        };
        scanner.space();
        let is_utf8 = match scanner.eat("/") {
            true => {
                scanner.space();
                match scanner.take_while(|c| c.is_ascii_alphanumeric()) {
                    "integer" => false,
                    "utf8" => true,
                    _ => return Err(scanner.fail("expected `integer` or `utf8` before this")),
                }
            }
            false => false,
        };
        if is_utf8 && size.is_some() {
            return Err(scanner.fail("a utf8 segment cannot have a size"));
        }
        for value in values {
            if is_utf8 {
                let c = u32::try_from(&value).ok().and_then(char::from_u32);
                let c = c.ok_or_else(|| scanner.fail("expected a character before this"))?;
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| self.push(byte, 8));
            } else {
                self.integer(&value, size.unwrap_or(8), scanner)?;
            }
        }
        scanner.room(self.bytes.len())
    }

    /// Appends the low `size` bits of an integer, the highest first.
    fn integer(&mut self, value: &Term, size: usize, scanner: &Scanner<'_>) -> Result<(), SyntaxError> {
        scanner.room((size / 8).saturating_add(self.bytes.len()))?;
        let (is_negative, magnitude) = match value {
            Term::Integer(value) => (*value < 0, value.unsigned_abs().to_le_bytes().to_vec()),
            Term::Big(value) => (value.is_negative(), value.magnitude().to_vec()),
            _ => (false, Vec::new()),
        };
        let mut digits = magnitude;
        if is_negative {
            // Two's complement: subtract one, invert each bit, and extend with ones.
            let mut borrow = true;
            for digit in &mut digits {
                let (less, more) = digit.overflowing_sub(borrow.into());
                (*digit, borrow) = (!less, more);
            }
        }
        let fill = if is_negative { 0xff } else { 0 };
        let digit = |index: usize| digits.get(index).copied().unwrap_or(fill);
        if !size.is_multiple_of(8) {
            self.push(digit(size / 8), (size % 8) as u8);
        }
        for index in (0..size / 8).rev() {
            self.push(digit(index), 8);
        }
        Ok(())
    }

    /// Appends the low `count` bits of a byte, 1 to 8.
    fn push(&mut self, byte: u8, count: u8) {
        let bits = byte << (8 - count);
        match self.bytes.last_mut().filter(|_| self.last > 0) {
            None => {
                self.bytes.push(bits);
                self.last = count % 8;
            }
            Some(last) => {
                *last |= bits >> self.last;
                let used = self.last + count;
                if used > 8 {
                    self.bytes.push(bits << (8 - self.last));
                }
                self.last = used % 8;
            }
        }
    }

    fn term(self) -> Term {
        match Bits::new(&self.bytes, self.last) {
            Some(bits) => Term::Bits(Box::new(bits)),
            None => Term::Binary(Bytes::from(self.bytes)),
        }
    }
}
