use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;
use proptest::prelude::*;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::made;
use crate::etf::*;

/// Checks that the value is written as this term (in Erlang's syntax), as `term_to_binary` would write it, and reads back.
fn both_ways<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T, text: &str) {
    let term = to_term(&value).unwrap();
    assert_eq!(term.to_string(), text);
    assert_eq!(from_term::<T>(&term).as_ref(), Ok(&value), "{text}");
    assert_eq!(from_bytes::<T>(&to_bytes(&value).unwrap()), Ok(value));
    assert_eq!(Term::decode(&term.encode().unwrap()), Ok(term));
}

fn reads<T: DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str, value: T) {
    assert_eq!(from_term::<T>(&Term::parse(text).unwrap()), Ok(value), "{text}");
}

fn refuses<T: DeserializeOwned + std::fmt::Debug>(text: &str, message: &str) {
    let error = from_term::<T>(&Term::parse(text).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), message, "{text}");
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Default)]
struct Order {
    id: u64,
    name: String,
    note: Option<String>,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
#[serde(rename = "Elixir.Shop.Order")]
struct ElixirOrder {
    id: u64,
    note: Option<u8>,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Stop;

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Meters(f64);

#[derive(Serialize, Deserialize, PartialEq, Debug)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Nothing,
    Circle(f64),
    Box(u8, u8),
    Named { name: String },
    Several(Vec<Shape>),
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Tagged {
    Put { key: String },
    Get,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    Pair(bool, f64),
    Fields { a: u8 },
}

#[test]
fn plain_values() {
    both_ways(true, "true");
    both_ways(7u8, "7");
    both_ways(i64::MIN, "-9223372036854775808");
    both_ways(u64::MAX, "18446744073709551615");
    both_ways(i128::MIN, "-170141183460469231731687303715884105728");
    both_ways(u128::MAX, "340282366920938463463374607431768211455");
    both_ways(1.5f64, "1.5");
    both_ways(0.25f32, "0.25");
    both_ways('é', "233");
    both_ways("é".to_owned(), "<<\"é\"/utf8>>");
    both_ways(Charlist("é".to_owned()), "\"é\"");
    both_ways(Charlist(String::new()), "[]");
    both_ways(Atom::literal("a b"), "'a b'");
    both_ways(Bytes::from_static(b"\xff"), "<<\"ÿ\">>");
    both_ways((), "{}");
    both_ways(None::<u8>, "undefined");
    both_ways(Some(7), "7");
    both_ways(Stop, "'Stop'");
    both_ways(Meters(1.0), "1.0");
    both_ways("10.1.2.3".parse::<IpAddr>().unwrap(), "<<\"10.1.2.3\">>");
}

#[test]
fn rows_and_maps() {
    both_ways(vec![1u8, 104], "[1,104]");
    both_ways(vec![104u16, 300], "[104,300]");
    both_ways(Vec::<u8>::new(), "[]");
    both_ways(vec![vec![true], vec![]], "[[true],[]]");
    both_ways((1, "a".to_owned(), [2, 3]), "{1,<<\"a\">>,{2,3}}");
    both_ways(
        BTreeMap::from([("k".to_owned(), 1), ("l".to_owned(), 2)]),
        "#{<<\"k\">> => 1,<<\"l\">> => 2}",
    );
    both_ways(BTreeMap::from([(Atom::literal("k"), vec![1.5])]), "#{k => [1.5]}");
    let long: Vec<u8> = vec![7; 65_536];
    assert_eq!(to_bytes(&long).unwrap(), Term::from(long).encode().unwrap());
    let many = vec![(); 300];
    assert_eq!(from_bytes::<Vec<()>>(&to_bytes(&many).unwrap()), Ok(many));
}

#[test]
fn structs_and_enums() {
    let order = Order {
        id: 7,
        name: "tea".to_owned(),
        note: None,
    };
    both_ways(order, "#{id => 7,name => <<\"tea\">>,note => undefined}");
    both_ways(
        vec![ElixirOrder { id: 7, note: None }],
        "[#{'__struct__' => 'Elixir.Shop.Order',id => 7,note => nil}]",
    );
    both_ways(Shape::Nothing, "nothing");
    both_ways(Shape::Circle(1.5), "{circle,1.5}");
    both_ways(Shape::Box(1, 2), "{box,1,2}");
    both_ways(Shape::Named { name: "n".into() }, "{named,#{name => <<\"n\">>}}");
    both_ways(Shape::Several(vec![Shape::Nothing]), "{several,[nothing]}");
    both_ways(
        Tagged::Put { key: "k".into() },
        "#{key => <<\"k\">>,type => <<\"put\">>}",
    );
    both_ways(Tagged::Get, "#{type => <<\"get\">>}");
    both_ways(Untagged::Number(-7), "-7");
    both_ways(Untagged::Text("t".into()), "<<\"t\">>");
    both_ways(Untagged::Pair(true, 0.5), "{true,0.5}");
    both_ways(Untagged::Fields { a: 1 }, "#{a => 1}");
    both_ways(Ok::<u8, Atom>(7), "{ok,7}");
    both_ways(Ok::<(), Atom>(()), "ok");
    both_ways(Err::<(), _>(Atom::literal("enoent")), "{error,enoent}");
}

#[test]
fn terms_within_values() {
    let term = Term::parse("{a,[1|b],#{2.5 => <<\"c\">>}}").unwrap();
    both_ways(
        (1u8, term.clone(), Some(term)),
        "{1,{a,[1|b],#{2.5 => <<\"c\">>}},{a,[1|b],#{2.5 => <<\"c\">>}}}",
    );
    let pid = NodePid::try_from(Term::parse("<a@b.1.2>").unwrap()).unwrap();
    both_ways(vec![pid], "[<a@b.1.2>]");
    let reference = NodeReference::try_from(Term::parse("#Ref<0.1.2>").unwrap()).unwrap();
    both_ways(
        BTreeMap::from([(Atom::literal("ref"), reference)]),
        "#{ref => #Ref<0.1.2>}",
    );
    let term = term!({"one", two});
    let bytes = term.encode().unwrap();
    let (text, atom): (&str, Atom) = from_bytes(&bytes).unwrap();
    assert_eq!((text, &*atom), ("one", "two"));
    assert!(bytes.as_ptr_range().contains(&text.as_ptr()));
    assert_eq!(
        from_view::<&str>(TermRef::new(&bytes).unwrap().item(0).unwrap()),
        Ok("one")
    );
}

#[test]
fn what_erlang_writes_otherwise_is_read_too() {
    reads("\"text\"", "text".to_owned());
    reads("text", "text".to_owned());
    reads("[8364]", "€".to_owned());
    reads("\"abc\"", Bytes::from_static(b"abc"));
    reads("<<1,2>>", vec![1u8, 2]);
    reads("<<\"x\">>", 'x');
    reads("7", 7.0);
    reads("nil", None::<String>);
    reads("undefined", None::<String>);
    reads("ok", ());
    reads("nil", ());
    reads("[1,2]", (1, 2));
    reads("{1,2}", vec![1, 2]);
    reads("\"ab\"", (97, 98));
    reads(
        "[{a,1},{b,2}]",
        BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]),
    );
    reads(
        "[a,{b,false}]",
        BTreeMap::from([("a".to_owned(), true), ("b".to_owned(), false)]),
    );
    reads("[]", BTreeMap::<String, u8>::new());
    reads(
        "[{id,7},{name,tea}]",
        Order {
            id: 7,
            name: "tea".to_owned(),
            note: None,
        },
    );
    reads(
        "#{<<\"id\">> => 7, name => \"tea\", other => {x}, '__struct__' => 'Elixir.Any'}",
        Order {
            id: 7,
            name: "tea".to_owned(),
            note: None,
        },
    );
    reads("<<\"nothing\">>", Shape::Nothing);
    reads("{nothing}", Shape::Nothing);
    reads("{named,[{name,n}]}", Shape::Named { name: "n".into() });
}

#[test]
fn errors_say_what_was_found() {
    refuses::<u8>("256", "invalid value: integer `256`, expected u8");
    refuses::<u8>("a", "invalid type: string \"a\", expected u8");
    refuses::<String>("{a}", "expected text, found {a}");
    refuses::<String>("[97|98]", "expected text, found [97|98]");
    refuses::<(u8, u8)>("{1,2,3}", "too many elements: 1 left over");
    refuses::<(u8, u8)>("{1}", "invalid length 1, expected a tuple of size 2");
    refuses::<Vec<u8>>("[1|2]", "expected a list that ends in []");
    refuses::<i128>("170141183460469231731687303715884105728000", "integer exceeds 128 bits");
    refuses::<Order>("#{id => 1}", "missing field `name`");
    refuses::<ElixirOrder>(
        "#{id => 1,note => 2}",
        "expected %Shop.Order{}, found #{id => 1,note => 2}",
    );
    refuses::<Shape>("{circle,1.0,2.0}", "expected one value after `circle`, found 2");
    refuses::<Shape>("{}", "expected a name, found {}");
    refuses::<BTreeMap<String, u8>>("[{a,1},2]", "expected a list of pairs");
    refuses::<()>("7", "expected ok, undefined, nil or {}, found 7");
    refuses::<Bytes>("<<1:3>>", "expected bytes, found <<1:3>>");
    refuses::<NodePid>("a", "expected a pid");
    refuses::<u8>("<0.1.0>", "expected a value, found <0.1.0>");
    assert_eq!(to_bytes(&f64::NAN), Err(ValueError::Term(TermError::NotFinite)));
    assert!(to_bytes(&Atom::literal("x")).is_ok());
    let packed = super::codec::compressed(b"\x6a", 1);
    assert_eq!(
        from_bytes::<Vec<u8>>(&packed),
        Err(ValueError::Term(TermError::Compressed))
    );
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Nested(Vec<Nested>);

#[test]
fn nesting_is_bounded_both_ways() {
    let nested = (0..DEPTH_MAX).fold(Nested(Vec::new()), |inner, _| Nested(vec![inner]));
    assert!(to_bytes(&nested).is_err());
    let Nested(mut inner) = nested;
    let bytes = to_bytes(&inner.pop().unwrap()).unwrap();
    let deep = Limits {
        depth: DEPTH_MAX,
        ..Limits::default()
    };
    assert!(from_bytes_within::<Nested>(&bytes, &deep).is_ok());
    assert!(from_bytes::<Nested>(&bytes).is_err());
}

proptest! {
    #[test]
    fn any_term_passes_through(term in made::term()) {
        prop_assert_eq!(&to_term(&term).unwrap(), &term);
        prop_assert_eq!(to_bytes(&term).unwrap(), term.encode().unwrap());
        prop_assert_eq!(&from_term::<Term>(&term).unwrap(), &term);
    }

    /// Reading any bytes as any type ends with a value or an error.
    #[test]
    fn any_term_is_read_or_refused(term in made::term()) {
        let _ = from_term::<Order>(&term);
        let _ = from_term::<Shape>(&term);
        let _ = from_term::<Tagged>(&term);
        let _ = from_term::<Untagged>(&term);
        let _ = from_term::<BTreeMap<String, Untagged>>(&term);
        let _ = from_term::<Vec<(String, f64)>>(&term);
        let _ = from_term::<Option<Bytes>>(&term);
        if let Ok(value) = from_term::<serde_json::Value>(&term) {
            prop_assert!(to_term(&value).is_ok());
        }
    }
}
