//! A name server for one test: it answers from a list, or does not answer at all.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

/// What a name has.
#[derive(Clone)]
pub(crate) enum Record {
    /// An A or AAAA record.
    Address(IpAddr),
    /// An SRV record: port and target.
    Service(u16, String),
}

/// How it answers.
#[derive(Clone, Default)]
enum Mood {
    #[default]
    Answers,
    /// `SERVFAIL`.
    Fails,
    Silent,
}

#[derive(Default)]
struct Zone {
    records: BTreeMap<String, Vec<Record>>,
    mood: Mood,
}

/// The name server. It lives as long as the test's process.
#[derive(Clone)]
pub(crate) struct NameServer {
    zone: Arc<Mutex<Zone>>,
    questions: Arc<AtomicU64>,
    address: SocketAddr,
}

/// How long answers hold, in seconds.
const TTL: u32 = 1;

impl NameServer {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = socket.local_addr().expect("an address");
        let server = Self {
            zone: Arc::default(),
            questions: Arc::default(),
            address,
        };
        let own = server.clone();
        thread::spawn(move || {
            let mut question = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                own.questions.fetch_add(1, Relaxed);
                if let Some(answer) = own.answer(&question[..length]) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        server
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A name has these records from now on.
    pub(crate) fn set(&self, name: &str, records: &[Record]) {
        self.zone
            .lock()
            .expect("no panic")
            .records
            .insert(name.to_owned(), records.to_vec());
    }

    pub(crate) fn answers(&self) {
        self.zone.lock().expect("no panic").mood = Mood::Answers;
    }

    pub(crate) fn fails(&self) {
        self.zone.lock().expect("no panic").mood = Mood::Fails;
    }

    pub(crate) fn is_silent(&self) {
        self.zone.lock().expect("no panic").mood = Mood::Silent;
    }

    /// How many questions have come.
    pub(crate) fn questions(&self) -> u64 {
        self.questions.load(Relaxed)
    }

    fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let zone = self.zone.lock().expect("no panic");
        let (name, end) = read_name(question)?;
        let kind = u16::from_be_bytes([*question.get(end)?, *question.get(end + 1)?]);
        let question = question.get(..end + 4)?;
        let records = zone.records.get(&name.to_ascii_lowercase());
        let code = match (&zone.mood, records) {
            (Mood::Silent, _) => return None,
            (Mood::Fails, _) => 2,
            (Mood::Answers, None) => 3,
            (Mood::Answers, Some(_)) => 0,
        };
        let fit = records.into_iter().flatten().filter_map(|record| data(record, kind));
        let fit: Vec<_> = fit.filter(|_| code == 0).collect();
        let mut answer = question.to_vec();
        // An answer, authoritative, recursion wanted and available, one question.
        answer[2..12].copy_from_slice(&[0x85, 0x80 | code, 0, 1, 0, fit.len() as u8, 0, 0, 0, 0]);
        for data in fit {
            // The name of the question, class IN.
            answer.extend([0xc0, 12]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1]);
            answer.extend(TTL.to_be_bytes());
            answer.extend((data.len() as u16).to_be_bytes());
            answer.extend(data);
        }
        Some(answer)
    }
}

/// The name in a question, and where it ends.
fn read_name(question: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).into_owned());
        at += length;
    }
}

/// The data of a record of this type.
fn data(record: &Record, kind: u16) -> Option<Vec<u8>> {
    match (record, kind) {
        (Record::Address(IpAddr::V4(four)), 1) => Some(four.octets().to_vec()),
        (Record::Address(IpAddr::V6(six)), 28) => Some(six.octets().to_vec()),
        (Record::Service(port, target), 33) => {
            let mut data = vec![0, 0, 0, 0];
            data.extend(port.to_be_bytes());
            for label in target.split('.') {
                data.push(label.len() as u8);
                data.extend(label.bytes());
            }
            data.push(0);
            Some(data)
        }
        _ => None,
    }
}
