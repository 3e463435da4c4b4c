use std::process::ExitCode;

use anyhow::Context;
use anyhow::bail;
use tokio::runtime::Builder;

use super::args::RunArgs;
use super::load;
use super::load::Loaded;
use super::log;
use super::output;

/// `beamway run`: reads and checks everything, then serves until told to stop.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let loaded = match load::load(&args.config) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            for line in mistakes {
                output::complain(&line);
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    log::start(args, &loaded.config.log)?;
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the threads of the daemon cannot be started")?;
    runtime.block_on(serve(loaded))?;
    Ok(ExitCode::SUCCESS)
}

/// Serves until SIGTERM or Ctrl-C.
async fn serve(loaded: Loaded) -> anyhow::Result<()> {
    let Loaded { config, identity } = loaded;
    bail!(
        "the gateway is not part of this build ({}, {identity:?})",
        config.gateway.listen
    )
}
