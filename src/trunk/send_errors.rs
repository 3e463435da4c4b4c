//! Datagrams that this host's kernel does not send: whose fault that is, and what to do.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// Destinations that are remembered. Strangers can make us answer to addresses of their choice.
const DESTINATIONS: usize = 64;

/// While datagrams to one destination fail, this is told once in this time.
const TELL_TIME: Duration = Duration::from_secs(60);

/// What the kernel said of the last datagram to each destination that it did not send. Clones share one record, since all
/// sockets of a daemon send to the same peers.
#[derive(Clone, Debug, Default)]
pub struct SendErrors(Arc<Mutex<BTreeMap<SocketAddr, Failure>>>);

#[derive(Debug)]
struct Failure {
    reason: String,
    at: Instant,
    told: Instant,
}

impl SendErrors {
    /// Records that the kernel did not send a datagram. Returns the reason if it is to be told now.
    pub fn failed(&self, to: SocketAddr, error: &io::Error, now: Instant) -> Option<String> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = explain(error);
        if let Some(failure) = failures.get_mut(&to) {
            failure.at = now;
            let is_told = failure.reason == reason && now < failure.told + TELL_TIME;
            if !is_told {
                failure.reason.clone_from(&reason);
                failure.told = now;
            }
            return (!is_told).then_some(reason);
        }
        if failures.len() >= DESTINATIONS {
            let oldest = failures.iter().min_by_key(|(_, failure)| failure.at);
            let oldest = oldest.map(|(to, _)| *to);
            oldest.and_then(|oldest| failures.remove(&oldest));
        }
        let failure = Failure {
            reason: reason.clone(),
            at: now,
            told: now,
        };
        failures.insert(to, failure);
        Some(reason)
    }

    /// Why datagrams to a destination were not sent, if one was not since then.
    pub fn since(&self, then: Instant, to: SocketAddr) -> Option<String> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = failures.get(&to).filter(|failure| failure.at >= then)?;
        Some(failure.reason.clone())
    }
}

/// What an error of sending means, and what to do.
fn explain(error: &io::Error) -> String {
    use io::ErrorKind;
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => {
            "a firewall of this host (nftables, iptables, a policy of the container), or a route of the kind prohibit, forbids it: \
             allow outgoing UDP there"
        }
        // Also for routes of the kind blackhole and prohibit.
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::InvalidInput => {
            "this host has no route to it: see `ip route get` with the address, and whether the interface is up"
        }
        ErrorKind::AddrNotAvailable => "the address of [gateway] listen is no longer one of this host",
        _ => return error.to_string(),
    };
    format!("{advice} ({error})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(number: i32) -> io::Error {
        io::Error::from_raw_os_error(number)
    }

    fn peer(port: u16) -> SocketAddr {
        ([10, 0, 0, 2], port).into()
    }

    #[test]
    fn each_destination_is_told_once_a_minute_and_when_the_reason_changes() {
        let (errors, began) = (SendErrors::default(), Instant::now());
        let (forbidden, unreachable) = (error(nix::libc::EPERM), error(nix::libc::ENETUNREACH));
        let told = |port, error, seconds| errors.failed(peer(port), error, began + Duration::from_secs(seconds));
        let first = told(1, &forbidden, 0).expect("the first is told");
        assert!(
            first.contains("firewall of this host") && first.contains("Operation not permitted"),
            "{first}"
        );
        assert_eq!(told(1, &forbidden, 59), None);
        assert!(told(2, &forbidden, 59).is_some(), "another destination");
        assert!(told(1, &forbidden, 60).is_some(), "a minute later");
        let changed = told(1, &unreachable, 61).expect("another reason");
        assert!(changed.contains("no route"), "{changed}");
        assert_eq!(errors.since(began + Duration::from_secs(61), peer(1)), Some(changed));
        assert_eq!(errors.since(began + Duration::from_secs(60), peer(2)), None, "long ago");
        assert_eq!(errors.since(began, peer(3)), None);
    }

    #[test]
    fn a_bounded_number_of_destinations_is_remembered() {
        let (errors, began) = (SendErrors::default(), Instant::now());
        let forbidden = error(nix::libc::EPERM);
        for port in 0..1000 {
            errors.failed(peer(port), &forbidden, began + Duration::from_millis(port.into()));
        }
        assert_eq!(errors.0.lock().unwrap().len(), DESTINATIONS);
        assert!(errors.since(began, peer(999)).is_some());
    }
}
