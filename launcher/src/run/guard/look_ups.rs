//! Threads that are in getaddrinfo(3), as their hooks say. It connects a UDP socket to each
//! address that it has found, to see which source address that would have (RFC 6724), and sends
//! nothing on it. Nobody is asked about these; the guard sees to it that nothing *can* be sent.

use hallpass_guard::{Call, CallKind, Caller, Destination, Protocol};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many threads are remembered.
const MAX_THREADS: usize = 16 * 1024;
/// How long a look-up may take: a resolver gives up after 30 seconds with its usual settings
/// (resolv.conf(5): three servers, two attempts, five seconds). A thread that has left by a jump
/// or was cancelled has not said so.
const LONGEST: Duration = Duration::from_secs(40);
/// Where name servers answer: what getaddrinfo sends there is decided like anything else.
const DNS: u16 = 53;

#[derive(Default)]
pub(super) struct LookUps {
    since: HashMap<Caller, Instant>,
}

impl LookUps {
    pub(super) fn enter(&mut self, caller: Caller, now: Instant) {
        if self.since.len() >= MAX_THREADS {
            self.since
                .retain(|_, since| now.saturating_duration_since(*since) < LONGEST);
        }
        if self.since.len() < MAX_THREADS {
            self.since.insert(caller, now);
        }
    }

    pub(super) fn leave(&mut self, caller: Caller) {
        self.since.remove(&caller);
    }

    /// Whether a call only asks for a source address. Any other call to what is no name server
    /// shows that its thread has left.
    pub(super) fn is_probe(&mut self, call: &Call, now: impl FnOnce() -> Instant) -> bool {
        let Destination::Ip(protocol, to) = &call.destination else {
            return false;
        };
        let Some(since) = self.since.get(&call.caller) else {
            return false;
        };
        if to.port() == DNS && matches!(protocol, Protocol::Udp | Protocol::Tcp) {
            return false;
        }
        let is_probe = call.kind == CallKind::Connect
            && *protocol == Protocol::Udp
            && now().saturating_duration_since(*since) < LONGEST;
        if !is_probe {
            self.leave(call.caller);
        }
        is_probe
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, LookUps, MAX_THREADS};
    use hallpass_guard::{Call, CallKind, Caller, Destination, Protocol};
    use std::time::Instant;

    fn caller(tid: u32) -> Caller {
        Caller { pid: 1, tid }
    }

    fn call(kind: CallKind, protocol: Protocol, to: &str) -> Call {
        Call {
            caller: caller(7),
            kind,
            destination: Destination::Ip(protocol, to.parse().unwrap()),
            resumed: false,
        }
    }

    fn probe() -> Call {
        call(CallKind::Connect, Protocol::Udp, "192.0.2.1:80")
    }

    #[test]
    fn a_udp_connect_in_getaddrinfo_is_a_probe() {
        let (mut threads, now) = (LookUps::default(), Instant::now());
        assert!(!threads.is_probe(&probe(), || now));
        threads.enter(caller(8), now);
        assert!(!threads.is_probe(&probe(), || now), "another thread");
        threads.enter(caller(7), now);
        let dns = call(CallKind::Connect, Protocol::Udp, "192.0.2.1:53");
        assert!(!threads.is_probe(&dns, || now), "it sends there");
        assert!(threads.is_probe(&probe(), || now));
        assert!(threads.is_probe(&probe(), || now));
        threads.leave(caller(7));
        assert!(!threads.is_probe(&probe(), || now));
    }

    #[test]
    fn a_thread_that_does_something_else_has_left() {
        let now = Instant::now();
        for other in [
            call(CallKind::Connect, Protocol::Tcp, "192.0.2.1:80"),
            call(CallKind::SendTo, Protocol::Udp, "192.0.2.1:80"),
        ] {
            let mut threads = LookUps::default();
            threads.enter(caller(7), now);
            assert!(!threads.is_probe(&other, || now));
            assert!(!threads.is_probe(&probe(), || now));
        }
        let mut threads = LookUps::default();
        threads.enter(caller(7), now);
        assert!(!threads.is_probe(&probe(), || now + LONGEST));
    }

    #[test]
    fn threads_are_bounded() {
        let (mut threads, now) = (LookUps::default(), Instant::now());
        for tid in 0..u32::try_from(MAX_THREADS).unwrap() + 10 {
            threads.enter(caller(tid), now);
        }
        assert_eq!(threads.since.len(), MAX_THREADS);
        threads.enter(caller(1_000_000), now + LONGEST);
        assert!(threads.since.len() < 10);
    }
}
