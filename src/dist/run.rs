use std::ops::RangeInclusive;

use super::Control;
use super::Format;
use super::PacketError;
use super::control::length_of_message;
use super::scan;
use crate::codec::Reader;

/// The longest run, in bytes: as much as a strand sends in its turn, so that nobody waits longer for runs than for others.
pub const RUN_MAX: usize = 16 * 1024;

/// What packets of a run begin with, prefix and control term, in bytes: at least `{2, '', Pid}` of a node without fragments,
/// whose name has three characters; at most this, where nearly all are below 100, so that long payloads are not compared.
const START: RangeInclusive<usize> = 1 + 25..=512;

/// Bytes of a packet's length.
const LENGTH: usize = 4;

/// Reads a run: messages with the same control term, one after another as packets of one format, their lengths included.
///
/// What a message costs beside its bytes, from leg to leg, is nearly all for finding and keeping its place. A run has one
/// place, and its control term is read once.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The control term of each message.
    pub control: Control<'a>,
    /// What each packet begins with behind its length, up to the payload.
    start: &'a [u8],
    left: &'a [u8],
}

impl<'a> Run<'a> {
    /// Begins to read; the first message is still to come.
    ///
    /// # Errors
    /// If the first packet is not whole, or no message of this format.
    pub fn new(packets: &'a [u8], format: Format) -> Result<Self, PacketError> {
        let packet = next(&mut Reader::new(packets))?;
        let prefix = format.prefix();
        let body = packet
            .strip_prefix(prefix)
            .ok_or(PacketError::Run("of another format than was agreed on"))?;
        let control = scan(body, format)?;
        if !control.operation.is_message() {
            return Err(PacketError::Run("that are no messages"));
        }
        let (start, _) = packet.split_at(packet.len().min(prefix.len() + control.length));
        Ok(Self {
            control,
            start,
            left: packets,
        })
    }

    /// The payload of the next message; `None` at the end.
    ///
    /// # Errors
    /// If the next packet is not whole, has another control term, or no payload.
    pub fn next_payload(&mut self) -> Result<Option<&'a [u8]>, PacketError> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let mut reader = Reader::new(self.left);
        let packet = next(&mut reader)?;
        self.left = reader.rest();
        match packet.strip_prefix(self.start) {
            Some(payload) if !payload.is_empty() => Ok(Some(payload)),
            Some(_) => Err(PacketError::Run("of which one has no payload")),
            None => Err(PacketError::Run("with different control terms")),
        }
    }

    /// Bytes of each packet before its payload, its length included.
    pub const fn start(&self) -> usize {
        LENGTH + self.start.len()
    }

    /// Reads all that is left.
    ///
    /// # Errors
    /// As [`Run::next_payload`].
    pub fn check(self) -> Result<(), PacketError> {
        self.count().map(drop)
    }

    /// The same, and says how many messages were left.
    ///
    /// # Errors
    /// As [`Run::next_payload`].
    pub fn count(mut self) -> Result<usize, PacketError> {
        let mut messages = 0;
        while self.next_payload()?.is_some() {
            messages += 1;
        }
        Ok(messages)
    }
}

fn next<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], PacketError> {
    let length = reader.u32("length")?;
    Ok(reader.take(length as usize, "packet")?)
}

/// Bytes of the run that `input` begins with; `None` unless two messages at least are there in whole.
pub(super) fn length(input: &[u8], format: Format) -> Option<usize> {
    let mut reader = Reader::new(input);
    let first = next(&mut reader).ok()?;
    let mut end = input.len() - reader.len();
    let mut start = None;
    while end < RUN_MAX
        && let Ok(packet) = next(&mut reader)
        && input.len() - reader.len() <= RUN_MAX
        && let Some(found) = start.or_else(|| common_start(first, packet, format))
        && packet.len() > found.len()
        && packet.starts_with(found)
    {
        start = Some(found);
        end = input.len() - reader.len();
    }
    start.map(|_| end)
}

/// What two packets begin with, if that holds the whole control term of a message.
fn common_start<'a>(first: &'a [u8], second: &[u8], format: Format) -> Option<&'a [u8]> {
    let (same, _) = first.split_at(common_length(first, second));
    // Of two senders this is where most end.
    if !START.contains(&same.len()) {
        return None;
    }
    let prefix = format.prefix();
    let control = length_of_message(same.strip_prefix(prefix)?, format)?;
    // The first too must have a payload.
    same.get(..prefix.len() + control)
        .filter(|start| start.len() < first.len())
}

/// How many bytes are the same from the start; more than may matter are not looked at.
fn common_length(one: &[u8], other: &[u8]) -> usize {
    const WORD: usize = 8;
    let length = one.len().min(other.len()).min(*START.end());
    let ((one, _), (other, _)) = (one.split_at(length), other.split_at(length));
    let words = one.chunks_exact(WORD).zip(other.chunks_exact(WORD));
    let same = words.take_while(|(one, other)| one == other).count() * WORD;
    let ((_, one), (_, other)) = (one.split_at(same), other.split_at(same));
    same + one.iter().zip(other).take_while(|(one, other)| one == other).count()
}
