//! Children of a test, and a folder for them.

use beamway::lab::testbed::children::Children;
use beamway::lab::testbed::workspace::Workspace;

/// Runs what is given with both; they end with it.
pub(crate) fn on_children<T>(body: impl AsyncFnOnce(&Workspace, &Children) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let workspace = Workspace::create().unwrap();
        let children = Children::default();
        let done = body(&workspace, &children).await;
        children.end().await;
        done
    })
}
