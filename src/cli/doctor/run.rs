use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use std::time::SystemTime;

use tokio::runtime::Builder;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::finding::Finding;
use super::finding::Level;
use super::local;
use super::nodes;
use super::peers;
use crate::carrier::BoundDaemon;
use crate::carrier::Loaded;
use crate::carrier::Source;
use crate::carrier::own_hosts;
use crate::cli::args::DoctorArgs;
use crate::cli::client::Client;
use crate::cli::output;
use crate::config::Purpose;
use crate::observe::Status;

/// How long peers are dialled: longer than an attempt takes that nobody answers.
const DIAL_TIME: Duration = Duration::from_secs(12);

/// How long the size of datagrams is searched for after that.
const SEARCH_TIME: Duration = Duration::from_millis(1500);

const LOOK: Duration = Duration::from_millis(100);

/// `beamway doctor`: status 0 if nothing fails, 1 otherwise. Warnings are no failures.
pub(in crate::cli) fn doctor(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let is_json = args.json;
    let tell = |findings: &[Finding]| {
        // In a terminal, each is there as soon as it is known.
        findings
            .iter()
            .filter(|_| !is_json)
            .for_each(|finding| output::say(&finding.lines()));
    };
    let findings = runtime.block_on(examine(args, &tell))?;
    let of = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    let (failures, warnings) = (of(Level::Failure), of(Level::Warning));
    match is_json {
        true => output::say(&serde_json::to_string_pretty(&findings)?),
        false => output::say(&format!("{failures} failures, {warnings} warnings")),
    }
    Ok(match failures {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

async fn examine(args: DoctorArgs, tell: &impl Fn(&[Finding])) -> anyhow::Result<Vec<Finding>> {
    let mut all = Vec::new();
    let mut add = |findings: Vec<Finding>| {
        tell(&findings);
        all.extend(findings);
    };
    let of = |purpose| Source::File(args.config.clone(), purpose);
    // The file of a VM has other sections. The mistakes of a gateway's file are told, as it is the usual one.
    let (source, loaded) = match (of(Purpose::Daemon).load(), of(Purpose::Vm).load()) {
        (Ok(loaded), _) => (of(Purpose::Daemon), loaded),
        (Err(_), Ok(loaded)) => (of(Purpose::Vm), loaded),
        (Err(mistakes), Err(_)) => {
            let failures = mistakes
                .into_iter()
                .map(|mistake| Finding::failure("configuration", mistake, ""));
            add(failures.collect());
            return Ok(all);
        }
    };
    add(vec![Finding::ok(
        "configuration",
        format!("{} has no mistakes", args.config.display()),
    )]);
    add(local::certificates(&loaded, SystemTime::now()));
    add(vec![local::files()]);
    let running = running(&args.config).await;
    add(of_running(running.as_ref()));
    let epmd = loaded.config.epmd.listen.clone();
    add(local::port_mapper(&epmd, running.is_some()).await);
    if let Some((address, registered)) = nodes::registered(&epmd).await.filter(|_| running.is_some()) {
        add(nodes::exposure(&registered));
        add(match args.cookie.cookie() {
            Ok(cookie) => nodes::cookies(address, &registered, &host(&loaded), &cookie).await,
            Err(error) => vec![Finding::warning("cookies", format!("not compared: {error:#}"), "")],
        });
    }
    let (buffers, status) = dialled(loaded, source).await?;
    add(vec![buffers]);
    add(peers::peers(&status, running.as_ref()));
    Ok(all)
}

/// What the running daemon with this file tells. The file is read again, and the socket asked, on a thread of its own.
async fn running(file: &Path) -> Option<Status> {
    let file = file.to_owned();
    let asked = tokio::task::spawn_blocking(move || Client::of(&file).ok()?.read::<Status>("/status").ok());
    asked.await.ok().flatten()
}

/// The problems that the running daemon knows, but those of peers, which are dialled here.
fn of_running(status: Option<&Status>) -> Vec<Finding> {
    let check = "daemon";
    let Some(status) = status else {
        return vec![Finding::warning(
            check,
            "it does not run with this file, or not as your user",
            "beamway run --config FILE; checks that need it are left out",
        )];
    };
    let own = format!("{} runs, congestion control {}", status.name, status.congestion);
    let mut found = vec![match status.congestion.as_str() {
        "model" => Finding::ok(check, own),
        _ => Finding::warning(
            check,
            own,
            "`model` keeps small calls short beside bulk: [transport] congestion",
        ),
    }];
    let of_peers = |problem: &&String| problem.starts_with("peer ");
    let problems = status.problems.iter().filter(|problem| !of_peers(problem));
    found.extend(problems.map(|problem| Finding::warning(check, problem, "")));
    found
}

/// The host part of names of nodes here.
fn host(loaded: &Loaded) -> String {
    let configured = loaded
        .config
        .epmd
        .hosts
        .clone()
        .and_then(|hosts| hosts.into_iter().next());
    let certified = || {
        loaded
            .identity
            .hosts()
            .iter()
            .find(|host| **host != loaded.config.gateway.name)
            .cloned()
    };
    configured.or_else(certified).unwrap_or_else(|| "127.0.0.1".to_owned())
}

/// Dials all peers as a temporary daemon. Returns what there is to tell of its UDP buffers, and its status.
async fn dialled(loaded: Loaded, source: Source) -> anyhow::Result<(Finding, Status)> {
    let hosts = loaded.config.epmd.hosts.clone().unwrap_or_else(own_hosts);
    let bound = BoundDaemon::bind_temporary(loaded, source, hosts).await?;
    let buffers = local::buffers(bound.receive_buffer());
    let leave = CancellationToken::new();
    let collector = bound.collector(&leave);
    let task = tokio::spawn(bound.run(leave.clone()));
    let deadline = Instant::now() + DIAL_TIME;
    let mut status = collector.status().await;
    let is_settled = |status: &Status| {
        // Whether peers tell of others is not known.
        let mut found = status.discover.iter().filter(|one| one.source != "exchange");
        let peers = &status.peers;
        peers.iter().all(|peer| peer.state == "up" || !peer.error.is_empty())
            && found.all(|one| !one.error.is_empty() || (one.found > 0 && one.connected == one.found))
    };
    while Instant::now() < deadline && !is_settled(&status) {
        sleep(LOOK).await;
        status = collector.status().await;
    }
    if status.peers.iter().any(|peer| peer.state == "up") {
        sleep(SEARCH_TIME).await;
        status = collector.status().await;
    }
    leave.cancel();
    let _ = task.await;
    Ok((buffers, status))
}
