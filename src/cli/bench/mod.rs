//! `beamway bench`: carriers of distribution compared in one run.
//!
//! - [`findings`]: what a run found; `--json` prints it, and an interrupted run is resumed from it.

pub mod findings;
