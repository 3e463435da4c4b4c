use std::io::BufRead;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Builder;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::mpsc;

use crate::cli::output;
use crate::lab::args::LinkemArgs;
use crate::lab::linkem::Cable;
use crate::lab::linkem::Direction;
use crate::lab::linkem::End;
use crate::lab::linkem::LineConfig;
use crate::lab::linkem::LinkemError;

/// The exit status when something is missing on this machine, here root's rights.
const MISSING: u8 = 2;

/// How often the cable is checked for whether it still forwards packets.
const LOOK: Duration = Duration::from_millis(200);

/// `beamway linkem`: emulates a network path with faults, and runs commands until its standard input ends or a signal comes.
pub(in crate::lab) fn run(args: &LinkemArgs) -> anyhow::Result<ExitCode> {
    let configs = [&args.forth, &args.back].map(|own| config_of(&args.line, own));
    let [forth, back] = configs;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    // Before the namespaces are made: from here on a signal ends us in order.
    runtime.block_on(async {
        let mut ended = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ];
        let ends = [
            (&args.left, &args.left_address),
            (&args.right, &args.right_address),
        ]
        .map(|(namespace, address)| End {
            namespace: namespace.clone(),
            address: address.clone(),
        });
        let cable = match Cable::set_up(&ends, [forth?, back?], args.seed, args.mtu) {
            Err(error @ LinkemError::NotRoot) => {
                output::complain(&format!("beamway: linkem: {error}"));
                return Ok(ExitCode::from(MISSING));
            }
            cable => cable.context("the emulated network path cannot be set up")?,
        };
        output::say(&format!(
            "the network path is up: forth from {} ({}) to {} ({}), back from there; commands: forth, back or both and words such \
             as loss=1% blackout=on; stats",
            args.left, args.left_address, args.right, args.right_address
        ));
        let [interrupt, terminate, hangup] = &mut ended;
        tokio::select! {
            () = run_commands(&cable) => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        cable.end().context("the emulated network path failed")?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The settings of both directions, with those of this one on top.
fn config_of(both: &str, own: &str) -> Result<LineConfig, LinkemError> {
    let mut config = LineConfig::default();
    config.apply(both)?;
    config.apply(own)?;
    Ok(config)
}

/// Runs the commands of standard input, until it ends or the cable fails.
async fn run_commands(cable: &Cable) {
    let (sender, mut lines) = mpsc::channel(16);
    // Reading blocks, so a thread of its own does it; it ends with the process.
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => command(cable, &line),
                None => return,
            },
            _ = look.tick() => if !cable.is_whole() { return },
        }
    }
}

fn command(cable: &Cable, line: &str) {
    let (verb, words) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let directions: &[Direction] = match verb {
        "" => return,
        "forth" => &[Direction::Forth],
        "back" => &[Direction::Back],
        "both" => &[Direction::Forth, Direction::Back],
        "stats" => {
            for (name, direction) in [("forth", Direction::Forth), ("back", Direction::Back)] {
                output::say(&format!("{name} {}", cable.stats(direction)));
            }
            return;
        }
        _ => {
            output::say(&format!(
                "error: {verb}: allowed: forth, back or both with words, or stats"
            ));
            return;
        }
    };
    for direction in directions {
        // The second direction refuses exactly what the first one refused.
        if let Err(error) = cable.apply(*direction, words) {
            output::say(&format!("error: {error}"));
            return;
        }
    }
    output::say("ok");
}
