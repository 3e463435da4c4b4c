//! What frames carry, as the packets of a connection to a node.

use crate::codec::Buffers;
use crate::dist::Format;
use crate::dist::Packet;
use crate::dist::PacketError;
use crate::dist::StreamEncoder;
use crate::session::Intake;
use crate::wire::Content;

/// What a packet of a node carries; `None` for a tick, which stays on its connection.
pub fn content(packet: Packet) -> Option<Content> {
    Some(match packet {
        Packet::Tick => return None,
        Packet::Signal(body) => Content::Signal(body),
        Packet::Run(packets) => Content::Run(packets),
        Packet::First {
            message,
            fragments,
            body,
        } => Content::First {
            message,
            fragments,
            body,
        },
        Packet::Next {
            message,
            remaining,
            body,
        } => Content::Next {
            message,
            remaining,
            body,
        },
    })
}

/// What a packet of a node means for the session; `None` for a tick, which stays on its connection.
///
/// # Errors
/// If the control term is malformed: it would end the far node's connection, so it ends this one.
pub fn intake(packet: Packet, format: Format) -> Result<Option<Intake>, PacketError> {
    content(packet).map(|content| Intake::read(content, format)).transpose()
}

/// Appends a content as a node reads it.
///
/// # Errors
/// If it is a part that does not follow the one before.
pub fn encode(content: &Content, encoder: &mut StreamEncoder, out: &mut Buffers) -> Result<(), PacketError> {
    let body = content.body();
    match *content {
        Content::Signal(_) => encoder.signal(body.len(), out.small()),
        Content::Run(_) => {}
        Content::First { message, fragments, .. } => encoder.first(message, fragments, body.len(), out.small())?,
        Content::Next { message, remaining, .. } => encoder.next(message, remaining, body.len(), out.small())?,
    }
    out.add(body.clone());
    Ok(())
}
