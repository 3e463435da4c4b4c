use std::cmp::Ordering;

use super::Big;
use super::Bits;
use super::Elements;
use super::Export;
use super::Float;
use super::Map;
use super::NodePid;
use super::NodePort;
use super::NodeReference;
use super::Term;

impl PartialOrd for Term {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Term {
    /// Compares in the order that Erlang gives the keys of a map (`maps:iterator(Map, ordered)`): like `<`, but every
    /// integer comes before every float, so that distinct terms never compare equal. Pids, ports and references are
    /// ordered by number, then by node. Local funs are ordered by their bytes, where Erlang compares their contents.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(one), Self::Integer(two)) => one.cmp(two),
            (Self::Atom(one), Self::Atom(two)) => one.cmp(two),
            (Self::Binary(one), Self::Binary(two)) => one.cmp(two),
            (Self::Tuple(one), Self::Tuple(two)) => one.len().cmp(&two.len()).then_with(|| one.cmp(two)),
            (Self::List(_) | Self::Improper(_), Self::List(_) | Self::Improper(_)) => lists(self, other),
            (Self::Map(one), Self::Map(two)) => maps(one, two),
            (Self::Big(one), Self::Big(two)) => one.cmp(two),
            (Self::Big(big), Self::Integer(_)) => sign(big),
            (Self::Integer(_), Self::Big(big)) => sign(big).reverse(),
            (Self::Float(one), Self::Float(two)) => one.cmp(two),
            (Self::Binary(one), Self::Bits(two)) => one.cmp(two.bytes()).then(Ordering::Greater),
            (Self::Bits(one), Self::Binary(two)) => one.bytes().cmp(two).then(Ordering::Less),
            (Self::Bits(one), Self::Bits(two)) => bits(one, two),
            (Self::Pid(one), Self::Pid(two)) => pids(one, two),
            (Self::Port(one), Self::Port(two)) => ports(one, two),
            (Self::Reference(one), Self::Reference(two)) => references(one, two),
            (Self::Export(one), Self::Export(two)) => exports(one, two),
            (Self::Fun(one), Self::Fun(two)) => one.bytes().cmp(two.bytes()),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

/// Compares a term with the atom of this name.
pub(super) fn with_atom(term: &Term, name: &str) -> Ordering {
    match term {
        Term::Atom(atom) => atom.as_bytes().cmp(name.as_bytes()),
        _ => rank(term).cmp(&ATOM),
    }
}

const ATOM: u8 = 2;

/// The rank of a term's type in Erlang's order of types. Types that are compared by value share one.
const fn rank(term: &Term) -> u8 {
    match term {
        Term::Integer(_) | Term::Big(_) => 0,
        Term::Float(_) => 1,
        Term::Atom(_) => ATOM,
        Term::Reference(_) => 3,
        Term::Fun(_) => 4,
        Term::Export(_) => 5,
        Term::Port(_) => 6,
        Term::Pid(_) => 7,
        Term::Tuple(_) => 8,
        Term::Map(_) => 9,
        Term::List(_) | Term::Improper(_) => 10,
        Term::Binary(_) | Term::Bits(_) => 11,
    }
}

/// Compares element by element, then the rest of the longer list.
fn lists(one: &Term, two: &Term) -> Ordering {
    let (mut items_one, tail_one) = parts(one);
    let (mut items_two, tail_two) = parts(two);
    loop {
        match (items_one.next(), items_two.next()) {
            (Some(item_one), Some(item_two)) => match item_one.cmp(item_two) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
            // The rest of the longer list is a non-empty list.
            (None, Some(_)) => return tail_one.map_or(Ordering::Less, |tail| rank(tail).cmp(&rank(two))),
            (Some(_), None) => return tail_two.map_or(Ordering::Greater, |tail| rank(one).cmp(&rank(tail))),
            (None, None) => {
                return match (tail_one, tail_two) {
                    (Some(one), Some(two)) => one.cmp(two),
                    (None, Some(two)) => rank(&Term::NIL).cmp(&rank(two)),
                    (Some(one), None) => rank(one).cmp(&rank(&Term::NIL)),
                    (None, None) => Ordering::Equal,
                };
            }
        }
    }
}

/// The elements of a list, and its tail unless that is `[]`.
fn parts(list: &Term) -> (Elements<'_>, Option<&Term>) {
    match list {
        Term::List(list) => (list.iter(), None),
        Term::Improper(list) => (Elements::of_terms(list.elements()), Some(list.tail())),
        _ => (Elements::of_terms(&[]), None),
    }
}

/// Compares by size, then by keys, then by values.
fn maps(one: &Map, two: &Map) -> Ordering {
    let keys = || one.iter().map(|(key, _)| key).cmp(two.iter().map(|(key, _)| key));
    let values = || {
        one.iter()
            .map(|(_, value)| value)
            .cmp(two.iter().map(|(_, value)| value))
    };
    one.len().cmp(&two.len()).then_with(keys).then_with(values)
}

/// Compares an integer outside the range of `i64` with one inside it.
const fn sign(big: &Big) -> Ordering {
    if big.is_negative() {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

impl PartialOrd for Big {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Big {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, two) = (self.magnitude(), other.magnitude());
        // Little-endian, without trailing zeros: the longer magnitude is the larger one.
        let distance = one
            .len()
            .cmp(&two.len())
            .then_with(|| one.iter().rev().cmp(two.iter().rev()));
        match (self.is_negative(), other.is_negative()) {
            (false, false) => distance,
            (true, true) => distance.reverse(),
            (one, two) => two.cmp(&one),
        }
    }
}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Float {
    /// Compares by value; -0.0 comes before 0.0.
    fn cmp(&self, other: &Self) -> Ordering {
        self.get().total_cmp(&other.get())
    }
}

fn pids(one: &NodePid, two: &NodePid) -> Ordering {
    let number = |pid: &NodePid| (pid.pid.serial, pid.pid.id);
    let incarnation = |pid: &NodePid| pid.pid.creation;
    (number(one), &one.node, incarnation(one)).cmp(&(number(two), &two.node, incarnation(two)))
}

fn ports(one: &NodePort, two: &NodePort) -> Ordering {
    (one.port.id, &one.node, one.port.creation).cmp(&(two.port.id, &two.node, two.port.creation))
}

fn references(one: &NodeReference, two: &NodeReference) -> Ordering {
    let words = |value: &NodeReference| value.reference.words().len();
    let number = words(one).cmp(&words(two)).then_with(|| {
        let (one, two) = (one.reference.words(), two.reference.words());
        one.iter().rev().cmp(two.iter().rev())
    });
    number.then_with(|| (&one.node, one.reference.creation).cmp(&(&two.node, two.reference.creation)))
}

fn exports(one: &Export, two: &Export) -> Ordering {
    (&one.module, &one.function, one.arity).cmp(&(&two.module, &two.function, two.arity))
}

fn bits(one: &Bits, two: &Bits) -> Ordering {
    (one.bytes(), one.last()).cmp(&(two.bytes(), two.last()))
}
