use std::time::Duration;

use tokio::time::Instant;

use super::far::await_message;
use super::far::is_kind;
use super::far::micros;
use super::far::start;
use super::payload::Payloads;
use super::payload::checksum;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::Term;
use crate::lab::testbed::protocol::TransferAnswer;
use crate::lab::testbed::protocol::Verdict;
use crate::node::Context;
use crate::node::Exit;
use crate::node::Message;

/// One big message at a time: at least one, at most `most`, no further one once `limit` is over. Timed until the receiver
/// says that it is in its mailbox; its checksum is made after that, outside the time.
pub(super) async fn transfer(
    context: &mut Context,
    payloads: &Payloads,
    node: &Atom,
    (size, most): (u64, u32),
    limit: Duration,
) -> anyhow::Result<TransferAnswer> {
    let sink = start(context, node, term!(sink)).await?;
    let deadline = Instant::now() + limit;
    let mut answer = TransferAnswer {
        bytes: size,
        us: Vec::new(),
        verdict: Verdict::of(true, ""),
    };
    for number in 0..u64::from(most) {
        let message = payloads.make(1, number, size);
        let expected = term!({(size), (checksum(message.clone()).await?)});
        let begin = Instant::now();
        let own = context.pid().clone();
        context.send(&sink, term!({message, (own), (message)})).await?;
        await_message(context, "arrival", |tuple| from(tuple, "arrived", &sink)).await?;
        answer.us.push(micros(begin));
        let seen = await_message(context, "checksum", |tuple| from(tuple, "seen", &sink)).await?;
        if seen != expected {
            let wrong = format!("a message of {size} bytes arrived as {seen} (size, MD5)");
            answer.verdict = Verdict::of(false, wrong);
            break;
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    Ok(answer)
}

/// The last element of a message of that kind from that process.
fn from(tuple: &[Term], kind: &str, sender: &NodePid) -> Option<Term> {
    match tuple {
        [_, Term::Pid(from), ..] if is_kind(tuple, kind) && from == sender => tuple.last().cloned(),
        _ => None,
    }
}

/// The far side: until whoever wanted it has ended.
pub(super) async fn sink(context: &mut Context) -> Result<(), Exit> {
    loop {
        let message = match context.receive().await {
            Message::Down { .. } => return Ok(()),
            Message::Term(Term::Tuple(message)) => message,
            _ => continue,
        };
        let [_, Term::Pid(from), Term::Binary(bytes)] = message.as_slice() else {
            continue;
        };
        let own = context.pid().clone();
        context.send(from, term!({arrived, (own.clone())})).await?;
        let sum = checksum(bytes.clone())
            .await
            .map_err(|error| Exit::new(error.to_string()))?;
        context.send(from, term!({seen, (own), {(bytes.len()), (sum)}})).await?;
    }
}
