//! Whether a peer answers now.

use std::time::Duration;

use quinn::Connection;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio::time::timeout;

const INTERVAL: Duration = Duration::from_millis(10);

/// Whether the peer acknowledges what it is sent now, within `time` and four round trips. A daemon that was restarted at the same
/// address resets the connection. `probe` makes the session send something.
pub async fn acknowledges(connection: &Connection, probe: &Notify, time: Duration) -> bool {
    let before = connection.stats().frame_rx.acks;
    let time = time + connection.rtt() * 4;
    probe.notify_one();
    let acknowledged = async {
        while connection.stats().frame_rx.acks == before {
            sleep(INTERVAL).await;
        }
    };
    tokio::select! {
        biased;
        _ = connection.closed() => false,
        acknowledged = timeout(time, acknowledged) => acknowledged.is_ok(),
    }
}
