use bytes::Bytes;
use bytes::BytesMut;

/// The memory that several small pieces share, in bytes. One of them that stays keeps all of it.
pub const PAGE: usize = 1024;

/// The longest piece that shares a page, in bytes: most calls and their answers.
const PIECE_MAX: usize = PAGE / 4;

/// Copies pieces out of the buffer in which they arrived.
///
/// A piece that waits for its reader would keep all of that buffer, so that a few small ones could keep a thousand times
/// their size. A small piece becomes a part of a page, which is used again when its pieces are gone, so that short waits cost
/// no allocation. A larger one has memory of its own.
#[derive(Debug, Default)]
pub struct Pages {
    /// Where the next small pieces go.
    page: BytesMut,
}

impl Pages {
    /// A copy of `piece`.
    #[inline]
    pub fn copy(&mut self, piece: &[u8]) -> Bytes {
        if piece.len() > PIECE_MAX {
            return Bytes::copy_from_slice(piece);
        }
        if self.page.capacity() < piece.len() {
            self.page.reserve(PAGE);
        }
        self.page.extend_from_slice(piece);
        self.page.split().freeze()
    }
}

/// Gives a piece that waits longer than others memory of its own, if it may be a part of a page.
pub fn detach(piece: &mut Bytes) {
    if piece.len() <= PIECE_MAX {
        *piece = Bytes::copy_from_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_used_again_once_their_pieces_are_gone() {
        let mut pages = Pages::default();
        let mut places = std::collections::BTreeSet::new();
        for round in 0..1000_u32 {
            let piece = pages.copy(&round.to_be_bytes());
            assert_eq!(piece[..], round.to_be_bytes());
            places.insert(piece.as_ptr() as usize / PAGE);
        }
        assert!(places.len() <= 2, "{} pages", places.len());
    }

    #[test]
    fn a_piece_that_stays_keeps_its_content_and_one_page() {
        let mut pages = Pages::default();
        let kept: Vec<_> = (0..1000_u32).map(|number| pages.copy(&number.to_be_bytes())).collect();
        assert!(
            kept.iter()
                .zip(0_u32..)
                .all(|(piece, number)| piece[..] == number.to_be_bytes())
        );
        let mut one = kept.into_iter().nth(500).unwrap();
        let shared = one.as_ptr();
        detach(&mut one);
        assert_eq!(one[..], 500_u32.to_be_bytes());
        assert_ne!(one.as_ptr(), shared);
        let long = pages.copy(&[7; PAGE]);
        assert_eq!(long[..], [7; PAGE]);
    }
}
