use bytes::Bytes;
use bytes::BytesMut;

use super::random::Random;
use crate::dist::Format;
use crate::dist::Run;
use crate::dist::StreamDecoder;
use crate::dist::StreamEncoder;
use crate::endpoint::packets;
use crate::session::Agreed;
use crate::session::Intake;
use crate::wire::Content;

/// The life of every simulated node.
const CREATION: u8 = 5;

/// What two simulated nodes agree on.
pub(super) const AGREED: Agreed = Agreed {
    format: Format::Header,
    creation: CREATION as u32,
    is_reader: false,
    suspends: false,
};

/// Processes of a node that send; each remembers what it sent to whom.
const SENDERS: u64 = 10;

/// Processes of a node that are sent to.
pub(super) const RECEIVERS: u64 = 6;

/// Who really sends to whom, whatever the address says.
pub(super) type Truth = (u64, u64);

/// A pid; all nodes call themselves `a@h`, since nobody here compares names.
fn pid(id: u64) -> Vec<u8> {
    let mut term = b"\x58\x77\x03a@h\x00\x00\x00".to_vec();
    term.push(id as u8);
    term.extend([0, 0, 0, 0, 0, 0, 0, CREATION]);
    term
}

fn alias_of(receiver: u64) -> Vec<u8> {
    let mut term = b"\x5a\x00\x03\x77\x03a@h\x00\x00\x00\x05\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00".to_vec();
    term.push(receiver as u8);
    term
}

fn tuple(operation: u8, elements: &[&[u8]]) -> Vec<u8> {
    let mut term = vec![104, elements.len() as u8 + 1, 97, operation];
    for element in elements {
        term.extend_from_slice(element);
    }
    term
}

/// The control term of a monitor whose reference is an alias of its owner, as `gen_server:call` makes them: the other side
/// learns whose it is.
pub(super) fn monitor(owner: u64) -> Vec<u8> {
    tuple(19, &[&pid(owner), &pid(0), &alias_of(owner)])
}

/// Draws who sends to whom, and how the receiver is addressed: its control term.
pub(super) fn draw(random: &mut Random) -> (Truth, Vec<u8>) {
    let (sender, receiver) = (100 + random.below(SENDERS), random.below(RECEIVERS));
    let control = match random.below(12) {
        // By its pid; by its name; without saying who sends; by an alias, known to the other side or not.
        0..=4 => tuple(22, &[&pid(sender), &pid(receiver)]),
        5..=7 => tuple(6, &[&pid(sender), b"\x77\x00", &[0x77, 2, b'r', b'0' + receiver as u8]]),
        8 => tuple(2, &[b"\x77\x00", &pid(receiver)]),
        _ => tuple(33, &[&pid(sender), &alias_of(receiver)]),
    };
    ((sender, receiver), control)
}

/// Control term and payload: a binary of `padding` bytes and the number of the signal.
pub(super) fn body(control: Vec<u8>, padding: usize, number: u64) -> Bytes {
    let mut body = control;
    body.push(109);
    body.extend((padding as u32 + 8).to_be_bytes());
    body.resize(body.len() + padding, 0);
    body.extend(number.to_be_bytes());
    body.into()
}

/// The number of a whole signal.
pub(super) fn number_of(body: &[u8]) -> Option<u64> {
    body.last_chunk().copied().map(u64::from_be_bytes)
}

/// The numbers of a run's signals, up to what is none.
pub(super) fn numbers_of_run(packets: &[u8]) -> Vec<u64> {
    let Ok(mut run) = Run::new(packets, AGREED.format) else {
        return Vec::new();
    };
    std::iter::from_fn(|| run.next_payload().ok().flatten())
        .filter_map(number_of)
        .collect()
}

/// What the gateway reads when these messages with one control term come together; nothing, if it is no run of all of them.
pub(super) fn run(bodies: &[Bytes]) -> Option<Content> {
    let mut written = BytesMut::new();
    for body in bodies {
        StreamEncoder::new(AGREED.format).signal(body.len(), &mut written);
        written.extend_from_slice(body);
    }
    let packet = StreamDecoder::new(AGREED.format).decode(&mut written).ok().flatten()?;
    packets::content(packet).filter(|_| written.is_empty())
}

/// What the gateway makes of it; nothing, if it is no signal.
pub(super) fn taken(content: Content) -> Option<Intake> {
    Intake::read(content, AGREED.format).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_is_one_that_the_gateway_takes() {
        let mut random = Random::new(1, 1);
        for number in 0..1000 {
            let (_, control) = draw(&mut random);
            let body = |number| body(control.clone(), random.below(50) as usize, number);
            let bodies = [number, number + 1].map(body);
            let run = run(&bodies).expect("messages with one control term make a run");
            assert_eq!(numbers_of_run(run.body()), [number, number + 1]);
            assert_eq!(
                bodies.each_ref().map(|body| number_of(body)),
                [Some(number), Some(number + 1)]
            );
            for content in bodies.map(Content::Signal).into_iter().chain([run]) {
                assert!(taken(content).is_some_and(|intake| intake.head.is_some()));
            }
        }
        let taught = taken(Content::Signal(body(monitor(2), 0, 0)));
        assert!(taught.is_some());
    }
}
