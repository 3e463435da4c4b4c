//! Lists of bytes are stored differently from other lists. Only `as_bytes` may reveal the difference.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::made;
use crate::etf::*;

/// Elements, of which all, some or none are bytes.
fn elements() -> impl Strategy<Value = Vec<Term>> {
    let byte = any::<u8>().prop_map(Term::from);
    let near = prop_oneof![6 => any::<u8>().prop_map(Term::from), 1 => (-2i64..260).prop_map(Term::from)];
    prop_oneof![
        2 => vec(byte.clone(), 0..40),
        1 => vec(byte, 0..4),
        2 => vec(near, 0..40),
        1 => vec(made::term(), 0..6),
    ]
}

fn hash(term: &Term) -> u64 {
    let mut hasher = DefaultHasher::new();
    term.hash(&mut hasher);
    hasher.finish()
}

/// The list in the long form, which no encoder uses for a list of bytes.
fn long_form(elements: &[Term]) -> Vec<u8> {
    let mut bytes = vec![131];
    if !elements.is_empty() {
        bytes.push(108);
        bytes.extend((elements.len() as u32).to_be_bytes());
    }
    for element in elements {
        bytes.extend_from_slice(&element.encode().unwrap()[1..]);
    }
    bytes.push(106);
    bytes
}

/// The same list, created in every possible way.
fn made_in_all_ways(elements: &[Term]) -> Vec<Term> {
    let list = Term::from(elements.to_vec());
    let encoded = list.encode().unwrap();
    let last = elements.last().map(|last| Term::from(vec![last.clone()]));
    let before = elements.split_last().map_or(&[][..], |(_, before)| before);
    let mut all = vec![
        Term::decode(&encoded).unwrap(),
        Term::decode_shared(&encoded, &Limits::default()).unwrap(),
        Term::decode(&long_form(elements)).unwrap(),
        Term::list(elements.to_vec(), Term::NIL),
        Term::list(before.to_vec(), last.unwrap_or_default()),
        Term::List(elements.iter().cloned().collect()),
        to_term(&elements).unwrap(),
        from_bytes(&encoded).unwrap(),
    ];
    if let Ok(bytes) = elements.iter().map(u8::try_from).collect::<Result<Vec<_>, _>>() {
        let text: String = bytes.iter().copied().map(char::from).collect();
        all.push(Term::charlist(&text));
        all.push(Term::parse(&list.print(Style::Plain).to_string()).unwrap());
        all.push(Term::parse(&list.to_string()).unwrap());
        all.push(Term::List(List::from_bytes(Bytes::from(bytes))));
    }
    all.push(list);
    all
}

proptest! {
    /// However a list was created, the result is the same, and it is stored as bytes if possible.
    #[test]
    fn a_list_is_the_same_however_it_was_made(elements in elements()) {
        let all = made_in_all_ways(&elements);
        let is_bytes = !elements.is_empty() && elements.iter().all(|element| u8::try_from(element).is_ok());
        for term in &all {
            prop_assert_eq!(term, &all[0]);
            prop_assert_eq!(hash(term), hash(&all[0]));
            prop_assert_eq!(term.cmp(&all[0]), std::cmp::Ordering::Equal);
            prop_assert_eq!(term.as_list().unwrap().as_bytes().is_some(), is_bytes);
        }
    }

    /// Every method of access returns the elements that the list was created from.
    #[test]
    fn a_list_lends_its_elements(elements in elements()) {
        let list = List::from(elements.clone());
        prop_assert_eq!(list.len(), elements.len());
        prop_assert_eq!(list.is_empty(), elements.is_empty());
        prop_assert_eq!(list.first(), elements.first());
        prop_assert_eq!(list.iter().len(), elements.len());
        prop_assert!(list.iter().eq(&elements));
        prop_assert!(list.iter().rev().eq(elements.iter().rev()));
        prop_assert!((&list).into_iter().eq(&elements));
        for place in 0..=elements.len() {
            prop_assert_eq!(list.get(place), elements.get(place));
        }
        prop_assert!(elements.iter().all(|element| list.contains(element)));
        prop_assert!(!list.contains(&term!(@"not in it, surely")));
        let three = elements.get(..3).filter(|_| elements.len() == 3).map(|three| [&three[0], &three[1], &three[2]]);
        prop_assert_eq!(list.as_array(), three);
        prop_assert_eq!(list.clone().into_iter().collect::<Vec<_>>(), elements.clone());
        prop_assert_eq!(Vec::from(list), elements);
    }

    /// Two lists are ordered by their elements, one after another, also as keys of a map and with a tail.
    #[test]
    fn lists_are_compared_by_their_elements(one in elements(), two in elements(), shared in 0usize..40) {
        // The lists often begin with the same elements.
        let start = one.len().min(shared);
        let two = [&one[..start], &two[..]].concat();
        let (first, second) = (Term::from(one.clone()), Term::from(two.clone()));
        prop_assert_eq!(first == second, one == two);
        prop_assert_eq!(first.cmp(&second), one.cmp(&two));
        let tailed = |elements: &[Term]| Term::list(elements.to_vec(), term!(tail));
        if one.len() == two.len() && !one.is_empty() {
            prop_assert_eq!(tailed(&one).cmp(&tailed(&two)), one.cmp(&two));
        }
        let map = Map::from_iter([(first.clone(), term!(first)), (second, term!(second))]);
        prop_assert_eq!(map.len(), if one == two { 1 } else { 2 });
        prop_assert_eq!(map.get(&first), Some(&if one == two { term!(second) } else { term!(first) }));
    }

    /// Printing a list, and reading it through serde, gives its elements.
    #[test]
    fn a_list_is_printed_and_read_by_its_elements(elements in elements()) {
        let list = Term::from(elements.clone());
        let each: Vec<_> = elements.iter().map(|element| element.print(Style::Plain).to_string()).collect();
        prop_assert_eq!(list.print(Style::Plain).to_string(), format!("[{}]", each.join(",")));
        prop_assert_eq!(from_term::<Vec<Term>>(&list).unwrap(), elements.clone());
        let numbers = elements.iter().map(|element| i64::try_from(element).ok()).collect::<Option<Vec<_>>>();
        prop_assert_eq!(from_term::<Vec<i64>>(&list).ok(), numbers.clone());
        let two = numbers.and_then(|numbers| <[i64; 2]>::try_from(numbers).ok());
        prop_assert_eq!(from_term::<[i64; 2]>(&list).ok(), two);
        let text: Result<String, _> = elements
            .iter()
            .map(|element| u32::try_from(element).ok().and_then(char::from_u32).ok_or(()))
            .collect();
        prop_assert_eq!(String::try_from(&list).map_err(drop), text);
    }
}
