//! A cache for Elixir: a `GenServer` that is written in Rust, and a function beside it.
//!
//! ```text
//! $ cargo run --example cache
//! $ iex --name me@127.0.0.1 --cookie secret --erl "-kernel inet_dist_use_interface {127,0,0,1}"
//! iex> server = {:cache, :"cache@127.0.0.1"}
//! iex> GenServer.cast(server, {:put, :price, 12.5})
//! iex> GenServer.call(server, {:get, :price})
//! {:ok, 12.5}
//! iex> :erpc.call(:"cache@127.0.0.1", :cache, :hash, ["some text"])
//! 11158630452276271175
//! ```

use std::collections::HashMap;

use beamway::etf::Term;
use beamway::node::Context;
use beamway::node::GenServer;
use beamway::node::Next;
use beamway::node::Node;
use beamway::node::ReplyTo;
use beamway::node::serve;
use beamway::term;

#[derive(Default)]
struct Cache(HashMap<Term, Term>);

impl GenServer for Cache {
    async fn handle_call(&mut self, _: &mut Context, request: Term, _: ReplyTo) -> Next {
        Next::Reply(match request.as_tuple() {
            Some([get, key]) if get.is_atom("get") => match self.0.get(key) {
                Some(value) => term!({ok, (value.clone())}),
                None => term!(error),
            },
            _ => term!({error, bad_request}),
        })
    }

    async fn handle_cast(&mut self, _: &mut Context, request: Term) -> Next {
        if let Some([put, key, value]) = request.as_tuple()
            && put.is_atom("put")
        {
            self.0.insert(key.clone(), value.clone());
        }
        Next::NoReply
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let node = Node::builder("cache@127.0.0.1")
        .cookie("secret")
        .export_typed("cache", "hash", async |(text,): (String,)| {
            Ok(xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
        })
        .start()
        .await?;
    let cache = node.spawn(|context| serve(context, Cache::default()));
    node.register("cache", &cache)?;
    tokio::signal::ctrl_c().await?;
    node.stop().await;
    Ok(())
}
