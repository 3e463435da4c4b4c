use super::LegError;
use crate::dist::Format;
use crate::dist::Packet;
use crate::session::Intake;
use crate::session::packets;

/// What a packet of a BEAM means for the session; `None` for a tick, which stays on its leg.
///
/// # Errors
/// If the control term is malformed: it would end the far node's connection, so it ends this one.
pub fn intake(packet: Packet, format: Format) -> Result<Option<Intake>, LegError> {
    let intake = packets::content(packet).map(|content| Intake::read(content, format));
    Ok(intake.transpose()?)
}
