use std::sync::Arc;

use bytes::Buf;
use bytes::Bytes;

use super::ConnectionError;
use super::inlet::Inlet;
use super::io::node::Shared;
use super::mail::Mail;
use super::mail::Packed;
use super::mailbox::Mailbox;
use super::outlet::Connection;
use crate::dist::Destination;
use crate::dist::Format;
use crate::dist::Run;
use crate::dist::Signal;
use crate::dist::scan;
use crate::etf::Atom;
use crate::etf::Pid;
use crate::wire::Content;

/// Delivers what arrives on one connection: messages to mailboxes, all other signals to the machine.
///
/// Consecutive messages for the same process are put into its mailbox together, when a message for another process arrives or
/// at [`Arrivals::flush`], when nothing more is there for now. This takes one lock and one wake-up for all of them.
pub(super) struct Arrivals {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    inlet: Inlet,
    /// The mailbox of the last receiver, and messages not yet put into it.
    mailbox: Option<Arc<Mailbox>>,
    mails: Vec<Mail>,
}

impl Arrivals {
    pub(super) fn new(shared: &Arc<Shared>, connection: &Arc<Connection>) -> Self {
        Self {
            shared: Arc::clone(shared),
            connection: Arc::clone(connection),
            inlet: Inlet::new(shared.config.message),
            mailbox: None,
            mails: Vec::new(),
        }
    }

    /// Takes a signal, a fragment of one, or a run.
    ///
    /// # Errors
    /// If it is malformed, or claims to come from another node.
    pub(super) fn take(&mut self, content: Content) -> Result<(), ConnectionError> {
        let is_run = matches!(content, Content::Run(_));
        let Some(mut body) = self.inlet.take(content)? else {
            return Ok(());
        };
        if is_run {
            return self.take_run(&body);
        }
        let control = scan(&body, Format::Header)?;
        if !control.operation.is_message() {
            self.flush();
            let signal = Signal::parse(&control, &body, &self.shared.config.limits)?;
            let (node, id) = (&self.connection.node, self.connection.id);
            return self.shared.apply(|machine| machine.handle_signal(node, id, signal));
        }
        let length = control.length;
        self.turn_to(&control.destination);
        body.advance(length);
        self.put(Mail::Encoded {
            payload: body,
            connection: self.connection.id,
            debt: 0,
        });
        Ok(())
    }

    /// A run stays whole: the receiver of its messages takes it apart.
    fn take_run(&mut self, packets: &Bytes) -> Result<(), ConnectionError> {
        let run = Run::new(packets, Format::Header)?;
        self.turn_to(&run.control.destination);
        let packed = Packed::new(run, packets, self.connection.id)?;
        self.put(Mail::Packed(packed.into()));
        Ok(())
    }

    /// Makes this the receiver of the next message.
    fn turn_to(&mut self, destination: &Destination<'_>) {
        let to = self.receiver(destination);
        if self.mailbox.as_ref().map(|mailbox| mailbox.pid) != to {
            self.flush();
            self.mailbox = to.and_then(|pid| self.shared.mailbox(pid));
        }
    }

    fn put(&mut self, mail: Mail) {
        if self.mailbox.is_some() {
            self.mails.push(mail);
        }
    }

    fn receiver(&self, destination: &Destination<'_>) -> Option<Pid> {
        match destination {
            Destination::Process(pid) => Some(*pid),
            Destination::Name(name) => {
                let name = Atom::new(std::str::from_utf8(name).ok()?).ok()?;
                self.shared.apply(|machine| machine.whereis(&name))
            }
            Destination::Alias(alias) => self.shared.apply(|machine| machine.resolve_alias(*alias)),
            Destination::Node => None,
        }
    }

    /// Puts the messages that were held back into their mailbox.
    pub(super) fn flush(&mut self) {
        if self.mails.is_empty() {
            return;
        }
        if let Some(mailbox) = &self.mailbox {
            match mailbox.push_all(self.mails.drain(..), &self.shared.config.mailbox) {
                0 => {}
                debt => self.connection.charge(debt),
            }
        }
    }
}
