use serde::Serialize;
use serde::ser::SerializeMap;
use serde::ser::SerializeSeq;
use serde::ser::SerializeStruct;
use serde::ser::SerializeStructVariant;
use serde::ser::SerializeTuple;
use serde::ser::SerializeTupleStruct;
use serde::ser::SerializeTupleVariant;

use super::ValueError;
use super::write::Output;
use crate::etf::TermError;
use crate::etf::pen::Pen;
use crate::etf::tag;

/// Tag and size of a list or a map.
const HEAD: usize = 5;

/// Writes the elements of a tuple, a list or a map. The size is filled in at the end, so types need not know it.
pub(super) struct Row<'a> {
    output: Output<'a>,
    kind: Kind,
    /// The number of elements written; for a map the number of keys.
    count: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    /// A tuple whose head is written and states `expected` elements.
    Tuple { expected: usize },
    /// A list whose head begins at `start`.
    List { start: usize },
    /// A map whose head begins at `start`.
    Map { start: usize },
}

impl<'a> Row<'a> {
    /// A tuple whose head is written and states `expected` elements.
    pub(super) const fn tuple(output: Output<'a>, expected: usize) -> Self {
        Self::new(output, Kind::Tuple { expected })
    }

    pub(super) fn list(output: Output<'a>) -> Self {
        let start = output.out.len();
        output.out.put([tag::LIST, 0, 0, 0, 0]);
        Self::new(output, Kind::List { start })
    }

    pub(super) fn map(output: Output<'a>) -> Self {
        let start = output.out.len();
        output.out.put([tag::MAP, 0, 0, 0, 0]);
        Self::new(output, Kind::Map { start })
    }

    const fn new(output: Output<'a>, kind: Kind) -> Self {
        Self { output, kind, count: 0 }
    }

    /// Writes a key and a value that are both atoms.
    pub(super) fn pair_of_atoms(&mut self, key: &str, value: &str) -> Result<(), ValueError> {
        self.count += 1;
        self.output.atom(key)?;
        self.output.atom(value)
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        value.serialize(Output::item(self.output.out, self.output.depth, self.output.is_elixir))
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.count += 1;
        self.value(value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), ValueError> {
        self.count += 1;
        self.output.atom(name)?;
        self.value(value)
    }

    fn finish(self) -> Result<(), ValueError> {
        let (out, count) = (self.output.out, self.count);
        match self.kind {
            Kind::Tuple { expected } if count == expected => Ok(()),
            Kind::Tuple { expected } => Err(ValueError::Value(format!(
                "expected {expected} elements of a tuple, found {count}"
            ))),
            Kind::Map { start } => put_count(out, start, count),
            Kind::List { start } => {
                if count == 0 {
                    out.truncate(start);
                } else if u16::try_from(count).is_ok_and(|count| shorten(out, start, count)) {
                    return Ok(());
                } else {
                    put_count(out, start, count)?;
                }
                out.put([tag::NIL]);
                Ok(())
            }
        }
    }
}

/// Writes the number of elements into the head at `start`.
fn put_count(out: &mut Pen, start: usize, count: usize) -> Result<(), ValueError> {
    let count = u32::try_from(count).map_err(|_| TermError::Limit {
        what: "bytes or elements per item",
        limit: u32::MAX as usize,
    })?;
    out.replace(start + 1, count.to_be_bytes());
    Ok(())
}

/// Rewrites a list of bytes as a `STRING`, as `term_to_binary` does. Returns whether it was one.
fn shorten(out: &mut Pen, start: usize, count: u16) -> bool {
    let items = out.written(start + HEAD);
    let (pairs, rest) = items.as_chunks::<2>();
    // If `2 × count` bytes have this tag in every other place, they are `count` small integers.
    let is_string =
        pairs.len() == usize::from(count) && rest.is_empty() && pairs.iter().all(|[tag, _]| *tag == tag::SMALL_INTEGER);
    if is_string {
        let text: Vec<u8> = pairs.iter().map(|[_, value]| *value).collect();
        out.truncate(start);
        out.put([tag::STRING]);
        out.put(count.to_be_bytes());
        out.slice(&text);
    }
    is_string
}

/// Serializers of sequences of values without names.
macro_rules! rows_of_items {
    ($($kind:ident::$method:ident),*) => {$(
        impl $kind for Row<'_> {
            type Ok = ();
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
                self.item(value)
            }

            fn end(self) -> Result<(), ValueError> {
                self.finish()
            }
        }
    )*};
}

rows_of_items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// Serializers of sequences of values with names.
macro_rules! rows_of_fields {
    ($($kind:ident),*) => {$(
        impl $kind for Row<'_> {
            type Ok = ();
            type Error = ValueError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), ValueError> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), ValueError> {
                self.finish()
            }
        }
    )*};
}

rows_of_fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Row<'_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        self.item(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.value(value)
    }

    fn end(self) -> Result<(), ValueError> {
        self.finish()
    }
}
