use std::fmt;
use std::fmt::Formatter;
use std::fmt::Write;

/// Prints an atom, quoted if necessary (`io_lib:quote_atom/2`).
pub(super) fn atom(f: &mut Formatter<'_>, name: &str) -> fmt::Result {
    let mut chars = name.chars();
    let is_plain = chars.next().is_some_and(starts_atom) && chars.all(continues_name) && !is_reserved(name);
    if is_plain {
        return f.write_str(name);
    }
    quoted(f, name.chars(), '\'')
}

/// Whether an unquoted atom may begin with the character.
pub(super) const fn starts_atom(c: char) -> bool {
    matches!(c, 'a'..='z' | 'ß'..='ö' | 'ø'..='ÿ')
}

/// Whether an unquoted atom, or a variable, may contain the character.
pub(super) const fn continues_name(c: char) -> bool {
    starts_atom(c) || matches!(c, 'A'..='Z' | 'À'..='Ö' | 'Ø'..='Þ' | '0'..='9' | '_' | '@')
}

/// Erlang's reserved words, including those that only later releases reserve (`erl_scan:f_reserved_word/1`).
pub(super) fn is_reserved(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case", "catch", "cond",
        "div", "else", "end", "fun", "if", "let", "maybe", "not", "of", "or", "orelse", "receive", "rem", "try",
        "when", "xor",
    ];
    WORDS.binary_search(&name).is_ok()
}

/// Prints characters between quotes, with escapes for those that are not printable (`io_lib:string_char/4`).
pub(super) fn quoted(f: &mut Formatter<'_>, chars: impl Iterator<Item = char>, quote: char) -> fmt::Result {
    f.write_char(quote)?;
    for c in chars {
        match c {
            '\\' => f.write_str("\\\\")?,
            _ if c == quote => write!(f, "\\{c}")?,
            ' '..='~' | '\u{a0}'.. => f.write_char(c)?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\x0b' => f.write_str("\\v")?,
            '\x08' => f.write_str("\\b")?,
            '\x0c' => f.write_str("\\f")?,
            '\x1b' => f.write_str("\\e")?,
            '\x7f' => f.write_str("\\d")?,
            control => write!(f, "\\{:03o}", u32::from(control))?,
        }
    }
    f.write_char(quote)
}
