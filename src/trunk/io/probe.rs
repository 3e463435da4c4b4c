//! Whether a peer answers now.

use std::time::Duration;

use quinn::Connection;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio::time::timeout;

const INTERVAL: Duration = Duration::from_millis(10);

/// How long to read what the peer may have sent before, besides a round trip.
const SETTLE: Duration = Duration::from_millis(50);

/// Whether the peer acknowledges what it is sent now, within `time` and five round trips. A daemon that was restarted at the same
/// address resets the connection. `probe` makes the session send something.
pub async fn acknowledges(connection: &Connection, probe: &Notify, time: Duration) -> bool {
    let round_trip = connection.rtt();
    let acknowledged = async {
        // Acknowledgements that the peer sent while it lived are no answer. On a busy host, they wait in the socket.
        sleep(SETTLE + round_trip).await;
        let before = connection.stats().frame_rx.acks;
        probe.notify_one();
        while connection.stats().frame_rx.acks == before {
            sleep(INTERVAL).await;
        }
    };
    tokio::select! {
        biased;
        _ = connection.closed() => false,
        acknowledged = timeout(time + round_trip * 5, acknowledged) => acknowledged.is_ok(),
    }
}
