use crate::wire::StrandId;

/// The entries of a page.
const PAGE: usize = 16;

/// A table with an entry for each strand that a circuit has used, without hashing.
///
/// Most circuits use a few strands, and those that live long nearly all, so entries are allocated by pages.
#[derive(Debug)]
pub(super) struct Strands<T> {
    pages: Vec<Option<Box<[T; PAGE]>>>,
    /// The memory of the table in bytes.
    bytes: u64,
}

impl<T> Default for Strands<T> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            bytes: 0,
        }
    }
}

impl<T: Default> Strands<T> {
    /// The entry of a strand, if its page was ever used.
    #[inline]
    pub(super) fn get(&self, strand: StrandId) -> Option<&T> {
        let (page, entry) = place(strand);
        self.pages.get(page)?.as_deref()?.get(entry)
    }

    /// The same, to be changed.
    #[inline]
    pub(super) fn get_mut(&mut self, strand: StrandId) -> Option<&mut T> {
        let (page, entry) = place(strand);
        self.pages.get_mut(page)?.as_deref_mut()?.get_mut(entry)
    }

    /// The entry of a strand, which is a default one at first.
    #[inline]
    pub(super) fn entry(&mut self, strand: StrandId) -> &mut T {
        let (page, entry) = place(strand);
        if self.pages.get(page).is_none_or(Option::is_none) {
            self.add(page);
        }
        #[expect(
            clippy::indexing_slicing,
            reason = "the page is there now, and an entry is below `PAGE`"
        )]
        let entry = &mut self.pages[page].get_or_insert_with(Self::page)[entry];
        entry
    }

    #[cold]
    fn add(&mut self, page: usize) {
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        if let Some(missing) = self.pages.get_mut(page) {
            *missing = Some(Self::page());
        }
        let pages = self.pages.iter().flatten().count();
        let bytes = pages * size_of::<[T; PAGE]>() + self.pages.capacity() * size_of::<Option<Box<[T; PAGE]>>>();
        self.bytes = bytes as u64;
    }

    fn page() -> Box<[T; PAGE]> {
        Box::new(std::array::from_fn(|_| T::default()))
    }

    /// All entries of all pages, in the order of the strands.
    pub(super) fn iter(&self) -> impl Iterator<Item = (StrandId, &T)> {
        let pages = (0..).step_by(PAGE).zip(&self.pages);
        pages.flat_map(|(first, page)| (first..).zip(page.iter().flat_map(|page| page.iter())))
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (StrandId, &mut T)> {
        let pages = (0..).step_by(PAGE).zip(&mut self.pages);
        pages.flat_map(|(first, page)| (first..).zip(page.iter_mut().flat_map(|page| page.iter_mut())))
    }

    /// The memory of the table in bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

const fn place(strand: StrandId) -> (usize, usize) {
    let strand = strand as usize;
    (strand / PAGE, strand % PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::STRANDS;

    #[test]
    fn entries_come_with_their_pages() {
        let mut strands = Strands::<u64>::default();
        assert_eq!((strands.bytes(), strands.get(40)), (0, None));
        *strands.entry(40) = 7;
        *strands.entry(3) = 8;
        assert_eq!(
            (strands.get(40), strands.get(41), strands.get(20)),
            (Some(&7), Some(&0), None)
        );
        let used = strands.iter().filter(|(_, number)| **number > 0);
        assert_eq!(used.collect::<Vec<_>>(), [(3, &8), (40, &7)]);
        for (_, number) in strands.iter_mut() {
            *number += 1;
        }
        assert_eq!(strands.get_mut(3), Some(&mut 9));
        for strand in 0..STRANDS {
            *strands.entry(strand) += 1;
        }
        let exact = u64::from(STRANDS) * 8;
        assert!(
            (exact..exact + 8192).contains(&strands.bytes()),
            "{} bytes",
            strands.bytes()
        );
        assert_eq!(strands.iter().count(), usize::from(STRANDS));
    }
}
