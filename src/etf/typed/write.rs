use bytes::Bytes;
use serde::Serialize;
use serde::Serializer;

use super::ValueError;
use super::conventions::ATOM;
use super::conventions::ELIXIR;
use super::conventions::OWN;
use super::conventions::STRUCT;
use super::conventions::TERM;
use super::rows::Row;
use crate::etf::Atom;
use crate::etf::DEPTH_MAX;
use crate::etf::Float;
use crate::etf::Term;
use crate::etf::TermError;
use crate::etf::encode;
use crate::etf::pen::Pen;
use crate::etf::tag;

/// Converts a value to a term in the external term format, as `term_to_binary` writes it. The result has a version byte.
///
/// ```
/// use beamway::etf;
///
/// #[derive(serde::Serialize)]
/// #[serde(rename_all = "snake_case")]
/// enum Request<'a> {
///     Stop,
///     Put { key: &'a str, value: f64 },
/// }
///
/// assert_eq!(&etf::to_bytes(&Request::Stop)?[..], b"\x83w\x04stop");
/// let put = Request::Put { key: "tea", value: 2.5 };
/// assert_eq!(etf::to_term(&put)?.to_string(), r#"{put,#{key => <<"tea">>,value => 2.5}}"#);
/// # Ok::<(), etf::ValueError>(())
/// ```
///
/// # Errors
/// If the value contains something that a term cannot represent (an infinite float, a name of more than 255 characters,
/// more than [`DEPTH_MAX`] levels), or if its type refuses to be serialized.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, ValueError> {
    let mut out = Pen::versioned();
    value.serialize(Output::new(&mut out))?;
    Ok(out.finish().into())
}

/// Converts a value to a [`Term`]: encodes it and decodes the result.
///
/// # Errors
/// As [`to_bytes`], and if a map contains the same key twice.
pub fn to_term<T: Serialize + ?Sized>(value: &T) -> Result<Term, ValueError> {
    Ok(Term::decode_shared(&to_bytes(value)?, &OWN)?)
}

/// Writes one value.
pub(super) struct Output<'a> {
    pub(super) out: &'a mut Pen,
    /// The number of levels of nesting left.
    pub(super) depth: usize,
    /// Whether the value is part of an Elixir struct.
    pub(super) is_elixir: bool,
    form: Form,
}

/// What text and bytes represent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A binary.
    Binary,
    /// The name of an atom.
    Atom,
    /// An encoded term.
    Term,
}

impl<'a> Output<'a> {
    fn new(out: &'a mut Pen) -> Self {
        Self {
            out,
            depth: DEPTH_MAX,
            is_elixir: false,
            form: Form::Binary,
        }
    }

    /// A writer for an element of a container.
    pub(super) const fn item(out: &'a mut Pen, depth: usize, is_elixir: bool) -> Self {
        Self {
            out,
            depth,
            is_elixir,
            form: Form::Binary,
        }
    }

    pub(super) fn atom(&mut self, name: &str) -> Result<(), ValueError> {
        encode::atom(&Atom::new(name)?, self.out);
        Ok(())
    }

    /// Writes an integer by sign and magnitude.
    fn integer(self, is_negative: bool, magnitude: u128) {
        let small = i64::try_from(magnitude).ok();
        match small {
            Some(value) => encode::integer(if is_negative { -value } else { value }, self.out),
            None => encode::magnitude(is_negative, magnitude, self.out),
        }
    }

    /// Enters a nested level.
    fn deeper(self) -> Result<Self, ValueError> {
        Ok(Self {
            depth: encode::deeper(self.depth)?,
            ..self
        })
    }

    /// Begins `{Name, …` for `count` values.
    fn variant(mut self, name: &str, count: usize) -> Result<Self, ValueError> {
        encode::tuple(count.saturating_add(1), self.out)?;
        self.atom(name)?;
        self.deeper()
    }
}

/// The name of a variant. The variants of `Result` have Erlang's names.
fn variant_name<'n>(kind: &str, name: &'n str) -> &'n str {
    match (kind, name) {
        ("Result", "Ok") => "ok",
        ("Result", "Err") => "error",
        _ => name,
    }
}

/// Integers that fit `i64`.
macro_rules! small_integers {
    ($($method:ident: $integer:ty),*) => {$(
        fn $method(self, value: $integer) -> Result<(), ValueError> {
            encode::integer(value.into(), self.out);
            Ok(())
        }
    )*};
}

impl<'a> Serializer for Output<'a> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Row<'a>;
    type SerializeTuple = Row<'a>;
    type SerializeTupleStruct = Row<'a>;
    type SerializeTupleVariant = Row<'a>;
    type SerializeMap = Row<'a>;
    type SerializeStruct = Row<'a>;
    type SerializeStructVariant = Row<'a>;

    small_integers!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32);
    small_integers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64);

    fn serialize_bool(mut self, value: bool) -> Result<(), ValueError> {
        self.atom(if value { "true" } else { "false" })
    }

    fn serialize_u64(self, value: u64) -> Result<(), ValueError> {
        self.integer(false, value.into());
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<(), ValueError> {
        self.integer(value < 0, value.unsigned_abs());
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), ValueError> {
        self.integer(false, value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), ValueError> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), ValueError> {
        let value = Float::new(value).ok_or(TermError::NotFinite)?;
        encode::float(value.get(), self.out);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), ValueError> {
        self.serialize_u32(value.into())
    }

    fn serialize_str(mut self, value: &str) -> Result<(), ValueError> {
        match self.form {
            Form::Atom => self.atom(value),
            Form::Binary | Form::Term => Ok(encode::binary(value.as_bytes(), self.out)?),
        }
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), ValueError> {
        match self.form {
            Form::Term => self.out.slice(value),
            Form::Atom | Form::Binary => encode::binary(value, self.out)?,
        }
        Ok(())
    }

    fn serialize_none(mut self) -> Result<(), ValueError> {
        self.atom(if self.is_elixir { "nil" } else { "undefined" })
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), ValueError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), ValueError> {
        self.out.put(UNIT);
        Ok(())
    }

    fn serialize_unit_struct(mut self, name: &'static str) -> Result<(), ValueError> {
        self.atom(name)
    }

    fn serialize_unit_variant(mut self, kind: &'static str, _: u32, name: &'static str) -> Result<(), ValueError> {
        self.atom(variant_name(kind, name))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), ValueError> {
        let form = match name {
            ATOM => Form::Atom,
            TERM => Form::Term,
            _ => Form::Binary,
        };
        value.serialize(Output { form, ..self })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        kind: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        let start = self.out.len();
        let output = self.variant(variant_name(kind, name), 1)?;
        let (value_at, out) = (output.out.len(), output.out);
        value.serialize(Output::item(out, output.depth, output.is_elixir))?;
        // `Ok(())` is written as `ok`, which Erlang's functions return.
        if kind == "Result" && name == "Ok" && out.written(value_at) == UNIT {
            out.truncate(start);
            encode::atom(&Atom::literal("ok"), out);
        }
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Row<'a>, ValueError> {
        Ok(Row::list(self.deeper()?))
    }

    fn serialize_tuple(self, count: usize) -> Result<Row<'a>, ValueError> {
        encode::tuple(count, self.out)?;
        Ok(Row::tuple(self.deeper()?, count))
    }

    fn serialize_tuple_struct(self, _: &'static str, count: usize) -> Result<Row<'a>, ValueError> {
        self.serialize_tuple(count)
    }

    fn serialize_tuple_variant(
        self,
        kind: &'static str,
        _: u32,
        name: &'static str,
        count: usize,
    ) -> Result<Row<'a>, ValueError> {
        Ok(Row::tuple(self.variant(variant_name(kind, name), count)?, count))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Row<'a>, ValueError> {
        Ok(Row::map(self.deeper()?))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Row<'a>, ValueError> {
        let is_elixir = name.starts_with(ELIXIR) || self.is_elixir;
        let mut row = Row::map(Self { is_elixir, ..self }.deeper()?);
        if name.starts_with(ELIXIR) {
            row.pair_of_atoms(STRUCT, name)?;
        }
        Ok(row)
    }

    fn serialize_struct_variant(
        self,
        kind: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Row<'a>, ValueError> {
        Ok(Row::map(self.variant(variant_name(kind, name), 1)?.deeper()?))
    }
}

/// `{}`.
const UNIT: [u8; 2] = [tag::SMALL_TUPLE, 0];
