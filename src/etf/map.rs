use super::Term;

/// A map: pairs sorted by key (in the order of [`Term`]), without duplicate keys.
///
/// Because pairs are sorted, comparing two maps or hashing one takes a single pass. In any other order an attacker
/// could nest maps so that the cost of a comparison doubles with every level.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Map {
    pairs: Vec<(Term, Term)>,
}

impl Map {
    /// Creates an empty map.
    pub const fn new() -> Self {
        Self { pairs: Vec::new() }
    }

    /// Creates a map from pairs; `None` if a key occurs twice.
    pub fn from_pairs(mut pairs: Vec<(Term, Term)>) -> Option<Self> {
        let is_ordered = |pairs: &[(Term, Term)]| pairs.is_sorted_by(|(one, _), (two, _)| one < two);
        if !is_ordered(&pairs) {
            pairs.sort_by(|(one, _), (two, _)| one.cmp(two));
            if !is_ordered(&pairs) {
                return None;
            }
        }
        Some(Self { pairs })
    }

    /// The number of pairs.
    pub const fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether the map is empty.
    pub const fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The pairs, sorted by key.
    pub fn iter(&self) -> std::slice::Iter<'_, (Term, Term)> {
        self.pairs.iter()
    }

    /// The value of a key.
    pub fn get(&self, key: &Term) -> Option<&Term> {
        let place = self.pairs.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        self.pairs.get(place).map(|(_, value)| value)
    }

    /// The value of the key that is an atom with this name.
    pub fn get_atom(&self, key: &str) -> Option<&Term> {
        let place = self
            .pairs
            .binary_search_by(|(other, _)| super::order::with_atom(other, key))
            .ok()?;
        self.pairs.get(place).map(|(_, value)| value)
    }

    /// Sets the value of a key. Returns the previous value.
    pub fn insert(&mut self, key: Term, value: Term) -> Option<Term> {
        match self.pairs.binary_search_by(|(other, _)| other.cmp(&key)) {
            Ok(place) => {
                let pair = self.pairs.get_mut(place)?;
                Some(std::mem::replace(&mut pair.1, value))
            }
            Err(place) => {
                self.pairs.insert(place, (key, value));
                None
            }
        }
    }

    /// Removes a key. Returns its value.
    pub fn remove(&mut self, key: &Term) -> Option<Term> {
        let place = self.pairs.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        Some(self.pairs.remove(place).1)
    }
}

impl FromIterator<(Term, Term)> for Map {
    /// If a key occurs more than once, the last value wins, as with `maps:from_list/1`.
    fn from_iter<I: IntoIterator<Item = (Term, Term)>>(pairs: I) -> Self {
        let mut pairs: Vec<(Term, Term)> = pairs.into_iter().collect();
        // The sort is stable: after reversing, the last of equal keys comes first.
        pairs.reverse();
        pairs.sort_by(|(one, _), (two, _)| one.cmp(two));
        pairs.dedup_by(|(later, _), (kept, _)| later == kept);
        Self { pairs }
    }
}

impl IntoIterator for Map {
    type Item = (Term, Term);
    type IntoIter = std::vec::IntoIter<(Term, Term)>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = &'a (Term, Term);
    type IntoIter = std::slice::Iter<'a, (Term, Term)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
