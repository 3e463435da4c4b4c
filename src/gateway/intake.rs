use bytes::Bytes;

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
        Packet::Signal(body) => opening(&body.clone(), format, Content::Signal(body))?,
        Packet::First {
            message,
            fragments,
            body,
        } => opening(
            &body.clone(),
            format,
            Content::First {
                message,
                fragments,
                body,
            },
        )?,
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

fn opening(body: &Bytes, format: Format, content: Content) -> Result<Intake, LegError> {
    // A control term may fill the first fragment, with all of the payload behind it.
    let control = match content {
        Content::First { .. } => scan_first(body, format)?,
        Content::Signal(_) | Content::Next { .. } => scan(body, format)?,
    };
    let lesson = if control.teaches_about_its_sender() {
        None
    } else {
        control.lesson
    };
    Ok(Intake {
        head: Some(head(&control)),
        lesson,
        content,
    })
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
