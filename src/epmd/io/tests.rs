use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::port_mapper;
use super::question::Question;
use super::registration;
use crate::epmd::NEWCOMERS;
use crate::epmd::Registration;
use crate::epmd::Request;

const PATIENCE: Duration = Duration::from_secs(10);

/// A port mapper whose questions the test answers.
fn start() -> (SocketAddr, mpsc::Receiver<Question>) {
    let listener = port_mapper::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (asking, questions) = mpsc::channel(1);
    tokio::spawn(port_mapper::serve(listener, asking));
    (address, questions)
}

#[tokio::test]
async fn a_registration_ends_with_its_connection() {
    let (address, mut questions) = start();
    let node = tokio::spawn(registration::register(address, Registration::normal("a", 1)));
    let Some(Question::Register { gone, answer, .. }) = questions.recv().await else {
        panic!("a registration");
    };
    answer.send(Some(7)).unwrap();
    let registered = node.await.unwrap().unwrap().unwrap();
    // It is no newcomer any more, so it does not have to make room.
    let mut idle = Vec::new();
    for _ in 0..2 * NEWCOMERS {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let oldest = &mut idle[0];
    assert_eq!(timeout(PATIENCE, oldest.read(&mut [0])).await.unwrap().unwrap(), 0);
    assert!(!gone.is_cancelled());
    drop(registered);
    timeout(PATIENCE, gone.cancelled()).await.unwrap();
}

/// A node that gives up before it is registered is not registered afterwards.
#[tokio::test]
async fn a_registration_that_nobody_waits_for_ends() {
    let (address, mut questions) = start();
    let mut node = TcpStream::connect(address).await.unwrap();
    let request = Request::Register(Registration::normal("a", 1)).encode();
    node.write_all(&request).await.unwrap();
    let Some(Question::Register { gone, .. }) = questions.recv().await else {
        panic!("a registration");
    };
    // The answer is dropped unsent: the gateway has refused the name.
    drop(node);
    timeout(PATIENCE, gone.cancelled()).await.unwrap();
}

#[tokio::test]
async fn nobody_waits_for_a_gateway_that_hangs() {
    let (address, questions) = start();
    let began = Instant::now();
    // More than the queue of questions holds.
    let look_ups: Vec<_> = (0..10)
        .map(|_| tokio::spawn(registration::look_up(address, "b")))
        .collect();
    for look_up in look_ups {
        assert!(look_up.await.unwrap().is_err());
    }
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    drop(questions);
}
