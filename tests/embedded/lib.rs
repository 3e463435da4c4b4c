//! A program that embeds the library without its default features: terms, and a node of its own.
#![cfg(test)]
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and says why"
)]

use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use beamway::etf::NodePid;
use beamway::etf::Term;
use beamway::node::Message;
use beamway::node::Node;
use beamway::term;

/// A port mapper that lets one node register.
fn port_mapper() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let (mut node, _) = listener.accept().expect("a node");
        let mut length = [0; 2];
        node.read_exact(&mut length).expect("a length");
        let mut request = vec![0; u16::from_be_bytes(length).into()];
        node.read_exact(&mut request).expect("a request");
        assert_eq!(request.first(), Some(&120), "ALIVE2_REQ");
        // ALIVE2_X_RESP, no error, and a creation.
        node.write_all(&[118, 0, 0, 0, 0, 7]).expect("a node that waits");
        // The registration lasts as long as the connection.
        let _ = node.read(&mut length);
    });
    address
}

#[test]
fn terms_are_written_and_read() {
    let order = term!({order, (42), ["tea", 1.5]});
    let text = order.to_string();
    assert_eq!(Term::parse(&text).as_ref(), Ok(&order), "{text}");
    let bytes = order.encode().expect("a term that can be encoded");
    assert_eq!(Term::decode(&bytes), Ok(order));
}

#[test]
fn processes_of_a_node_talk() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let builder = Node::builder("embedded@127.0.0.1").cookie("secret").epmd(port_mapper());
        let node = builder.start().await.expect("a node");
        let echo = node.spawn(async |mut context| {
            let Message::Term(Term::Tuple(parts)) = context.receive().await else {
                panic!("a question was due");
            };
            let asker = NodePid::try_from(parts[0].clone()).expect("a pid first");
            context
                .send(&asker, parts[1].clone())
                .await
                .expect("a process of this node");
        });
        let answer = node.run(async move |mut context| {
            let question = term!({(context.pid().clone()), hello});
            context.send(&echo, question).await.expect("a process of this node");
            context.receive_within(Duration::from_secs(5)).await
        });
        assert_eq!(
            answer.await.expect("a process that ends"),
            Some(Message::Term(term!(hello)))
        );
        node.stop().await;
    });
}
