use std::borrow::Cow;

use serde::de::DeserializeSeed;
use serde::de::EnumAccess;
use serde::de::Error;
use serde::de::IntoDeserializer;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::VariantAccess;
use serde::de::Visitor;
use serde::de::value::CowStrDeserializer;

use super::ValueError;
use super::read::Input;
use crate::codec::CodecError;
use crate::etf::TermError;
use crate::etf::View;
use crate::etf::tag;

fn cut(error: CodecError) -> ValueError {
    ValueError::Term(TermError::Codec(error))
}

/// The elements of a tuple or a list.
pub(super) struct Items<'a, 'de> {
    input: &'a mut Input<'de>,
    left: usize,
    /// Whether a tail follows, which must be `[]`.
    has_tail: bool,
}

impl<'a, 'de> Items<'a, 'de> {
    pub(super) const fn new(input: &'a mut Input<'de>, left: usize, has_tail: bool) -> Self {
        Self { input, left, has_tail }
    }

    /// Passes all elements to the visitor.
    pub(super) fn visit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ValueError> {
        let value = visitor.visit_seq(&mut self)?;
        self.finish()?;
        Ok(value)
    }

    /// Fails if elements are left, or the list does not end in `[]`.
    fn finish(self) -> Result<(), ValueError> {
        none_left(self.left)?;
        match self.has_tail && self.input.reader.u8("tail").map_err(cut)? != tag::NIL {
            true => Err(ValueError::custom("expected a list that ends in []")),
            false => Ok(()),
        }
    }
}

impl<'de> SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ValueError> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        seed.deserialize(&mut *self.input).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

fn none_left(count: usize) -> Result<(), ValueError> {
    match count {
        0 => Ok(()),
        _ => Err(ValueError::Value(format!("too many elements: {count} left over"))),
    }
}

/// The elements of a `STRING`, each as a term.
pub(super) struct Characters<'de>(pub(super) crate::etf::Items<'de>);

impl<'de> Characters<'de> {
    /// Passes all elements to the visitor.
    pub(super) fn visit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ValueError> {
        let value = visitor.visit_seq(&mut self)?;
        none_left(self.0.len())?;
        Ok(value)
    }
}

impl<'de> SeqAccess<'de> for &mut Characters<'de> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ValueError> {
        let item = self.0.next();
        item.map(|item| seed.deserialize(&mut Input::of(item))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// The pairs of a map, or of a list that represents one.
pub(super) struct Pairs<'a, 'de> {
    input: &'a mut Input<'de>,
    left: usize,
    /// A key that is skipped together with its value.
    without: Option<&'static str>,
    /// Each element is a pair, or an atom that stands for `{Atom, true}`. A tail follows.
    is_list: bool,
    /// Whether the last key was such an atom.
    is_flag: bool,
}

impl<'a, 'de> Pairs<'a, 'de> {
    /// The pairs of the map that follows.
    pub(super) fn of_map(input: &'a mut Input<'de>, without: Option<&'static str>) -> Result<Self, ValueError> {
        input.reader.u8("map").map_err(cut)?;
        let left = input.reader.u32("map size").map_err(cut)? as usize;
        Ok(Self {
            input,
            left,
            without,
            is_list: false,
            is_flag: false,
        })
    }

    /// The pairs of the list that follows.
    pub(super) fn of_list(input: &'a mut Input<'de>) -> Result<Self, ValueError> {
        let is_list = input.reader.u8("list").map_err(cut)? == tag::LIST;
        let left = match is_list {
            true => input.reader.u32("list length").map_err(cut)? as usize,
            false => 0,
        };
        Ok(Self {
            input,
            left,
            without: None,
            is_list,
            is_flag: false,
        })
    }

    /// Passes all pairs to the visitor.
    pub(super) fn visit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ValueError> {
        let value = visitor.visit_map(&mut self)?;
        Items::new(self.input, self.left, self.is_list).finish()?;
        Ok(value)
    }

    /// Advances to the next key. Returns `false` if there is none.
    fn go_to_key(&mut self) -> Result<bool, ValueError> {
        while let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            if self.is_list {
                let start = self.input.reader;
                let item = self.input.whole()?;
                self.is_flag = matches!(item.view(), View::Atom(_));
                self.input.reader = start;
                let is_pair = self.is_flag || matches!(item.view(), View::Tuple(items) if items.len() == 2);
                if !is_pair {
                    return Err(ValueError::custom("expected a list of pairs"));
                }
                if !self.is_flag {
                    let head = if item.bytes().first() == Some(&tag::SMALL_TUPLE) {
                        2
                    } else {
                        5
                    };
                    self.input.reader.take(head, "pair").map_err(cut)?;
                }
                return Ok(true);
            }
            let Some(without) = self.without else {
                return Ok(true);
            };
            let start = self.input.reader;
            if !self.input.whole()?.is_atom(without) {
                self.input.reader = start;
                return Ok(true);
            }
            self.input.whole()?;
        }
        Ok(false)
    }
}

impl<'de> MapAccess<'de> for &mut Pairs<'_, 'de> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ValueError> {
        match self.go_to_key()? {
            true => seed.deserialize(&mut *self.input).map(Some),
            false => Ok(None),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ValueError> {
        match self.is_flag {
            true => seed.deserialize(true.into_deserializer()),
            false => seed.deserialize(&mut *self.input),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// An enum variant: its name, and the values that follow in its tuple.
pub(super) struct Variant<'a, 'de> {
    name: Cow<'de, str>,
    input: &'a mut Input<'de>,
    /// The number of values that follow.
    left: usize,
}

impl<'a, 'de> Variant<'a, 'de> {
    /// Reads a name, or a tuple that begins with one. The variants of a `Result` have Erlang's names.
    pub(super) fn read(input: &'a mut Input<'de>, is_result: bool) -> Result<Self, ValueError> {
        let is_tuple = matches!(input.reader.peek(), Some(tag::SMALL_TUPLE | tag::LARGE_TUPLE));
        let left = match is_tuple {
            true => input.items()?.and_then(|items| items.left.checked_sub(1)),
            false => Some(0),
        };
        let left = left.ok_or_else(|| ValueError::custom("expected a name, found {}"))?;
        let name = match (is_result, input.text()?) {
            (true, name) if name == "ok" => "Ok".into(),
            (true, name) if name == "error" => "Err".into(),
            (_, name) => name,
        };
        Ok(Self { name, input, left })
    }

    /// Checks that exactly one value follows.
    fn single(&self) -> Result<(), ValueError> {
        match self.left {
            1 => Ok(()),
            left => Err(ValueError::Value(format!(
                "expected one value after `{}`, found {left}",
                self.name
            ))),
        }
    }
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a, 'de> {
    type Error = ValueError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), ValueError> {
        let name = CowStrDeserializer::<ValueError>::new(self.name.clone());
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<(), ValueError> {
        Items::new(self.input, self.left, false).finish()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ValueError> {
        if self.left == 0 {
            // `ok` alone is `Ok(())`.
            return seed.deserialize(().into_deserializer());
        }
        self.single()?;
        seed.deserialize(self.input)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ValueError> {
        Items::new(self.input, self.left, false).visit(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.single()?;
        serde::Deserializer::deserialize_struct(self.input, "", fields, visitor)
    }
}
