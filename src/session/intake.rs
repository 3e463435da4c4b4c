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

/// A signal, a part of one, or a run of them, as a local BEAM or a native node sent it.
#[derive(Clone, Debug)]
pub struct Intake {
    /// Where it goes: for all but later parts.
    pub head: Option<Head>,
    /// What it teaches about the aliases of the *far* node: a DOWN ends the alias of its monitor.
    pub lesson: Option<Lesson>,
    /// What it carries.
    pub content: Content,
}

impl Intake {
    /// What a node sent on a connection of this format: its control term says where it goes.
    ///
    /// # Errors
    /// If the control term is malformed: it would end the far node's connection, so it ends this one.
    pub fn read(content: Content, format: Format) -> Result<Self, PacketError> {
        let body = content.body().clone();
        Ok(match &content {
            Content::Signal(_) => Self::opening(&scan(&body, format)?, content),
            Content::Run(_) => Self::opening(&Run::new(&body, format)?.control, content),
            Content::First { .. } => Self::opening(&scan_first(&body, format)?, content),
            Content::Next { .. } => Self {
                head: None,
                lesson: None,
                content,
            },
        })
    }

    fn opening(control: &Control<'_>, content: Content) -> Self {
        let address = match &control.destination {
            Destination::Process(pid) => Address::Process(*pid),
            Destination::Alias(alias) => Address::Alias(*alias),
            Destination::Name(name) => Address::name(name),
            Destination::Node => Address::Node,
        };
        Self {
            head: Some(Head {
                sender: control.sender,
                address,
            }),
            lesson: control.lesson.filter(|_| !control.teaches_about_its_sender()),
            content,
        }
    }

    /// A message, the first part of one, or a run of them, of which it is known where it goes.
    pub const fn message(head: Head, content: Content) -> Self {
        Self {
            head: Some(head),
            lesson: None,
            content,
        }
    }

    /// How the lanes see it.
    pub(super) const fn part(&self) -> Option<Part<'_>> {
        Some(match (&self.content, &self.head) {
            // A run has one place: nothing of its sender stands between its messages.
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
