//! Conversion between the content of frames and the packets of a connection to a node.

use crate::codec::Buffers;
use crate::dist::Format;
use crate::dist::Packet;
use crate::dist::PacketError;
use crate::dist::StreamEncoder;
use crate::session::Intake;
use crate::wire::Content;

/// The content of a packet from a node; `None` for a tick, which is not forwarded.
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

/// A packet from a node as input for the session; `None` for a tick, which is not forwarded.
///
/// # Errors
/// If the control term is malformed. It would make the far node close its connection, so this connection is closed instead.
pub fn intake(packet: Packet, format: Format) -> Result<Option<Intake>, PacketError> {
    content(packet).map(|content| Intake::read(content, format)).transpose()
}

/// Appends the content of a frame as a packet for a node.
///
/// # Errors
/// If the content is a fragment that does not follow the previous one of its signal.
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
