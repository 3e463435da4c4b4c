use bytes::Bytes;

use crate::codec::Account;
use crate::codec::Charge;

/// The memory that small bodies share, in bytes. One of them that stays keeps all of it.
const PAGE: usize = 2048;

/// The longest body that shares a page, in bytes: most calls and their answers.
pub(super) const PAGED_MAX: usize = PAGE / 8;

/// Gives a body that waits longer than others memory of its own, if it is a part of a page.
pub fn detach(body: &mut Bytes) {
    if body.len() <= PAGED_MAX && !body.is_unique() {
        *body = Bytes::copy_from_slice(body);
    }
}

/// Small bodies that came together. They become one allocation, which counts in the account as long as one of them is there.
#[derive(Debug)]
pub(super) struct Page {
    bytes: Vec<u8>,
    /// For each body: the place of its frame, and its end.
    bodies: Vec<(usize, usize)>,
    account: Account,
}

/// A page that is complete.
struct Shared {
    bytes: Box<[u8]>,
    _charge: Charge,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Page {
    pub(super) fn new(account: &Account) -> Self {
        Self {
            bytes: Vec::new(),
            bodies: Vec::new(),
            account: account.clone(),
        }
    }

    /// Adds the body of the frame that will be at this place.
    #[inline]
    pub(super) fn add(&mut self, body: &[u8], place: usize) {
        self.bytes.extend_from_slice(body);
        self.bodies.push((place, self.bytes.len()));
    }

    /// Whether it should be given away before another body is added.
    #[inline]
    pub(super) const fn is_full(&self) -> bool {
        self.bytes.len() + PAGED_MAX > PAGE
    }

    /// Gives each body to the frame at its place. One that is alone has memory of its own, which counts with its frame.
    pub(super) fn give(&mut self, mut give: impl FnMut(usize, Bytes)) {
        let shared = match self.bodies.as_slice() {
            [] => return,
            [_] => Bytes::copy_from_slice(&self.bytes),
            _ => Bytes::from_owner(Shared {
                bytes: self.bytes.as_slice().into(),
                _charge: self.account.charge(self.bytes.len() as u64),
            }),
        };
        let mut start = 0;
        for (place, end) in self.bodies.drain(..) {
            give(place, shared.slice(start..end));
            start = end;
        }
        self.bytes.clear();
    }
}
