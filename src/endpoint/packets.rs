//! Conversion between the content of frames and the packets of a connection to a node.

use bytes::BytesMut;

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
    header(content, encoder, out.small())?;
    out.add(content.body().clone());
    Ok(())
}

/// Appends what precedes the body of the content in a packet for a node: its length and its header. A run has both in its body.
///
/// # Errors
/// If the content is a fragment that does not follow the previous one of its signal.
pub fn header(content: &Content, encoder: &mut StreamEncoder, out: &mut BytesMut) -> Result<(), PacketError> {
    let body = content.body().len();
    match *content {
        Content::Signal(_) => encoder.signal(body, out),
        Content::Run(_) => {}
        Content::First { message, fragments, .. } => encoder.first(message, fragments, body, out)?,
        Content::Next { message, remaining, .. } => encoder.next(message, remaining, body, out)?,
    }
    Ok(())
}
