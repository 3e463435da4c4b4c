use bytes::Bytes;
use bytes::BytesMut;
use proptest::prelude::*;

use super::support::binary;
use super::support::message;
use crate::dist::FRAGMENT_SIZE;
use crate::dist::Format;
use crate::dist::Packet;
use crate::dist::StreamDecoder;
use crate::vm::Batch;
use crate::vm::Block;
use crate::vm::Incoming;
use crate::vm::incoming::BATCH_MAX;
use crate::vm::incoming::SHARED_MAX;
use crate::vm::incoming::WHOLE_MAX;
use crate::wire::Content;

impl Block for Vec<u8> {
    fn allocate(size: usize) -> Option<Self> {
        Some(vec![0xee; size])
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }
}

/// A VM without memory.
#[derive(Debug)]
struct NoBlock;

impl Block for NoBlock {
    fn allocate(_size: usize) -> Option<Self> {
        None
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut []
    }
}

fn incoming() -> Incoming<Vec<u8>> {
    Incoming::new(Format::Header)
}

fn parts(message: u64, body: &Bytes) -> Vec<Content> {
    let count = body.len().div_ceil(FRAGMENT_SIZE) as u64;
    let mut left = body.clone();
    (0..count)
        .map(|index| {
            let body = left.split_to(FRAGMENT_SIZE.min(left.len()));
            match index {
                0 => Content::First {
                    message,
                    fragments: count,
                    body,
                },
                _ => Content::Next {
                    message,
                    remaining: count - index,
                    body,
                },
            }
        })
        .collect()
}

/// The bodies of the complete packets in a batch, and how many fragments it has besides.
fn read(batches: Vec<Batch<Vec<u8>>>) -> (Vec<Bytes>, usize) {
    let mut bodies = Vec::new();
    let mut fragments = 0;
    for batch in batches {
        let used = batch.block.get(..batch.used).expect("no more than the block");
        let mut input = BytesMut::from(used);
        while !input.is_empty() {
            let length = u32::from_be_bytes(input[..4].try_into().unwrap()) as usize;
            let packet = input.split_to(4 + length).split_off(4).freeze();
            match packet[1] {
                68 => bodies.push(packet.slice(3..)),
                _ => fragments += 1,
            }
        }
    }
    (bodies, fragments)
}

#[test]
fn signals_and_runs_become_packets_in_order() {
    let one = message(&[106]);
    let mut run = BytesMut::new();
    for byte in [1, 2] {
        let body = message(&[97, byte]);
        run.extend_from_slice(&(3 + body.len() as u32).to_be_bytes());
        run.extend_from_slice(&[131, 68, 0]);
        run.extend_from_slice(&body);
    }
    let contents = [
        Content::Signal(one.clone()),
        Content::Run(run.freeze()),
        Content::Signal(one.clone()),
    ];
    let batches = incoming().batches(&contents).unwrap();
    assert_eq!(batches.len(), 1);
    let bodies = read(batches).0;
    assert_eq!(bodies, [one.clone(), message(&[97, 1]), message(&[97, 2]), one]);
}

#[test]
fn no_batch_is_larger_than_64_kib_and_long_packets_are_alone() {
    let small = Content::Signal(message(&binary(1000, 1)));
    let long = Content::Signal(message(&binary(SHARED_MAX, 2)));
    let contents: Vec<Content> = (0..200)
        .map(|index| if index == 100 { long.clone() } else { small.clone() })
        .collect();
    let batches = incoming().batches(&contents).unwrap();
    assert!(
        batches
            .iter()
            .all(|batch| batch.used <= BATCH_MAX + 7 && batch.block.len() == batch.used)
    );
    let sizes: Vec<usize> = batches.iter().map(|batch| batch.used).collect();
    assert!(sizes.contains(&(7 + long.body().len())), "{sizes:?}");
    let bodies: Vec<Bytes> = contents.iter().map(|content| content.body().clone()).collect();
    assert_eq!(read(batches).0, bodies);
}

#[test]
fn a_fragmented_message_comes_in_one_packet_with_its_last_fragment() {
    let body = message(&binary(1_000_000, 3));
    let small = Content::Signal(message(&[106]));
    let mut contents = parts(9, &body);
    let last = contents.pop().unwrap();
    contents.insert(5, small.clone());
    let mut incoming = incoming();
    let (bodies, fragments) = read(incoming.batches(&contents).unwrap());
    assert_eq!((bodies, fragments), (vec![small.body().clone()], 0));
    let (bodies, _) = read(incoming.batches(&[small.clone(), last, small.clone()]).unwrap());
    assert_eq!(bodies, [small.body().clone(), body, small.body().clone()]);
    assert_eq!(incoming.batches(&[]).unwrap().len(), 0);
}

/// What a peer announces is not believed without end.
#[test]
fn long_messages_are_left_to_the_vm() {
    let mut incoming = incoming();
    let announced = (WHOLE_MAX / FRAGMENT_SIZE) as u64;
    for (message, fragments) in [(1, announced / 2), (2, announced / 2), (3, announced / 2), (4, 1 << 18)] {
        let first = Content::First {
            message,
            fragments,
            body: super::support::message(&[109]),
        };
        let fragments = read(incoming.batches(&[first]).unwrap()).1;
        assert_eq!(fragments, usize::from(message > 2), "message {message}");
    }
}

#[test]
fn fragments_out_of_order_and_too_long_are_errors() {
    let body = message(&binary(200_000, 4));
    let parts = parts(1, &body);
    incoming().batches(&[parts[0].clone(), parts[2].clone()]).unwrap_err();
    incoming().batches(&parts[1..2]).unwrap_err();
    let long = Content::Next {
        message: 1,
        remaining: 3,
        body: vec![0; 4 * FRAGMENT_SIZE].into(),
    };
    incoming().batches(&[parts[0].clone(), long]).unwrap_err();
}

#[test]
fn a_vm_without_memory_is_an_error() {
    let body = message(&binary(200_000, 5));
    let mut incoming = Incoming::<NoBlock>::new(Format::Header);
    incoming.batches(&[Content::Signal(message(&[106]))]).unwrap_err();
    incoming.batches(&parts(1, &body)).unwrap_err();
}

/// Nodes without fragments.
#[test]
fn pass_through_packets_keep_their_form() {
    let body = message(&[131, 106]);
    let batches = Incoming::<Vec<u8>>::new(Format::PassThrough)
        .batches(&[Content::Signal(body.clone())])
        .unwrap();
    let mut input = BytesMut::from(&batches[0].block[..]);
    let packet = StreamDecoder::new(Format::PassThrough).decode(&mut input).unwrap();
    assert_eq!(packet, Some(Packet::Signal(body)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However messages of several senders mix, each arrives whole, and in the order of last fragments.
    #[test]
    fn whatever_mixes_arrives(
        sizes in prop::collection::vec(1..300_000_usize, 1..6),
        picks in prop::collection::vec(0..6_usize, 0..40),
        cut in 1..8_usize,
    ) {
        let bodies: Vec<Bytes> = sizes.iter().enumerate().map(|(index, size)| message(&binary(*size, index as u8))).collect();
        let mut queues: Vec<_> = bodies.iter().enumerate().map(|(index, body)| {
            let contents = if body.len() > FRAGMENT_SIZE { parts(index as u64 + 1, body) } else { vec![Content::Signal(body.clone())] };
            contents.into_iter()
        }).collect();
        let mut contents = Vec::new();
        let mut expected = Vec::new();
        let rest = (0..bodies.len()).flat_map(|index| std::iter::repeat_n(index, 8));
        for pick in picks.into_iter().chain(rest) {
            let index = pick % bodies.len();
            if let Some(content) = queues[index].next() {
                contents.push(content);
                if queues[index].len() == 0 {
                    expected.push(bodies[index].clone());
                }
            }
        }
        let mut incoming = incoming();
        let mut found = Vec::new();
        for some in contents.chunks(cut) {
            let (bodies, fragments) = read(incoming.batches(some).unwrap());
            prop_assert_eq!(fragments, 0);
            found.extend(bodies);
        }
        prop_assert_eq!(found, expected);
    }
}
