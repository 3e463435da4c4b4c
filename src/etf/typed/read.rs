use std::borrow::Cow;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeOwned;
use serde::de::Error;
use serde::de::IntoDeserializer;
use serde::de::Unexpected;
use serde::de::Visitor;
use serde::de::value::BorrowedBytesDeserializer;
use serde::de::value::CowStrDeserializer;
use serde::de::value::SeqDeserializer;
use serde::forward_to_deserialize_any;

use super::ValueError;
use super::access::Characters;
use super::access::Items;
use super::access::Pairs;
use super::access::Variant;
use super::conventions::ATOM;
use super::conventions::ELIXIR;
use super::conventions::OWN;
use super::conventions::STRUCT;
use super::conventions::TERM;
use crate::codec::Reader;
use crate::etf::Big;
use crate::etf::Limits;
use crate::etf::Term;
use crate::etf::TermError;
use crate::etf::TermRef;
use crate::etf::View;
use crate::etf::tag;

/// Converts a term, as written by `term_to_binary`, to a value, within the default [`Limits`]. The value may borrow
/// text and bytes.
///
/// ```
/// use beamway::etf;
/// use beamway::term;
///
/// #[derive(serde::Deserialize, PartialEq, Debug)]
/// #[serde(rename = "Elixir.Shop.Order")]
/// struct Order<'a> {
///     id: u64,
///     name: &'a str,
///     tags: Vec<String>,
///     note: Option<String>,
/// }
///
/// let bytes = term!(#{
///     @"__struct__" => @"Elixir.Shop.Order", id => 7, name => "tea", tags => ["new", hot], note => nil
/// }).encode()?;
/// let order: Order<'_> = etf::from_bytes(&bytes)?;
/// assert_eq!(order, Order { id: 7, name: "tea", tags: vec!["new".into(), "hot".into()], note: None });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the bytes are not exactly one term within the limits, or the term does not have the type that `T` expects.
/// [`TermError::Compressed`] if the term must be passed to [`inflate`](crate::etf::inflate) first.
pub fn from_bytes<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, ValueError> {
    from_bytes_within(bytes, &Limits::default())
}

/// Like [`from_bytes`], with the given limits.
///
/// # Errors
/// As [`from_bytes`].
pub fn from_bytes_within<'de, T: Deserialize<'de>>(bytes: &'de [u8], limits: &Limits) -> Result<T, ValueError> {
    from_view(TermRef::within(bytes, limits)?)
}

/// Converts an encoded term to a value.
///
/// # Errors
/// If the term does not have the type that `T` expects.
pub fn from_view<'de, T: Deserialize<'de>>(term: TermRef<'de>) -> Result<T, ValueError> {
    T::deserialize(&mut Input::of(term))
}

/// Converts a [`Term`] to a value. The term is encoded first.
///
/// # Errors
/// If the term does not have the type that `T` expects, or cannot be encoded.
pub fn from_term<T: DeserializeOwned>(term: &Term) -> Result<T, ValueError> {
    from_bytes_within(&term.encode()?, &OWN)
}

/// Reads one value after another, from terms that have been checked.
pub(super) struct Input<'de> {
    pub(super) reader: Reader<'de>,
}

impl<'de> Input<'de> {
    pub(super) fn of(term: TermRef<'de>) -> Self {
        Self {
            reader: Reader::new(term.bytes()),
        }
    }

    /// Reads the next term as a whole.
    pub(super) fn whole(&mut self) -> Result<TermRef<'de>, ValueError> {
        let term = TermRef::next_of(&mut self.reader);
        term.ok_or_else(|| ValueError::custom("expected a term"))
    }

    /// The next term, without consuming it.
    fn ahead(&self) -> Result<TermRef<'de>, ValueError> {
        Self { reader: self.reader }.whole()
    }

    /// Reads the head of a tuple or a list and returns its elements; `None` for any other term, including a `STRING`.
    pub(super) fn items(&mut self) -> Result<Option<Items<'_, 'de>>, ValueError> {
        let start = self.reader;
        let term = |error| ValueError::Term(TermError::Codec(error));
        let (count, has_tail) = match self.reader.u8("term").map_err(term)? {
            tag::SMALL_TUPLE => (self.reader.u8("arity").map_err(term)?.into(), false),
            tag::LARGE_TUPLE => (self.reader.u32("arity").map_err(term)? as usize, false),
            tag::LIST => (self.reader.u32("list length").map_err(term)? as usize, true),
            tag::NIL => (0, false),
            _ => {
                self.reader = start;
                return Ok(None);
            }
        };
        Ok(Some(Items::new(self, count, has_tail)))
    }

    /// Reads the text of an atom, a binary or a list of characters.
    pub(super) fn text(&mut self) -> Result<Cow<'de, str>, ValueError> {
        let term = self.whole()?;
        match term.view() {
            View::Atom(name) => Ok(name),
            View::Binary(bytes) => match str::from_utf8(bytes) {
                Ok(text) => Ok(text.into()),
                Err(_) => Err(Error::invalid_value(Unexpected::Bytes(bytes), &"text in UTF-8")),
            },
            View::List(items) => {
                let is_proper = items.clone().tail().is_none();
                let character = |item: TermRef<'de>| char::from_u32(item.as_i64()?.try_into().ok()?);
                let text: Option<String> = items.map(character).collect();
                text.filter(|_| is_proper)
                    .map(Cow::Owned)
                    .ok_or_else(|| unexpected(term, "text"))
            }
            _ => Err(unexpected(term, "text")),
        }
    }

    /// Reads the bytes of a binary or a list.
    fn bytes(&mut self) -> Result<Cow<'de, [u8]>, ValueError> {
        let term = self.whole()?;
        match term.view() {
            View::Binary(bytes) => Ok(bytes.into()),
            View::List(items) => {
                let is_proper = items.clone().tail().is_none();
                let bytes: Option<Vec<u8>> = items.map(|item| item.as_i64()?.try_into().ok()).collect();
                bytes
                    .filter(|_| is_proper)
                    .map(Cow::Owned)
                    .ok_or_else(|| unexpected(term, "bytes"))
            }
            _ => Err(unexpected(term, "bytes")),
        }
    }

    /// Reads the next term if it is an atom with one of these names. Returns whether it was.
    fn eat(&mut self, names: &[&str]) -> Result<bool, ValueError> {
        let term = self.ahead()?;
        let is_there = matches!(term.view(), View::Atom(name) if names.contains(&&*name));
        if is_there {
            self.whole()?;
        }
        Ok(is_there)
    }

    /// Reads a term that is neither a tuple, a `LIST` nor a map.
    fn leaf<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ValueError> {
        let term = self.whole()?;
        match term.view() {
            View::Atom(name) => match &*name {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                "undefined" | "nil" => visitor.visit_unit(),
                _ => cow(name, visitor),
            },
            View::Integer(value) => visitor.visit_i64(value),
            View::Big { is_negative, magnitude } => big(is_negative, magnitude, visitor),
            View::Float(value) => visitor.visit_f64(value),
            View::Binary(bytes) => match str::from_utf8(bytes) {
                Ok(text) => visitor.visit_borrowed_str(text),
                Err(_) => visitor.visit_borrowed_bytes(bytes),
            },
            View::List(items) => Characters(items).visit(visitor),
            _ => Err(unexpected(term, "a value")),
        }
    }

    /// Checks that the next term is the Elixir struct with this name.
    fn check_struct(&self, name: &str) -> Result<(), ValueError> {
        let term = self.ahead()?;
        match term.get(STRUCT).is_some_and(|found| found.is_atom(name)) {
            true => Ok(()),
            false => Err(unexpected(term, &format!("%{}{{}}", name.trim_start_matches(ELIXIR)))),
        }
    }
}

/// The number of characters of a term that an error shows.
const SHOWN_MAX: usize = 60;

/// An error for a term that does not have the expected type.
fn unexpected(term: TermRef<'_>, expected: &str) -> ValueError {
    let text = format!("{term:?}");
    let shown: String = text.chars().take(SHOWN_MAX).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    ValueError::Value(format!("expected {expected}, found {shown}{more}"))
}

fn cow<'de, V: Visitor<'de>>(text: Cow<'de, str>, visitor: V) -> Result<V::Value, ValueError> {
    match text {
        Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
        Cow::Owned(text) => visitor.visit_string(text),
    }
}

fn big<'de, V: Visitor<'de>>(is_negative: bool, magnitude: &[u8], visitor: V) -> Result<V::Value, ValueError> {
    let big = Big::new(is_negative, magnitude);
    let unsigned = big.as_ref().and_then(Big::to_u128);
    match (unsigned, big.as_ref().and_then(Big::to_i128)) {
        (Some(value), _) => match u64::try_from(value) {
            Ok(value) => visitor.visit_u64(value),
            Err(_) => visitor.visit_u128(value),
        },
        (None, Some(value)) => visitor.visit_i128(value),
        (None, None) => Err(ValueError::custom("integer exceeds 128 bits")),
    }
}

impl<'de> Deserializer<'de> for &mut Input<'de> {
    type Error = ValueError;

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        if self.reader.peek() == Some(tag::MAP) {
            return Pairs::of_map(self, None)?.visit(visitor);
        }
        match self.items()? {
            Some(items) => items.visit(visitor),
            None => self.leaf(visitor),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let term = self.ahead()?;
        match term.as_i64() {
            None => self.deserialize_str(visitor),
            Some(code) => {
                self.whole()?;
                let c = u32::try_from(code).ok().and_then(char::from_u32);
                visitor.visit_char(c.ok_or_else(|| unexpected(term, "a character"))?)
            }
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        cow(self.text()?, visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.bytes()? {
            Cow::Borrowed(bytes) => visitor.visit_borrowed_bytes(bytes),
            Cow::Owned(bytes) => visitor.visit_byte_buf(bytes),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.eat(&["undefined", "nil"])? {
            true => visitor.visit_none(),
            false => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let is_unit = self.eat(&["ok", "undefined", "nil"])?;
        let term = if is_unit { None } else { Some(self.whole()?) };
        match term {
            None => visitor.visit_unit(),
            Some(term) if term.bytes() == [tag::SMALL_TUPLE, 0] => visitor.visit_unit(),
            Some(term) => Err(unexpected(term, "ok, undefined, nil or {}")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, ValueError> {
        match self.eat(&[name])? {
            true => visitor.visit_unit(),
            false => Err(unexpected(self.ahead()?, name)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match name {
            ATOM => visitor.visit_newtype_struct(CowStrDeserializer::new(self.text()?)),
            TERM => visitor.visit_newtype_struct(BorrowedBytesDeserializer::new(self.whole()?.bytes())),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.ahead()?.as_bytes() {
            Some(bytes) => {
                self.whole()?;
                visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied()))
            }
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_any(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.reader.peek() {
            Some(tag::LIST | tag::NIL) => Pairs::of_list(self)?.visit(visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        if name.starts_with(ELIXIR) {
            self.check_struct(name)?;
        }
        match self.reader.peek() {
            Some(tag::MAP) => Pairs::of_map(self, Some(STRUCT))?.visit(visitor),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_enum(Variant::read(self, name == "Result")?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.whole()?;
        visitor.visit_unit()
    }
}

impl<'de> IntoDeserializer<'de, ValueError> for &mut Input<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
