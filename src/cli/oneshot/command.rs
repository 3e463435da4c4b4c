use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::anyhow;
use anyhow::bail;
use tokio::runtime::Builder;

use super::Joining;
use super::group_leader;
use super::join::Visit;
use super::join::Way;
use super::log::Warnings;
use crate::cli::output;
use crate::etf::Atom;
use crate::etf::Term;
use crate::node::Context;

/// A command that joins the cluster for one request.
#[derive(Debug)]
pub enum Oneshot {
    /// Call a function and print what it returns.
    Call(Call),
    /// Send a message to a registered process.
    Send(Send),
    /// Measure round trips to a node.
    Ping(Ping),
}

/// `beamway call`.
#[derive(Debug)]
pub struct Call {
    /// How to join.
    pub joining: Joining,
    /// The module.
    pub module: String,
    /// The function.
    pub function: String,
    /// The arguments: a list in Erlang syntax.
    pub arguments: String,
}

/// `beamway send`.
#[derive(Debug)]
pub struct Send {
    /// How to join.
    pub joining: Joining,
    /// The registered name.
    pub name: String,
    /// The message, in Erlang syntax.
    pub message: String,
}

/// `beamway ping`.
#[derive(Debug)]
pub struct Ping {
    /// How to join.
    pub joining: Joining,
    /// Number of timed calls.
    pub count: u32,
    /// Print the times as JSON.
    pub json: bool,
}

/// Runs a command. Prints its result on standard output, or the reason of its failure on standard error.
///
/// # Errors
/// The reason why the command failed.
pub fn run(command: Oneshot) -> anyhow::Result<ExitCode> {
    let warnings = Warnings::collect();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the node")?;
    let done = runtime.block_on(async {
        match command {
            Oneshot::Call(command) => call(command).await,
            Oneshot::Send(command) => send(command).await,
            Oneshot::Ping(command) => ping(command).await,
        }
    });
    match done {
        Ok(lines) => {
            lines.iter().for_each(|line| output::say(line));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            warnings.show();
            Err(error)
        }
    }
}

async fn call(command: Call) -> anyhow::Result<Vec<String>> {
    let Term::List(arguments) = parse("the arguments", &command.arguments)? else {
        bail!("the arguments are not a list: write '[{}]'", command.arguments);
    };
    let module = atom("the module", &command.module)?;
    let function = atom("the function", &command.function)?;
    command
        .joining
        .visit(async |mut context, target, limit| {
            let (own, beam) = (context.pid().clone(), target.clone());
            let leader = context.spawn(|context| group_leader::serve(context, beam));
            context.set_group_leader(leader, own);
            let called = context.rpc(&target, module, function, arguments.into(), limit).await;
            Ok(vec![called?.to_string()])
        })
        .await
}

async fn send(command: Send) -> anyhow::Result<Vec<String>> {
    let message = parse("the message", &command.message)?;
    let name = atom("the name", &command.name)?;
    command
        .joining
        .visit(async |mut context, target, limit| {
            // Erlang drops a message to an unknown name silently, but a person at a shell wants to know.
            let whereis = vec![Term::from(name.clone())];
            let found = context.rpc(&target, "erlang", "whereis", whereis, limit).await;
            if found.is_ok_and(|found| found.is_atom("undefined")) {
                bail!("no process is registered as {name} on {}", target.as_str());
            }
            context.send((name, target.clone()), message).await?;
            // An answer means that the connection still works, so the message has arrived.
            answer(&mut context, &target, limit).await?;
            Ok(Vec::new())
        })
        .await
}

async fn ping(command: Ping) -> anyhow::Result<Vec<String>> {
    let visit = command.joining.join().await?;
    let hops = Hops::of(&visit).await;
    let (setup, target, limit) = (visit.setup, visit.target.clone(), visit.left());
    let pinged = visit
        .run(async |mut context| {
            let mut times = Vec::new();
            for _ in 0..command.count {
                times.push(answer(&mut context, &target, limit).await?);
            }
            times.sort_unstable();
            anyhow::Ok(times)
        })
        .await;
    let times = pinged?;
    Ok(if command.json {
        vec![hops.json(&target, setup, &times)]
    } else {
        hops.lines(&target, setup, &times)
    })
}

/// Sends the request of `net_adm:ping/1` to a node, and returns how long the answer took.
async fn answer(context: &mut Context, target: &Atom, limit: Duration) -> anyhow::Result<Duration> {
    let own = context.node().name().clone();
    let began = Instant::now();
    let answered = context.call(("net_kernel", target), term!({is_auth, (own)}), limit);
    match answered
        .await
        .with_context(|| format!("pang: {} does not answer", target.as_str()))?
    {
        Term::Atom(yes) if &*yes == "yes" => Ok(began.elapsed()),
        other => bail!("pang: {} answers {other}", target.as_str()),
    }
}

/// The hops between this process and the node.
struct Hops {
    /// A description of the first hop.
    way: String,
    /// The time until a peer announced the node, and the round-trip time to that peer.
    trunk: Option<(Duration, Duration)>,
}

impl Hops {
    async fn of(visit: &Visit) -> Self {
        match &visit.way {
            Way::Here(epmd) => Self {
                way: format!("this host, through its port mapper at {epmd}"),
                trunk: None,
            },
            Way::Peer(session, setup) => Self {
                way: session.peer.to_string(),
                trunk: session.round_trip().await.map(|trip| (*setup, trip)),
            },
        }
    }

    fn lines(&self, target: &Atom, setup: Duration, times: &[Duration]) -> Vec<String> {
        let mut lines = vec![format!("pong: {} answers", target.as_str())];
        match self.trunk {
            Some((setup, trip)) => lines.push(format!(
                "  daemon {}: joined in {}, round trip {}",
                self.way,
                show(setup),
                show(trip)
            )),
            None => lines.push(format!("  {}", self.way)),
        }
        let of = |index: usize| times.get(index).copied().map_or_else(|| "–".to_owned(), show);
        lines.push(format!(
            "  node {}: connected in {}, round trip {} ({} to {}, {} calls)",
            target.as_str(),
            show(setup),
            of(times.len() / 2),
            of(0),
            of(times.len().saturating_sub(1)),
            times.len()
        ));
        lines
    }

    fn json(&self, target: &Atom, setup: Duration, times: &[Duration]) -> String {
        let micros = |time: Duration| time.as_micros() as u64;
        let daemon = self.trunk.map(|(setup, trip)| {
            serde_json::json!({ "name": self.way, "joined_us": micros(setup), "round_trip_us": micros(trip) })
        });
        let times: Vec<u64> = times.iter().copied().map(micros).collect();
        let node = serde_json::json!({
            "name": target.as_str(),
            "connected_us": micros(setup),
            "round_trips_us": times,
        });
        serde_json::json!({ "pong": true, "daemon": daemon, "node": node }).to_string()
    }
}

fn show(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 10.0 {
        format!("{ms:.2} ms")
    } else {
        format!("{ms:.0} ms")
    }
}

fn parse(what: &str, text: &str) -> anyhow::Result<Term> {
    Term::parse(text).with_context(|| format!("{what} {text:?}: not an Erlang term"))
}

/// A module, function or name, with or without Erlang's quotes: `lists`, `'Elixir.Enum'` or `Elixir.Enum`.
fn atom(what: &str, text: &str) -> anyhow::Result<Atom> {
    match Term::parse(text) {
        Ok(Term::Atom(atom)) => Ok(atom),
        _ => Atom::new(text).map_err(|error| anyhow!("{what} {text:?}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_be_quoted_or_not() {
        for text in ["'Elixir.Enum'", "Elixir.Enum"] {
            assert_eq!(&*atom("the module", text).unwrap(), "Elixir.Enum");
        }
        assert_eq!(&*atom("the module", "lists").unwrap(), "lists");
        assert!(atom("the module", &"x".repeat(256)).is_err());
    }

    #[test]
    fn what_is_no_term_is_told_with_its_place() {
        let error = format!("{:#}", parse("the message", "{a, B}").unwrap_err());
        assert!(error.contains("line 1") && error.contains("{a, B}"), "{error}");
    }
}
