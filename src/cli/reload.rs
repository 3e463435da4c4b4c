use std::process::ExitCode;

use anyhow::Context;
use hyper::Method;

use super::args::ReloadArgs;
use super::client::Client;
use super::output;
use crate::observe::io::reload::Reloaded;

/// `beamway reload`: has a running daemon read its files again, and says what came of it. Status 1 if there were mistakes.
pub(super) fn reload(args: &ReloadArgs) -> anyhow::Result<ExitCode> {
    let reloaded = match Client::find(&args.config)? {
        Ok(client) => {
            let (status, body) = client.ask(Method::POST, "/reload")?;
            serde_json::from_slice(&body)
                .with_context(|| format!("{status}: {}", String::from_utf8_lossy(&body).trim()))?
        }
        // The daemon would say the same.
        Err(mistakes) => Reloaded {
            mistakes,
            ..Reloaded::default()
        },
    };
    if args.json {
        output::say(&serde_json::to_string(&reloaded)?);
    } else {
        tell(&reloaded);
    }
    Ok(match reloaded.mistakes.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn tell(reloaded: &Reloaded) {
    if !reloaded.mistakes.is_empty() {
        reloaded.mistakes.iter().for_each(|mistake| output::complain(mistake));
        output::complain("nothing has changed");
        return;
    }
    output::say(&match reloaded.changed.as_slice() {
        [] => "read again: nothing was different".to_owned(),
        changed => format!("changed: {}", changed.join(", ")),
    });
    if !reloaded.needs_restart.is_empty() {
        output::say(&format!(
            "without effect before a restart: {}",
            reloaded.needs_restart.join(", ")
        ));
    }
}
