use std::ops::RangeInclusive;

use super::Control;
use super::Format;
use super::PacketError;
use super::control::length_of_message;
use super::scan;
use crate::codec::Reader;

/// The maximum length of a run in bytes. It equals what a strand sends in one turn, so that runs do not delay other
/// strands more than other frames.
pub const RUN_MAX: usize = 16 * 1024;

/// The length of the common start of the packets of a run (prefix and control term) in bytes: at least `{2, '', Pid}`
/// of a node without fragments whose name has three characters. The upper bound avoids comparing long payloads; nearly
/// all starts are shorter than 100 bytes.
const START: RangeInclusive<usize> = 1 + 25..=512;

/// The length of a packet's length field.
const LENGTH: usize = 4;

/// Reads a run: messages with the same control term, one after another, as packets of one format with their lengths.
///
/// Most of the cost of relaying a small message is the choice of its strand and its position there. A run is routed
/// once, and its control term is read once.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The control term of all messages.
    pub control: Control<'a>,
    /// The bytes of each packet between its length and its payload.
    start: &'a [u8],
    left: &'a [u8],
}

impl<'a> Run<'a> {
    /// Starts before the first message.
    ///
    /// # Errors
    /// If the first packet is incomplete, or is not a message of this format.
    pub fn new(packets: &'a [u8], format: Format) -> Result<Self, PacketError> {
        let packet = next(&mut Reader::new(packets))?;
        let prefix = format.prefix();
        let body = packet
            .strip_prefix(prefix)
            .ok_or(PacketError::Run("a packet has the wrong format"))?;
        let control = scan(body, format)?;
        if !control.operation.is_message() {
            return Err(PacketError::Run("a signal is not a message"));
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
    /// If the next packet is incomplete, has a different control term, or has no payload.
    pub fn next_payload(&mut self) -> Result<Option<&'a [u8]>, PacketError> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let mut reader = Reader::new(self.left);
        let packet = next(&mut reader)?;
        self.left = reader.rest();
        match packet.strip_prefix(self.start) {
            Some(payload) if !payload.is_empty() => Ok(Some(payload)),
            Some(_) => Err(PacketError::Run("a message has no payload")),
            None => Err(PacketError::Run("the control terms differ")),
        }
    }

    /// The number of bytes of each packet before its payload, including its length field.
    pub const fn start(&self) -> usize {
        LENGTH + self.start.len()
    }

    /// Reads all remaining messages.
    ///
    /// # Errors
    /// As [`Run::next_payload`].
    pub fn check(self) -> Result<(), PacketError> {
        self.count().map(drop)
    }

    /// Reads all remaining messages and returns their number.
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

/// The length of the run at the start of `input`; `None` unless it has at least two complete messages.
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

/// The common start of two packets, if it contains the whole control term of a message.
fn common_start<'a>(first: &'a [u8], second: &[u8], format: Format) -> Option<&'a [u8]> {
    let (same, _) = first.split_at(common_length(first, second));
    // Packets of two different senders are usually rejected here.
    if !START.contains(&same.len()) {
        return None;
    }
    let prefix = format.prefix();
    let control = length_of_message(same.strip_prefix(prefix)?, format)?;
    // The first packet must have a payload, too.
    same.get(..prefix.len() + control)
        .filter(|start| start.len() < first.len())
}

/// The length of the common prefix, limited to the maximum that matters.
fn common_length(one: &[u8], other: &[u8]) -> usize {
    const WORD: usize = 8;
    let length = one.len().min(other.len()).min(*START.end());
    let ((one, _), (other, _)) = (one.split_at(length), other.split_at(length));
    let words = one.chunks_exact(WORD).zip(other.chunks_exact(WORD));
    let same = words.take_while(|(one, other)| one == other).count() * WORD;
    let ((_, one), (_, other)) = (one.split_at(same), other.split_at(same));
    same + one.iter().zip(other).take_while(|(one, other)| one == other).count()
}
