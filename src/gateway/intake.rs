use super::LegError;
use crate::dist::Control;
use crate::dist::Destination;
use crate::dist::Format;
use crate::dist::Packet;
use crate::dist::scan;
use crate::dist::scan_first;
use crate::lanes::Address;
use crate::lanes::Head;
use crate::session::Intake;
use crate::wire::Content;

/// What a packet of a BEAM means for the session; `None` for a tick, which stays on its leg.
///
/// # Errors
/// If the control term is malformed: it would end the far node's connection, so it ends this one.
pub fn intake(packet: Packet, format: Format) -> Result<Option<Intake>, LegError> {
    Ok(Some(match packet {
        Packet::Tick => return Ok(None),
        Packet::Signal(body) => opening(&scan(&body, format)?, Content::Signal(body.clone())),
        Packet::First {
            message,
            fragments,
            body,
        } => {
            let content = Content::First {
                message,
                fragments,
                body: body.clone(),
            };
            opening(&scan_first(&body, format)?, content)
        }
        Packet::Next {
            message,
            remaining,
            body,
        } => Intake {
            head: None,
            lesson: None,
            content: Content::Next {
                message,
                remaining,
                body,
            },
        },
    }))
}

fn opening(control: &Control<'_>, content: Content) -> Intake {
    let lesson = if control.teaches_about_its_sender() {
        None
    } else {
        control.lesson
    };
    Intake {
        head: Some(head(control)),
        lesson,
        content,
    }
}

fn head(control: &Control<'_>) -> Head {
    let address = match &control.destination {
        Destination::Process(pid) => Address::Process(*pid),
        Destination::Alias(alias) => Address::Alias(*alias),
        Destination::Name(name) => Address::name(name),
        Destination::Node => Address::Node,
    };
    Head {
        sender: control.sender,
        address,
    }
}
