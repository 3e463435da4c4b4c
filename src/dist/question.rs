use bytes::BytesMut;

use crate::codec::Writer;

const SMALL_TUPLE: u8 = 104;
const SMALL_INTEGER: u8 = 97;
const SMALL_ATOM_UTF8: u8 = 119;
const ATOM_UTF8: u8 = 118;
const NEW_PID: u8 = 88;
const NEWER_REFERENCE: u8 = 90;

const MONITOR_P: u8 = 19;
const MONITOR_P_EXIT: u8 = 21;
const PAYLOAD_MONITOR_P_EXIT: u8 = 28;

/// No process can have this name (`erlang:register/2`).
const NOBODY: &[u8] = b"undefined";

/// The longest answer: two names of 255 characters in UTF-8, and little else.
const ANSWER_MAX: usize = 2560;

/// A question that a node answers at once if it lives, and that leaves no trace in it: the monitor of a name that no process can
/// have. It is asked in the name of the node at the far end of the connection, which never sees the answer.
#[derive(Debug)]
pub struct Question {
    control: BytesMut,
    /// The words of the reference, by which the answer is known.
    words: [u8; 12],
}

impl Question {
    /// A question in the name of the node `asker` with this creation. `id` tells it from monitors of the node's processes.
    pub fn new(asker: &str, creation: u32, id: [u32; 3]) -> Self {
        let [first, second, third] = id;
        let mut words = [0; 12];
        // Some nodes accept only 18 bits in the first word.
        for (to, from) in words.chunks_exact_mut(4).zip([first & 0x3_ffff, second, third]) {
            to.copy_from_slice(&from.to_be_bytes());
        }
        let mut control = BytesMut::new();
        let mut out = Writer::new(&mut control);
        out.bytes(&[SMALL_TUPLE, 4, SMALL_INTEGER, MONITOR_P]);
        out.bytes(&[NEW_PID]);
        atom(asker.as_bytes(), &mut out);
        out.u32(0).u32(0).u32(creation);
        atom(NOBODY, &mut out);
        out.bytes(&[NEWER_REFERENCE]).u16(3);
        atom(asker.as_bytes(), &mut out);
        out.u32(creation).bytes(&words);
        Self { control, words }
    }

    /// The control term of the question.
    pub fn control(&self) -> &[u8] {
        &self.control
    }

    /// Whether the signal with this body is the answer.
    pub fn is_answer(&self, body: &[u8]) -> bool {
        let is_down = matches!(
            body,
            [
                SMALL_TUPLE,
                _,
                SMALL_INTEGER,
                MONITOR_P_EXIT | PAYLOAD_MONITOR_P_EXIT,
                ..
            ]
        );
        is_down && body.len() <= ANSWER_MAX && body.windows(self.words.len()).any(|words| words == self.words)
    }
}

fn atom(name: &[u8], out: &mut Writer<'_>) {
    match u8::try_from(name.len()) {
        Ok(length) => out.bytes(&[SMALL_ATOM_UTF8, length]),
        Err(_) => out.bytes(&[ATOM_UTF8]).u16(name.len() as u16),
    };
    out.bytes(name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::Destination;
    use crate::dist::Format;
    use crate::dist::Operation;
    use crate::dist::Sender;
    use crate::dist::scan;

    const ID: [u32; 3] = [u32::MAX, 7, 8];

    #[test]
    fn a_question_is_a_monitor_of_nobody_by_the_far_node() {
        for name in ["a@h".to_owned(), format!("{}@h", "é".repeat(200))] {
            let question = Question::new(&name, 5, ID);
            let control = scan(question.control(), Format::Header).unwrap();
            assert_eq!(control.operation, Operation::MONITOR_P);
            assert!(
                matches!(control.sender, Sender::Process(pid) if pid.creation == 5),
                "{control:?}"
            );
            assert_eq!(control.destination, Destination::Name(NOBODY.into()));
            assert_eq!(control.length, question.control().len());
        }
    }

    #[test]
    fn only_its_own_answer_is_taken_for_one() {
        let question = Question::new("a@h", 5, ID);
        let answer = |operation: u8, words: &[u8]| {
            let mut body = vec![SMALL_TUPLE, 5, SMALL_INTEGER, operation];
            body.extend_from_slice(b"\x77\x09undefined\x58\x77\x03a@h\0\0\0\0\0\0\0\0\0\0\0\x05");
            body.extend_from_slice(b"\x5a\0\x03\x77\x03a@h\0\0\0\x05");
            body.extend_from_slice(words);
            body
        };
        let own = &[0, 3, 255, 255, 0, 0, 0, 7, 0, 0, 0, 8];
        assert!(question.is_answer(&answer(MONITOR_P_EXIT, own)));
        assert!(question.is_answer(&answer(PAYLOAD_MONITOR_P_EXIT, own)));
        assert!(!question.is_answer(&answer(MONITOR_P, own)));
        assert!(!question.is_answer(&answer(MONITOR_P_EXIT, &[9; 12])));
        for length in 0..20 {
            assert!(!question.is_answer(answer(MONITOR_P_EXIT, own).get(..length).unwrap()));
        }
    }
}
