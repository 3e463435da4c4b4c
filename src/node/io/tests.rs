use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::epmd::Registration;
use crate::epmd::io::port_mapper;
use crate::epmd::io::question::Question;
use crate::etf::Atom;
use crate::node::Node;

/// A port mapper, and the registrations as they come.
fn port_mapper() -> (SocketAddr, mpsc::UnboundedReceiver<Registration>) {
    let listener = port_mapper::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (asking, mut questions) = mpsc::channel(8);
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(port_mapper::serve(listener, asking));
    tokio::spawn(async move {
        let mut nodes = BTreeMap::new();
        while let Some(question) = questions.recv().await {
            match question {
                Question::Register {
                    registration, answer, ..
                } => {
                    nodes.insert(registration.name.clone(), registration.clone());
                    let _ = tell.send(registration);
                    let _ = answer.send(Some(7));
                }
                Question::LookUp { name, answer, .. } => {
                    let _ = answer.send(nodes.get(&name).cloned());
                }
                Question::Names { .. } => {}
            }
        }
    });
    (address, told)
}

#[tokio::test]
async fn silent_connections_keep_no_node_out() {
    let (epmd, mut registered) = port_mapper();
    let start = |name: &str| Node::builder(name).cookie("secret").epmd(epmd).start();
    let a = start("a@127.0.0.1").await.unwrap();
    let port = registered.recv().await.unwrap().port;
    let mut silent = Vec::new();
    for _ in 0..600 {
        silent.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    let b = start("b@127.0.0.1").await.unwrap();
    let target = Atom::new("a@127.0.0.1").unwrap();
    let connected = timeout(Duration::from_secs(4), b.connect(&target)).await;
    connected.expect("a connection beside silent ones").unwrap();
    b.stop().await;
    a.stop().await;
}
