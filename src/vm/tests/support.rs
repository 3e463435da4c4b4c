use bytes::Bytes;
use bytes::BytesMut;

use crate::dist::tests::packets::pid_term;

/// A message to process 2 with this payload, as control term and payload.
pub(super) fn message(payload: &[u8]) -> Bytes {
    let mut body = BytesMut::from(&[104, 3, 97, 22][..]);
    body.extend_from_slice(&pid_term(1));
    body.extend_from_slice(&pid_term(2));
    body.extend_from_slice(payload);
    body.freeze()
}

/// A binary term of so many bytes.
pub(super) fn binary(length: usize, byte: u8) -> Vec<u8> {
    let mut term = vec![109];
    term.extend_from_slice(&(length as u32).to_be_bytes());
    term.resize(5 + length, byte);
    term
}
