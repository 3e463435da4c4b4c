use std::collections::VecDeque;

use super::Message;
use super::mail::Letter;
use super::mail::Mail;

/// What a process has taken out of its mailbox and not yet received.
#[derive(Debug, Default)]
pub(super) struct Queue {
    mails: VecDeque<Mail>,
    /// Messages and bytes received since the mailbox was last told.
    received: (usize, usize),
    /// Places at the front, at least, for which no connection is charged any more.
    settled: usize,
}

/// A message that was received.
#[derive(Debug)]
pub(super) struct Received<T> {
    /// What was made of it.
    pub(super) value: T,
    /// The connection that brought it, and what that is not charged for any more.
    pub(super) connection: u32,
    pub(super) settled: u32,
}

impl Queue {
    /// Places that are taken; a run has one.
    pub(super) fn len(&self) -> usize {
        self.mails.len()
    }

    /// Messages received that the mailbox has not been told of.
    pub(super) const fn received(&self) -> usize {
        self.received.0
    }

    /// Messages and bytes received since this was last asked.
    pub(super) fn take_received(&mut self) -> (usize, usize) {
        std::mem::take(&mut self.received)
    }

    /// Adds all that the mailbox has.
    pub(super) fn append(&mut self, mails: &mut VecDeque<Mail>) {
        if self.mails.is_empty() {
            std::mem::swap(mails, &mut self.mails);
        } else {
            self.mails.append(mails);
        }
    }

    /// The first message, as `read` makes of it.
    pub(super) fn take<T>(&mut self, read: impl FnOnce(Letter<'_>) -> T) -> Option<Received<T>> {
        let received = self.read(0, read)?;
        if self.mails.front().is_some_and(|mail| mail.left() == 0) {
            self.mails.pop_front();
            self.settled = self.settled.saturating_sub(1);
        }
        Some(received)
    }

    /// What was passed over, the mail before this place: the connection that brought each, and what that is not charged for
    /// any more.
    pub(super) fn pass_over(&mut self, place: usize) -> impl Iterator<Item = (u32, u32)> {
        let first = self.settled.min(place);
        self.settled = self.settled.max(place);
        let passed = self.mails.range_mut(first..place);
        passed.map(|mail| (mail.connection(), mail.settle()))
    }

    /// The message in this place, as `read` makes of it. A run there is taken apart, since messages may be left in it. The
    /// place stays: [`Queue::put_back`] or [`Queue::remove`] must say what becomes of it.
    pub(super) fn take_at<T>(&mut self, place: usize, read: impl FnOnce(Letter<'_>) -> T) -> Option<Received<T>> {
        if matches!(self.mails.get(place)?, Mail::Packed(_)) {
            self.unpack(place);
        }
        self.read(place, read)
    }

    fn read<T>(&mut self, place: usize, read: impl FnOnce(Letter<'_>) -> T) -> Option<Received<T>> {
        let mail = self.mails.get_mut(place)?;
        let (connection, cost) = (mail.connection(), mail.cost());
        let value = read(mail.next()?);
        let left = mail.left();
        let settled = if left == 0 { mail.settle() } else { 0 };
        self.received.0 += 1;
        self.received.1 += cost - left;
        Some(Received {
            value,
            connection,
            settled,
        })
    }

    /// Leaves a message where it was.
    pub(super) fn put_back(&mut self, place: usize, message: Message) {
        let mail = Mail::from(message);
        self.received.0 -= 1;
        self.received.1 = self.received.1.saturating_sub(mail.cost());
        if let Some(there) = self.mails.get_mut(place) {
            *there = mail;
        }
    }

    /// Gives up a place whose message was taken.
    pub(super) fn remove(&mut self, place: usize) {
        self.mails.remove(place);
        self.settled = self.settled.saturating_sub(1);
    }

    /// Drops the first of those that nobody sent for which this holds.
    pub(super) fn discard(&mut self, is_it: impl Fn(&Message) -> bool) {
        let is_mail = |mail: &Mail| matches!(mail, Mail::Other(message) if is_it(message));
        if let Some(place) = self.mails.iter().position(is_mail) {
            self.take_at(place, |_| ());
            self.remove(place);
        }
    }

    /// All of it, when nobody will receive it any more.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Mail> {
        self.mails.drain(..)
    }

    /// Takes apart the run in this place.
    fn unpack(&mut self, place: usize) {
        let behind = self.mails.split_off(place + 1);
        if let Some(Mail::Packed(packed)) = self.mails.pop_back() {
            self.received.1 += packed.cost();
            for mail in packed.unpack() {
                // Alone it may cost more than in the run.
                self.received.1 = self.received.1.saturating_sub(mail.cost());
                self.mails.push_back(mail);
            }
        }
        self.mails.extend(behind);
    }
}
