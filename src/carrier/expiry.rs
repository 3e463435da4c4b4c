use std::collections::BTreeMap;
use std::time::Duration;
use std::time::SystemTime;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tracing::warn;

use crate::cluster::io::control::Control;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Days before its end at which a certificate is warned of.
const WARNED_AT: [u32; 3] = [1, 7, 30];

/// Which certificates were warned of, and at which of the days.
#[derive(Debug, Default)]
pub(super) struct Expiry(BTreeMap<String, u32>);

impl Expiry {
    /// Warns of the daemon's own certificate and of its authorities.
    pub(super) fn warn(&mut self, own: SystemTime, authorities: SystemTime, now: SystemTime) {
        for (whose, until) in [
            ("this daemon's certificate", own),
            ("an authority in ca.pem", authorities),
        ] {
            if let Some(days) = self.is_news(whose, until, now) {
                warn!(
                    whose,
                    days, "a certificate expires soon: issue another one; it is used without a restart"
                );
            }
        }
    }

    /// Warns of the certificates of peers.
    pub(super) async fn warn_of_peers(&mut self, cluster: &mpsc::Sender<Control>, now: SystemTime) {
        let (answer, told) = oneshot::channel();
        let _ = cluster.send(Control::Peers { answer }).await;
        for peer in told.await.unwrap_or_default().list {
            if let Some(until) = peer.valid_until
                && let Some(days) = self.is_news(&format!("peer {}", peer.name), until, now)
            {
                warn!(peer = peer.name, days, "the certificate of a peer expires soon");
            }
        }
    }

    /// The days that are left, if that is to be told now: once at each of the days.
    fn is_news(&mut self, whose: &str, until: SystemTime, now: SystemTime) -> Option<u32> {
        let left = until.duration_since(now).unwrap_or_default();
        let Some(threshold) = WARNED_AT.into_iter().find(|days| left <= DAY * *days) else {
            self.0.remove(whose);
            return None;
        };
        let before = self.0.insert(whose.to_owned(), threshold);
        let days = u32::try_from(left.as_secs() / DAY.as_secs()).unwrap_or(u32::MAX);
        (before != Some(threshold)).then_some(days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_warned_of_30_7_and_1_days_ahead_and_again_when_another_one_ends() {
        let mut expiry = Expiry::default();
        let start = SystemTime::UNIX_EPOCH;
        let until = start + 100 * DAY;
        let told: Vec<u32> = (0..=100)
            .filter(|day| expiry.is_news("own", until, start + *day * DAY).is_some())
            .collect();
        assert_eq!(told, [70, 93, 99]);
        let renewed = until + 100 * DAY;
        let told: Vec<u32> = (100..=200)
            .filter(|day| expiry.is_news("own", renewed, start + *day * DAY).is_some())
            .collect();
        assert_eq!(told, [170, 193, 199]);
    }
}
