use super::LegError;
use crate::dist::Format;
use crate::dist::Packet;
use crate::dist::scan;
use crate::dist::scan_first;
use crate::session::Intake;
use crate::wire::Content;

/// What a packet of a BEAM means for the session; `None` for a tick, which stays on its leg.
///
/// # Errors
/// If the control term is malformed: it would end the far node's connection, so it ends this one.
pub fn intake(packet: Packet, format: Format) -> Result<Option<Intake>, LegError> {
    Ok(Some(match packet {
        Packet::Tick => return Ok(None),
        Packet::Signal(body) => Intake::opening(&scan(&body, format)?, Content::Signal(body.clone())),
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
            Intake::opening(&scan_first(&body, format)?, content)
        }
        Packet::Next {
            message,
            remaining,
            body,
        } => Intake::following(Content::Next {
            message,
            remaining,
            body,
        }),
    }))
}
