//! Two sessions with one circuit between them and nothing but memory in place of the trunk, and signals for them.

use std::time::Instant;

use beamway::internals::dist::Format;
use beamway::internals::session::Agreed;
use beamway::internals::session::Intake;
use beamway::internals::session::Session;
use beamway::internals::session::SessionConfig;
use beamway::internals::wire::CircuitId;
use beamway::internals::wire::Content;
use beamway::internals::wire::FrameDecoder;
use beamway::internals::wire::NoticeDecoder;
use bytes::Bytes;

/// Pairs of processes that talk.
pub(crate) const PAIRS: u32 = 16;
const LANES: u8 = 16;

/// `{22, From, To}` and a payload of `size` bytes.
pub(crate) fn body(pair: u32, size: usize) -> Bytes {
    to(b"\x68\x03\x61\x16", pair, &pid(1000 + pair), size)
}

/// A control term that begins like this and names sender and receiver, and a payload of `size` bytes.
pub(crate) fn to(start: &[u8], sender: u32, receiver: &[u8], size: usize) -> Bytes {
    let mut body = [start, &pid(sender), receiver].concat();
    body.resize(body.len() + size, 7);
    body.into()
}

/// A process of either node.
pub(crate) fn pid(id: u32) -> Vec<u8> {
    let (id, serial, creation) = (id.to_be_bytes(), [0; 4], 5u32.to_be_bytes());
    [&b"\x58\x77\x0bb@127.0.0.1"[..], &id, &serial, &creation].concat()
}

/// The two sessions.
pub(crate) struct Joined {
    near: Session,
    far: Session,
    streams: Vec<FrameDecoder>,
    circuit: CircuitId,
}

impl Joined {
    pub(crate) fn new() -> Self {
        let session = |is_lower| {
            Session::new(SessionConfig {
                is_lower,
                ..SessionConfig::default()
            })
        };
        let (mut near, mut far) = (session(true), session(false));
        let circuit = near.open("b@127.0.0.1".into(), Bytes::from_static(b"N"));
        notices(&mut near, &mut far);
        far.handshake(circuit, Bytes::from_static(b"sok"));
        notices(&mut far, &mut near);
        let terms = Agreed {
            format: Format::Header,
            creation: 5,
            is_reader: false,
            suspends: false,
        };
        far.established(circuit, terms);
        notices(&mut far, &mut near);
        Self {
            near,
            far,
            streams: (0..LANES).map(|_| FrameDecoder::default()).collect(),
            circuit,
        }
    }

    /// Carries signals from one node to the other, with the receipts they cause; gives what is delivered.
    pub(crate) fn carry(&mut self, signals: impl IntoIterator<Item = Intake>) -> Vec<Content> {
        let now = Instant::now();
        self.near.signals(self.circuit, signals);
        self.near.poll_start();
        for (lane, stream) in (0..LANES).zip(&mut self.streams) {
            let mut frames = Vec::new();
            while let Some(batch) = self.near.poll_lane(lane) {
                for bytes in &batch {
                    let mut input = &bytes[..];
                    stream.decode(&mut input, &mut frames, usize::MAX).expect("frames");
                }
            }
            self.far
                .handle_frames(lane, frames, now)
                .expect("a lane of the session");
        }
        let mut delivered = Vec::new();
        while let Some(content) = self.far.poll_delivery(self.circuit, now) {
            self.far.written(self.circuit, content.cost(), now);
            delivered.push(content);
        }
        self.far.handle_timeout(now + SessionConfig::default().receipt_delay);
        notices(&mut self.far, &mut self.near);
        while self.near.poll_event().is_some() || self.far.poll_event().is_some() || self.far.poll_ready().is_some() {}
        delivered
    }
}

fn notices(from: &mut Session, to: &mut Session) {
    let mut decoder = NoticeDecoder::default();
    while let Some(bytes) = from.poll_control() {
        decoder.push(&bytes);
    }
    while let Some((number, notice)) = decoder.poll_notice().expect("notices") {
        to.handle_notice(number, notice, Instant::now())
            .expect("a notice of the session");
    }
}
