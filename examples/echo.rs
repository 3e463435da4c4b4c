//! A process that any node can talk to. Run it, then, in a shell of Erlang or Elixir with the cookie `secret`:
//!
//! ```text
//! $ cargo run --example echo
//! $ erl -name me@127.0.0.1 -setcookie secret -kernel inet_dist_use_interface '{127,0,0,1}'
//! 1> {echo, 'echo@127.0.0.1'} ! {self(), hello}, receive Answer -> Answer end.
//! {echo,hello}
//! ```

use beamway::etf::Term;
use beamway::node::Message;
use beamway::node::Node;
use beamway::term;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let node = Node::builder("echo@127.0.0.1").cookie("secret").start().await?;
    let echo = node.spawn(|mut context| async move {
        loop {
            if let Message::Term(Term::Tuple(pair)) = context.receive().await
                && let [Term::Pid(from), text] = pair.as_slice()
            {
                let _ = context.send(from, term!({echo, (text.clone())})).await;
            }
        }
    });
    node.register("echo", &echo)?;
    tokio::signal::ctrl_c().await?;
    node.stop().await;
    Ok(())
}
