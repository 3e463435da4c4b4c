use crate::dist::Control;
use crate::dist::Destination;
use crate::dist::Format;
use crate::dist::Lesson;
use crate::dist::PacketError;
use crate::dist::Run;
use crate::dist::scan;
use crate::dist::scan_first;
use crate::order::Address;
use crate::order::Head;
use crate::order::Part;
use crate::wire::Content;

/// A signal, a part of one, or a run, as a local BEAM or a native node sent it.
#[derive(Clone, Debug)]
pub struct Intake {
    /// Sender and address. Later parts have none.
    pub head: Option<Head>,
    /// What the signal says about the aliases of the *remote* node: a DOWN removes the alias of its monitor.
    pub lesson: Option<Lesson>,
    /// The content.
    pub content: Content,
}

impl Intake {
    /// Reads what a node sent on a connection of this format. The control term determines sender and address.
    ///
    /// # Errors
    /// If the control term is malformed. It would make the remote node close its connection, so this one is closed
    /// instead.
    pub fn read(content: Content, format: Format) -> Result<Self, PacketError> {
        let (head, lesson) = match &content {
            Content::Signal(body) => opening(&scan(body, format)?),
            Content::Run(packets) => opening(&Run::new(packets, format)?.control),
            Content::First { body, .. } => opening(&scan_first(body, format)?),
            Content::Next { .. } => (None, None),
        };
        Ok(Self { head, lesson, content })
    }

    /// A message, the first part of one, or a run, whose sender and address are known.
    pub const fn message(head: Head, content: Content) -> Self {
        Self {
            head: Some(head),
            lesson: None,
            content,
        }
    }

    /// The content as [`Outbound`](crate::order::Outbound) needs it.
    pub(super) const fn part(&self) -> Option<Part<'_>> {
        Some(match (&self.content, &self.head) {
            // A run has one place: its messages follow one another without other signals of their sender in between.
            (Content::Signal(_) | Content::Run(_), Some(head)) => Part::Whole(head),
            (Content::First { message, .. }, Some(head)) => Part::First {
                head,
                message: *message,
            },
            (Content::Next { message, remaining, .. }, _) => Part::Next {
                message: *message,
                last: *remaining == 1,
            },
            (Content::Signal(_) | Content::Run(_) | Content::First { .. }, None) => return None,
        })
    }
}

/// The head of a signal, and its lesson.
#[inline]
fn opening(control: &Control<'_>) -> (Option<Head>, Option<Lesson>) {
    let address = match &control.destination {
        Destination::Process(pid) => Address::Process(*pid),
        Destination::Alias(alias) => Address::Alias(*alias),
        Destination::Name(name) => Address::name(name),
        Destination::Node => Address::Node,
    };
    let head = Head {
        sender: control.sender,
        address,
    };
    (
        Some(head),
        control.lesson.filter(|_| !control.teaches_about_its_sender()),
    )
}
