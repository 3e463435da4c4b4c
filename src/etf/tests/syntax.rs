use proptest::prelude::*;

use super::made;
use crate::etf::*;

#[test]
fn text_is_read_as_erlang_reads_it() {
    for (text, expected) in [
        ("ok", term!(ok)),
        (" 'Elixir.Enum' . % comment", term!(@"Elixir.Enum")),
        ("maybe", term!(maybe)),
        ("'\\'\\x{263a}\\101\\x41\\^A\\s'", term!(@"'☺AA\x01 ")),
        ("-17", term!(-17)),
        ("+ 17", term!(17)),
        ("1_000_000", term!(1_000_000)),
        ("-16#Ff", term!(-255)),
        ("36#z", term!(35)),
        ("$a", term!('a')),
        ("$\\n", term!(10)),
        ("-$\\s", term!(-32)),
        ("18446744073709551616", Term::from(1u128 << 64)),
        ("-9223372036854775808", Term::from(i64::MIN)),
        ("1.5", term!(1.5)),
        ("-1_0.2_5e+1_0", term!(-10.25e10)),
        ("2.0E-3", term!(0.002)),
        ("-0.0", term!(-0.0)),
        ("\"hi\" \"\\tho\"", Term::charlist("hi\tho")),
        ("\"\"", Term::NIL),
        ("[]", Term::NIL),
        ("[ ]", Term::NIL),
        ("[a|\"b\"]", term!([a, 98])),
        ("[a,b|c]", term!([a, b | c])),
        ("{}", term!({})),
        ("{ a , {b} }", term!({a, {b}})),
        ("#{}", term!(#{})),
        ("#{a=>1, \"b\" => #{}, a => 2}", term!(#{a => 2, [98] => #{}})),
        ("<<>>", term!("")),
        ("<<1,$a,-1,256>>", term!(b"\x01a\xff\x00")),
        ("<<\"hé\">>", term!(b"h\xe9")),
        ("<<\"hé\"/utf8, 16#20ac/utf8>>", term!("hé€")),
        ("<< 1 : 4 , 2 : 12 / integer >>", term!(b"\x10\x02")),
        ("<<18446744073709551617:72, -2:9>>", {
            Term::from(Bits::new(b"\x01\0\0\0\0\0\0\0\x01\xff\0", 1).unwrap())
        }),
        ("<<5:3>>", Term::from(Bits::new(b"\xa0", 3).unwrap())),
        ("<<1:1,\"a\">>", Term::from(Bits::new(b"\xb0\x80", 1).unwrap())),
        ("<<7:0>>", term!("")),
        ("fun lists:map/2", {
            Term::from(Export {
                module: Atom::literal("lists"),
                function: Atom::literal("map"),
                arity: 2,
            })
        }),
    ] {
        assert_eq!(Term::parse(text).as_ref(), Ok(&expected), "{text}");
    }
}

#[test]
fn identities_are_read_with_their_node() {
    let of = |text: &str| Term::parse(text).unwrap();
    let Term::Pid(pid) = of("<0.91.2>") else {
        panic!("a pid")
    };
    assert_eq!((&*pid.node, pid.pid.id, pid.pid.serial), ("nonode@nohost", 91, 2));
    let Term::Pid(pid) = of("<a@h.example.91.2>") else {
        panic!("a pid")
    };
    assert_eq!((&*pid.node, pid.pid.id, pid.pid.serial), ("a@h.example", 91, 2));
    let Term::Reference(reference) = of("#Ref<'a@10.0.0.1'.1.2.3>") else {
        panic!("a reference")
    };
    assert_eq!(
        (&*reference.node, reference.reference.words()),
        ("a@10.0.0.1", &[3, 2, 1][..])
    );
    let Term::Port(port) = of("#Port<a@h.18446744073709551615>") else {
        panic!("a port")
    };
    assert_eq!((&*port.node, port.port.id), ("a@h", u64::MAX));
    for wrong in [
        "<9.91.0>",
        "<0.91>",
        "<0.1.2.3>",
        "<>",
        "<a@b>",
        "#Ref<0>",
        "#Ref<0.1.2.3.4.5.6>",
        "#Port<0.x>",
        "<0.1.2",
    ] {
        assert!(Term::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn errors_say_where_and_what() {
    for (text, message) in [
        ("", "line 1, column 1: expected a term"),
        ("{a,\n  B}", "line 2, column 3: a variable is not allowed in a term"),
        ("[1 2]", "line 1, column 4: expected `,` or `]`"),
        ("ok ok", "line 1, column 4: expected the end of the term"),
        (
            "{end}",
            "line 1, column 2: `end` is a reserved word: quote it to use it as an atom",
        ),
        ("\"abc", "line 1, column 2: missing closing \""),
        ("1#2", "line 1, column 2: expected a base from 2 to 36 before this"),
        ("1.0e999", "line 1, column 8: the float before this is out of range"),
        ("#Fun<a.1.2>", "line 1, column 1: a local fun cannot be parsed"),
        ("#{a 1}", "line 1, column 5: expected `=>`"),
        ("'\\x{d800}'", "line 1, column 10: invalid escape sequence before this"),
        (
            "<<300/utf9>>",
            "line 1, column 11: expected `integer` or `utf8` before this",
        ),
        (
            "fun a:b/256",
            "line 1, column 12: expected an arity of at most 255 before this",
        ),
    ] {
        assert_eq!(Term::parse(text).unwrap_err().to_string(), message, "{text}");
    }
}

/// The golden tests compare these and many more with a real node.
#[test]
fn terms_are_printed_as_erlang_prints_them() {
    for (term, pretty, plain) in [
        (term!(@"Elixir.Enum"), "'Elixir.Enum'", "'Elixir.Enum'"),
        (term!([104, 105]), "\"hi\"", "[104,105]"),
        (term!("hi\n"), "<<\"hi\\n\">>", "<<104,105,10>>"),
        (term!("é"), "<<\"é\"/utf8>>", "<<195,169>>"),
        (term!("€"), "<<226,130,172>>", "<<226,130,172>>"),
        (term!(1.0e22), "1.0e22", "1.0e22"),
        (term!([a | b]), "[a|b]", "[a|b]"),
        (
            term!(#{b => 1, a => 2, 3 => []}),
            "#{3 => [],a => 2,b => 1}",
            "#{3 => [],a => 2,b => 1}",
        ),
    ] {
        assert_eq!(term.print(Style::Pretty).to_string(), pretty);
        assert_eq!(term.print(Style::Plain).to_string(), plain);
        assert_eq!(format!("{term} {term:?}"), format!("{pretty} {pretty}"));
    }
    assert_eq!(term!("€").print(Style::PrettyUnicode).to_string(), "<<\"€\"/utf8>>");
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_as_the_same(term in made::printable()) {
        for style in [Style::Pretty, Style::PrettyUnicode, Style::Plain] {
            let text = term.print(style).to_string();
            prop_assert_eq!(&Term::parse(&text).unwrap(), &term, "{}", text);
        }
    }

    #[test]
    fn any_text_never_panics(text in any::<String>(), marks in "[\\[\\]{}#<>$'\"\\\\,|.0-9a-z:/=_ -]{0,40}") {
        let _ = Term::parse(&text);
        let _ = Term::parse(&marks);
    }
}
