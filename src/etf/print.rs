use std::fmt;
use std::fmt::Formatter;
use std::fmt::Write;

use super::Bits;
use super::DEPTH_MAX;
use super::Export;
use super::Float;
use super::Fun;
use super::Improper;
use super::List;
use super::Map;
use super::NodePid;
use super::NodePort;
use super::NodeReference;
use super::Term;
use super::quote::atom;
use super::quote::quoted;

/// How a term is printed. Each style is one of Erlang's own, on one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// As `~0tp`: lists and binaries of printable Latin-1 characters are printed as text. This is the default of `erl`,
    /// and of [`Display`](fmt::Display).
    #[default]
    Pretty,
    /// As `~0tp` on a node started with `+pc unicode`: printable characters include all of Unicode.
    PrettyUnicode,
    /// As `~tw`: always numbers.
    Plain,
}

impl Term {
    /// Returns a printer for the term in one of Erlang's styles.
    ///
    /// Pids, references and ports are printed with the name of their node, where Erlang prints a number that is only
    /// valid on the printing node: `<a@host.91.0>`, `#Ref<a@host.1.2.3>`, `#Port<a@host.5>`. Those of `nonode@nohost`
    /// are printed as that node does: `<0.91.0>`. A node name that ends in a number is quoted. The words `maybe` and
    /// `else` are quoted, as from OTP 27 on. The pairs of a map are sorted by key, as with `~k` of OTP 26.
    ///
    /// ```
    /// use beamway::etf::Style;
    /// use beamway::term;
    ///
    /// let term = term!({"text", [104, 105], 1.0e22});
    /// assert_eq!(term.to_string(), r#"{<<"text">>,"hi",1.0e22}"#);
    /// assert_eq!(term.print(Style::Plain).to_string(), "{<<116,101,120,116>>,[104,105],1.0e22}");
    /// ```
    pub const fn print(&self, style: Style) -> Printed<'_> {
        Printed { term: self, style }
    }
}

/// A term that implements `Display` in a [`Style`]. Returned by [`Term::print`].
#[derive(Clone, Copy, Debug)]
pub struct Printed<'a> {
    term: &'a Term,
    style: Style,
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        term(f, self.term, self.style, DEPTH_MAX + 1)
    }
}

impl fmt::Display for Term {
    /// Prints as [`Style::Pretty`].
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        term(f, self, Style::Pretty, DEPTH_MAX + 1)
    }
}

/// Prints a term. Deeper levels than `depth` become `...`, as in Erlang.
fn term(f: &mut Formatter<'_>, term: &Term, style: Style, depth: usize) -> fmt::Result {
    let Some(depth) = depth.checked_sub(1) else {
        return f.write_str("...");
    };
    match term {
        Term::Atom(name) => atom(f, name),
        Term::Integer(value) => write!(f, "{value}"),
        Term::Big(value) => write!(f, "{value}"),
        Term::Float(value) => write!(f, "{value}"),
        Term::Pid(value) => write!(f, "{value}"),
        Term::Port(value) => write!(f, "{value}"),
        Term::Reference(value) => write!(f, "{value}"),
        Term::Export(value) => write!(f, "{value}"),
        Term::Fun(value) => write!(f, "{value}"),
        Term::Tuple(items) => {
            f.write_char('{')?;
            row(f, items, style, depth)?;
            f.write_char('}')
        }
        Term::List(list) => self::list(f, list, style, depth),
        Term::Improper(list) => {
            f.write_char('[')?;
            row(f, list.elements(), style, depth)?;
            f.write_char('|')?;
            self::term(f, list.tail(), style, depth)?;
            f.write_char(']')
        }
        Term::Map(map) => self::map(f, map, style, depth),
        Term::Binary(bytes) => binary(f, bytes, style),
        Term::Bits(value) => bits(f, value),
    }
}

fn list(f: &mut Formatter<'_>, list: &List, style: Style, depth: usize) -> fmt::Result {
    if let Some(text) = text(list, style) {
        return quoted(f, text.chars(), '"');
    }
    f.write_char('[')?;
    row(f, list, style, depth)?;
    f.write_char(']')
}

fn row<'a>(
    f: &mut Formatter<'_>,
    items: impl IntoIterator<Item = &'a Term>,
    style: Style,
    depth: usize,
) -> fmt::Result {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            f.write_char(',')?;
        }
        term(f, item, style, depth)?;
    }
    Ok(())
}

fn map(f: &mut Formatter<'_>, map: &Map, style: Style, depth: usize) -> fmt::Result {
    f.write_str("#{")?;
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            f.write_char(',')?;
        }
        term(f, key, style, depth)?;
        f.write_str(" => ")?;
        term(f, value, style, depth)?;
    }
    f.write_char('}')
}

/// Whether Erlang prints the character as itself within text (`io_lib:printable_list/1`).
fn is_printable(c: char, style: Style) -> bool {
    match c {
        '\x08'..='\r' | '\x1b' | ' '..='~' | '\u{a0}'..='\u{ff}' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        '\u{100}'.. => style == Style::PrettyUnicode,
        _ => false,
    }
}

/// The text of a list that is to be printed as text.
fn text(items: &List, style: Style) -> Option<String> {
    if items.is_empty() || style == Style::Plain {
        return None;
    }
    items
        .iter()
        .map(|item| match item {
            Term::Integer(value) => u32::try_from(*value).ok().and_then(char::from_u32),
            _ => None,
        })
        .map(|c| c.filter(|c| is_printable(*c, style)))
        .collect()
}

/// Prints bytes as text if they are UTF-8 or else printable Latin-1, otherwise as numbers.
fn binary(f: &mut Formatter<'_>, bytes: &[u8], style: Style) -> fmt::Result {
    f.write_str("<<")?;
    if bytes.is_empty() || style == Style::Plain {
        numbers(f, bytes)?;
        return f.write_str(">>");
    }
    match str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| is_printable(c, style)) => {
            quoted(f, text.chars(), '"')?;
            if !text.is_ascii() {
                f.write_str("/utf8")?;
            }
        }
        Err(_) if bytes.iter().all(|byte| is_printable(char::from(*byte), Style::Pretty)) => {
            quoted(f, bytes.iter().copied().map(char::from), '"')?;
        }
        _ => numbers(f, bytes)?,
    }
    f.write_str(">>")
}

fn numbers(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            f.write_char(',')?;
        }
        write!(f, "{byte}")?;
    }
    Ok(())
}

fn bits(f: &mut Formatter<'_>, value: &Bits) -> fmt::Result {
    let Some((last, whole)) = value.bytes().split_last() else {
        return f.write_str("<<>>");
    };
    f.write_str("<<")?;
    numbers(f, whole)?;
    if !whole.is_empty() {
        f.write_char(',')?;
    }
    write!(f, "{}:{}>>", last >> (8 - value.last()), value.last())
}

/// From this value on, a float cannot have a fraction, and Erlang prints it with an exponent.
const INTEGERS_FROM: f64 = 9_007_199_254_740_992.0;

/// The fewest digits that read back as the same float, and the nearest of those. If two are equally near, the even one
/// is chosen, as Ryu does; Rust chooses the other.
fn shortest(value: f64) -> String {
    let shortest = format!("{value:e}");
    let mantissa = shortest.split('e').next().unwrap_or_default();
    let nearest = format!("{value:.0$e}", mantissa.len().saturating_sub("1.".len()));
    match nearest.parse() == Ok(value) {
        true => nearest,
        false => shortest,
    }
}

impl fmt::Display for Float {
    /// Prints the shortest digits that read back as the same float, as OTP 25 and later do
    /// (`float_to_list(F, [short])`): with an exponent if that is shorter, or if the float is at least 2^53.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let value = self.get();
        if value.is_sign_negative() {
            f.write_char('-')?;
        }
        let scientific = shortest(value.abs());
        let (mantissa, exponent) = scientific.split_once('e').ok_or(fmt::Error)?;
        let (first, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [first, fraction].concat();
        let power: i32 = exponent.parse().map_err(|_| fmt::Error)?;
        let count = digits.len() as i32;
        // The length of either form in characters.
        let short = count.max(2) + 2 + exponent.len() as i32;
        let long = match power {
            ..0 => 1 - power + count,
            _ if power + 1 >= count => power + 3,
            _ => count + 1,
        };
        if value.abs() >= INTEGERS_FROM || short < long {
            let fraction = if fraction.is_empty() { "0" } else { fraction };
            return write!(f, "{first}.{fraction}e{power}");
        }
        match usize::try_from(power) {
            Err(_) => write!(f, "0.{:0>1$}", digits, (count - power - 1) as usize),
            Ok(power) => match digits.split_at_checked(power + 1) {
                Some((whole, "")) => write!(f, "{whole}.0"),
                Some((whole, rest)) => write!(f, "{whole}.{rest}"),
                None => write!(f, "{digits:0<0$}.0", power + 1),
            },
        }
    }
}

/// The name of a node that is not distributed. In an identity it is printed as `0`.
pub(super) const LOCAL: &str = "nonode@nohost";

/// A node name within an identity, quoted if its full stops and digits would be ambiguous.
struct Node<'a>(&'a str);

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@' | '.');
        let ends_in_number = |name: &str| {
            name.rsplit('.')
                .next()
                .is_none_or(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
        };
        match self.0 {
            LOCAL => f.write_char('0'),
            name if name.contains('@') && name.chars().all(is_plain) && !ends_in_number(name) => f.write_str(name),
            name => quoted(f, name.chars(), '\''),
        }
    }
}

impl fmt::Display for NodePid {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}.{}>", Node(&self.node), self.pid.id, self.pid.serial)
    }
}

impl fmt::Display for NodePort {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "#Port<{}.{}>", Node(&self.node), self.port.id)
    }
}

impl fmt::Display for NodeReference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "#Ref<{}", Node(&self.node))?;
        for word in self.reference.words().iter().rev() {
            write!(f, ".{word}")?;
        }
        f.write_char('>')
    }
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "fun {}:{}/{}", self.module, self.function, self.arity)
    }
}

impl fmt::Display for Fun {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some((module, index, uniq)) => write!(f, "#Fun<{module}.{index}.{uniq}>"),
            None => f.write_str("#Fun<>"),
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        list(f, self, Style::Pretty, DEPTH_MAX)
    }
}

impl fmt::Display for Improper {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        row(f, self.elements(), Style::Pretty, DEPTH_MAX)?;
        write!(f, "|{}]", self.tail())
    }
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        map(f, self, Style::Pretty, DEPTH_MAX)
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        bits(f, self)
    }
}
