//! The group leader of a called function: what the function prints goes to standard error, since standard output is for its
//! result. It speaks Erlang's I/O protocol (stdlib user's guide, chapter "The Erlang I/O Protocol").

use std::time::Duration;

use crate::cli::output;
use crate::etf::Atom;
use crate::etf::Term;
use crate::node::Context;
use crate::node::Message;

/// Time-out for the node to format its arguments as text.
const FORMAT_TIME: Duration = Duration::from_secs(10);

/// Answers requests until its node stops. Formatting is left to the node `beam`, which has the functions for it.
pub(super) async fn serve(mut context: Context, beam: Atom) {
    loop {
        let message = context.receive().await;
        if let Message::Term(term) = &message
            && let Some([kind, Term::Pid(from), tag, request]) = term.as_tuple()
            && kind.is_atom("io_request")
        {
            let reply = answer(&mut context, &beam, request).await;
            // The process may have ended meanwhile.
            let _ = context.send(from, term!({io_reply, (tag.clone()), (reply)})).await;
        }
    }
}

/// Executes all parts of a request, up to the first that fails.
async fn answer(context: &mut Context, beam: &Atom, request: &Term) -> Term {
    let mut reply = term!(ok);
    for part in parts(request) {
        reply = match Part::of(part) {
            Part::Print(characters, encoding) => print(characters, encoding),
            Part::Format(function, encoding) => format(context, beam, function, encoding).await,
            Part::Read => term!(eof),
            Part::Unknown => term!({error, request}),
        };
        if reply != term!(ok) {
            break;
        }
    }
    reply
}

/// The parts of a request: several for `{requests, Requests}`, otherwise one.
fn parts(request: &Term) -> Vec<&Term> {
    match request.as_tuple() {
        Some([kind, Term::List(requests)]) if kind.is_atom("requests") => requests.iter().collect(),
        _ => vec![request],
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Encoding {
    Latin1,
    Unicode,
}

impl Encoding {
    fn of(term: &Term) -> Self {
        if term.is_atom("latin1") {
            Self::Latin1
        } else {
            Self::Unicode
        }
    }
}

/// One part of a request.
enum Part<'a> {
    Print(&'a Term, Encoding),
    /// Print the result of a function: module, function, arguments.
    Format([&'a Term; 3], Encoding),
    /// Read input. There is none.
    Read,
    Unknown,
}

impl<'a> Part<'a> {
    fn of(request: &'a Term) -> Self {
        let Some([kind, rest @ ..]) = request.as_tuple() else {
            return Self::Unknown;
        };
        match (kind.as_atom(), rest) {
            // Without an encoding: from nodes before OTP R13.
            (Some("put_chars"), [characters]) => Self::Print(characters, Encoding::Latin1),
            (Some("put_chars"), [encoding, characters]) => Self::Print(characters, Encoding::of(encoding)),
            (Some("put_chars"), [encoding, m, f, a]) => Self::Format([m, f, a], Encoding::of(encoding)),
            (Some("get_chars" | "get_line" | "get_until" | "get_password"), _) => Self::Read,
            _ => Self::Unknown,
        }
    }
}

fn print(characters: &Term, encoding: Encoding) -> Term {
    let mut text = String::new();
    if !add(characters, encoding, &mut text) {
        return term!({error, put_chars});
    }
    output::print_beside(&text);
    term!(ok)
}

async fn format(context: &mut Context, beam: &Atom, function: [&Term; 3], encoding: Encoding) -> Term {
    let [Term::Atom(module), Term::Atom(name), Term::List(arguments)] = function else {
        return term!({error, request});
    };
    let made = context.rpc(
        beam,
        module.clone(),
        name.clone(),
        arguments.clone().into(),
        FORMAT_TIME,
    );
    match made.await {
        Ok(characters) => print(&characters, encoding),
        Err(_) => term!({error, (name.clone())}),
    }
}

/// Appends characters (`unicode:chardata()`) to a text. Returns `false` if they are not valid.
fn add(characters: &Term, encoding: Encoding, text: &mut String) -> bool {
    match characters {
        Term::Integer(code) => match u32::try_from(*code).ok().and_then(char::from_u32) {
            Some(character) => text.push(character),
            None => return false,
        },
        Term::Binary(bytes) if encoding == Encoding::Latin1 => text.extend(bytes.iter().copied().map(char::from)),
        Term::Binary(bytes) => text.push_str(&String::from_utf8_lossy(bytes)),
        Term::List(list) => return list.iter().all(|part| add(part, encoding, text)),
        Term::Improper(list) => {
            return list.elements().iter().all(|part| add(part, encoding, text)) && add(list.tail(), encoding, text);
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(characters: &Term, encoding: Encoding) -> Option<String> {
        let mut text = String::new();
        add(characters, encoding, &mut text).then_some(text)
    }

    #[test]
    fn characters_are_read_as_erlang_reads_them() {
        let parse = |text: &str| Term::parse(text).unwrap();
        for (characters, expected) in [
            (r#""a\x{1F600}b""#, "a\u{1f600}b"),
            (r#"["a",[98,<<"c">>]|<<100>>]"#, "abcd"),
            ("<<195,188>>", "ü"),
            ("[]", ""),
        ] {
            assert_eq!(text(&parse(characters), Encoding::Unicode).as_deref(), Some(expected));
        }
        assert_eq!(text(&parse("<<252>>"), Encoding::Latin1).as_deref(), Some("ü"));
        for wrong in ["[a]", "[-1]", "[16#D800]", "{1}", "1.0"] {
            assert_eq!(text(&parse(wrong), Encoding::Unicode), None, "{wrong}");
        }
    }

    #[test]
    fn requests_are_told_apart() {
        let is = |text: &str, check: fn(&Part<'_>) -> bool| {
            let request = Term::parse(text).unwrap();
            assert!(check(&Part::of(&request)), "{text}");
        };
        is("{put_chars,unicode,[120]}", |part| {
            matches!(part, Part::Print(_, Encoding::Unicode))
        });
        is("{put_chars,latin1,[120]}", |part| {
            matches!(part, Part::Print(_, Encoding::Latin1))
        });
        is("{put_chars,unicode,io_lib,format,[[],[]]}", |part| {
            matches!(part, Part::Format(_, Encoding::Unicode))
        });
        is("{get_line,unicode,[]}", |part| matches!(part, Part::Read));
        is("{get_until,unicode,[],m,f,[]}", |part| matches!(part, Part::Read));
        is("getopts", |part| matches!(part, Part::Unknown));
        is("{setopts,[binary]}", |part| matches!(part, Part::Unknown));
        let several = Term::parse("{requests,[{put_chars,[120]},getopts]}").unwrap();
        assert_eq!(parts(&several).len(), 2);
    }
}
