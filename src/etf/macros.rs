/// Constructs a [`Term`](crate::etf::Term) in a notation close to Erlang's.
///
/// | notation | result |
/// |---|---|
/// | `ok`, `true`, `undefined` | an atom |
/// | `@"Elixir.Enum"` | an atom whose name is not a Rust identifier |
/// | `7`, `-2.5`, `'c'` | an integer, a float, a character's code point |
/// | `"text"`, `b"\x01\x02"` | a binary |
/// | `{a, 1}` | a tuple |
/// | `[1, 2]`, `[1, 2 \| (rest)]` | a list, a list with a tail |
/// | `#{name => "x", 1 => 2}` | a map |
/// | `(expression)` | a Rust value, through `Term::from` |
///
/// Names of atoms are checked at compile time. Integers outside the range of `i32` need a suffix: `5_000_000_000i64`.
///
/// ```
/// use beamway::etf::Term;
/// use beamway::term;
///
/// let (id, tags) = (7u64, vec!["new", "red"]);
/// let order = term!({order, (id), #{tags => (tags), by => @"Elixir.Shop", price => 12.5, note => []}});
/// assert_eq!(
///     order.to_string(),
///     r#"{order,7,#{by => 'Elixir.Shop',note => [],price => 12.5,tags => [<<"new">>,<<"red">>]}}"#
/// );
/// assert_eq!(term!([1, 2 | tail]).to_string(), "[1,2|tail]");
/// assert_eq!(term!([]), Term::NIL);
/// ```
#[macro_export]
macro_rules! term {
    // A sequence of items: `@row kind [terms so far] rest`. An item is one token tree, except for maps, `-` and `@`.
    (@row $kind:ident [$($done:expr,)*]) => { $crate::term!(@$kind [$($done,)*]) };
    (@row $kind:ident [$($done:expr,)*] # $map:tt $($rest:tt)*) => {
        $crate::term!(@after $kind [$($done,)* $crate::term!(# $map),] $($rest)*)
    };
    (@row $kind:ident [$($done:expr,)*] - $number:tt $($rest:tt)*) => {
        $crate::term!(@after $kind [$($done,)* $crate::term!(- $number),] $($rest)*)
    };
    (@row $kind:ident [$($done:expr,)*] @ $name:tt $($rest:tt)*) => {
        $crate::term!(@after $kind [$($done,)* $crate::term!(@ $name),] $($rest)*)
    };
    (@row $kind:ident [$($done:expr,)*] $item:tt $($rest:tt)*) => {
        $crate::term!(@after $kind [$($done,)* $crate::term!($item),] $($rest)*)
    };
    (@after $kind:ident [$($done:expr,)*]) => { $crate::term!(@$kind [$($done,)*]) };
    (@after $kind:ident [$($done:expr,)*] , $($rest:tt)*) => { $crate::term!(@row $kind [$($done,)*] $($rest)*) };
    (@after list [$($done:expr,)*] | $($tail:tt)+) => {
        $crate::etf::Term::list(::std::vec![$($done),*], $crate::term!($($tail)+))
    };
    (@tuple [$($done:expr,)*]) => { $crate::etf::Term::Tuple(::std::vec![$($done),*]) };
    (@list []) => { $crate::etf::Term::NIL };
    (@list [$($done:expr,)*]) => { $crate::etf::Term::List(::std::vec![$($done),*].into()) };

    // The pairs of a map: `@key [pairs so far] rest`, and once the key is known `@value [pairs so far] {key} rest`.
    (@key [$($done:expr,)*]) => {
        $crate::etf::Term::Map(<$crate::etf::Map as ::std::iter::FromIterator<_>>::from_iter([$($done),*]))
    };
    (@key [$($done:expr,)*] # $key:tt => $($rest:tt)*) => { $crate::term!(@value [$($done,)*] {# $key} $($rest)*) };
    (@key [$($done:expr,)*] - $key:tt => $($rest:tt)*) => { $crate::term!(@value [$($done,)*] {- $key} $($rest)*) };
    (@key [$($done:expr,)*] @ $key:tt => $($rest:tt)*) => { $crate::term!(@value [$($done,)*] {@ $key} $($rest)*) };
    (@key [$($done:expr,)*] $key:tt => $($rest:tt)*) => { $crate::term!(@value [$($done,)*] {$key} $($rest)*) };
    (@value [$($done:expr,)*] {$($key:tt)*} # $value:tt $(, $($rest:tt)*)?) => {
        $crate::term!(@key [$($done,)* ($crate::term!($($key)*), $crate::term!(# $value)),] $($($rest)*)?)
    };
    (@value [$($done:expr,)*] {$($key:tt)*} - $value:tt $(, $($rest:tt)*)?) => {
        $crate::term!(@key [$($done,)* ($crate::term!($($key)*), $crate::term!(- $value)),] $($($rest)*)?)
    };
    (@value [$($done:expr,)*] {$($key:tt)*} @ $value:tt $(, $($rest:tt)*)?) => {
        $crate::term!(@key [$($done,)* ($crate::term!($($key)*), $crate::term!(@ $value)),] $($($rest)*)?)
    };
    (@value [$($done:expr,)*] {$($key:tt)*} $value:tt $(, $($rest:tt)*)?) => {
        $crate::term!(@key [$($done,)* ($crate::term!($($key)*), $crate::term!($value)),] $($($rest)*)?)
    };

    // One term.
    (# { $($pairs:tt)* }) => { $crate::term!(@key [] $($pairs)*) };
    ({ $($items:tt)* }) => { $crate::term!(@row tuple [] $($items)*) };
    ([ $($items:tt)* ]) => { $crate::term!(@row list [] $($items)*) };
    (@ $name:literal) => { const { $crate::etf::Term::atom($name) } };
    (- $number:literal) => { $crate::etf::Term::from(- $number) };
    (( $value:expr )) => { $crate::etf::Term::from($value) };
    ($name:ident) => { const { $crate::etf::Term::atom(::std::stringify!($name)) } };
    ($value:literal) => { $crate::etf::Term::from($value) };
}
