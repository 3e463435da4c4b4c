use std::collections::VecDeque;

use super::Message;
use super::mail::Letter;
use super::mail::Mail;

/// Mail that a process has taken out of its mailbox and not received yet.
#[derive(Debug, Default)]
pub(super) struct Queue {
    mails: VecDeque<Mail>,
    /// Messages and bytes received since the mailbox was last informed.
    received: (usize, usize),
    /// Entries at the front for which no connection is charged any more. There may be more such entries.
    settled: usize,
}

/// A received message.
#[derive(Debug)]
pub(super) struct Received<T> {
    /// What `read` made of it.
    pub(super) value: T,
    /// The connection on which it arrived, and the bytes for which it is no longer charged.
    pub(super) connection: u32,
    pub(super) settled: u32,
}

impl Queue {
    /// Number of entries. A run is one entry.
    pub(super) fn len(&self) -> usize {
        self.mails.len()
    }

    /// Messages received of which the mailbox has not been informed.
    pub(super) const fn received(&self) -> usize {
        self.received.0
    }

    /// Messages and bytes received since the last call.
    pub(super) fn take_received(&mut self) -> (usize, usize) {
        std::mem::take(&mut self.received)
    }

    /// Adds all mail of the mailbox.
    pub(super) fn append(&mut self, mails: &mut VecDeque<Mail>) {
        if self.mails.is_empty() {
            std::mem::swap(mails, &mut self.mails);
        } else {
            self.mails.append(mails);
        }
    }

    /// Takes the first message, as `read` makes of it.
    pub(super) fn take<T>(&mut self, read: impl FnOnce(Letter<'_>) -> T) -> Option<Received<T>> {
        let received = self.read(0, read)?;
        if self.mails.front().is_some_and(|mail| mail.left() == 0) {
            self.mails.pop_front();
            self.settled = self.settled.saturating_sub(1);
        }
        Some(received)
    }

    /// Settles the mail before this position, which the receiver skips. Returns for each the connection, and the bytes for
    /// which it is no longer charged.
    pub(super) fn pass_over(&mut self, place: usize) -> impl Iterator<Item = (u32, u32)> {
        let first = self.settled.min(place);
        self.settled = self.settled.max(place);
        let passed = self.mails.range_mut(first..place);
        passed.map(|mail| (mail.connection(), mail.settle()))
    }

    /// Takes the message at this position, as `read` makes of it. A run there is unpacked, since some of its messages may
    /// stay. The entry itself stays: [`Queue::put_back`] or [`Queue::remove`] must decide about it.
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

    /// Puts a message back at its position.
    pub(super) fn put_back(&mut self, place: usize, message: Message) {
        let mail = Mail::from(message);
        self.received.0 -= 1;
        self.received.1 = self.received.1.saturating_sub(mail.cost());
        if let Some(there) = self.mails.get_mut(place) {
            *there = mail;
        }
    }

    /// Removes the entry of a message that was taken.
    pub(super) fn remove(&mut self, place: usize) {
        self.mails.remove(place);
        self.settled = self.settled.saturating_sub(1);
    }

    /// Drops the first notification for which `is_it` holds.
    pub(super) fn discard(&mut self, is_it: impl Fn(&Message) -> bool) {
        let is_mail = |mail: &Mail| matches!(mail, Mail::Other(message) if is_it(message));
        if let Some(place) = self.mails.iter().position(is_mail) {
            self.take_at(place, |_| ());
            self.remove(place);
        }
    }

    /// Takes all mail, when it will never be received.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Mail> {
        self.mails.drain(..)
    }

    /// Unpacks the run at this position.
    fn unpack(&mut self, place: usize) {
        let behind = self.mails.split_off(place + 1);
        if let Some(Mail::Packed(packed)) = self.mails.pop_back() {
            self.received.1 += packed.cost();
            for mail in packed.unpack() {
                // A single message may cost more than as part of a run.
                self.received.1 = self.received.1.saturating_sub(mail.cost());
                self.mails.push_back(mail);
            }
        }
        self.mails.extend(behind);
    }
}
