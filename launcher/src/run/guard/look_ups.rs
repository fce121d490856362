//! Threads that are inside getaddrinfo(3), by the word of their hook.
//!
//! The C library sorts the addresses that it has found by connecting a datagram socket to each and
//! asking which source address it would have; it sends nothing. The hook does not see that, the
//! guard does: nobody is to be asked about it.

use hallpass_guard::{CallKind, Caller, Protocol};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Longer than any look-up: five tries of thirty seconds (resolv.conf(5)).
const LONGEST: Duration = Duration::from_secs(150);
/// Threads that are remembered.
const MAX_THREADS: usize = 4096;
const DNS: u16 = 53;

/// See the module's text.
#[derive(Default)]
pub(super) struct LookUps {
    threads: HashMap<Caller, Instant>,
}

impl LookUps {
    /// The thread enters.
    pub(super) fn enter(&mut self, caller: Caller) {
        if self.threads.len() >= MAX_THREADS {
            self.threads.clear();
        }
        self.threads.insert(caller, Instant::now());
    }

    /// The thread has left.
    pub(super) fn leave(&mut self, caller: Caller) {
        self.threads.remove(&caller);
    }

    /// The thread makes this call. True where it is one that asks for a source address.
    pub(super) fn calls(
        &mut self,
        caller: Caller,
        kind: CallKind,
        protocol: Protocol,
        port: u16,
    ) -> bool {
        let Some(entered) = self.threads.get(&caller) else {
            return false;
        };
        let is_over = entered.elapsed() > LONGEST;
        // Only name servers are spoken to in a look-up: it has left by a jump (wget(1) does).
        if is_over || (protocol == Protocol::Tcp && port != DNS) {
            self.threads.remove(&caller);
            return false;
        }
        protocol == Protocol::Udp && kind == CallKind::Connect
    }
}

#[cfg(test)]
mod tests {
    use super::{LookUps, MAX_THREADS};
    use hallpass_guard::{CallKind, Caller, Protocol};

    const ONE: Caller = Caller { pid: 1, tid: 2 };

    fn probes(look_ups: &mut LookUps, caller: Caller) -> bool {
        look_ups.calls(caller, CallKind::Connect, Protocol::Udp, 80)
    }

    #[test]
    fn only_connects_of_datagram_sockets_of_a_thread_that_is_inside() {
        let mut look_ups = LookUps::default();
        assert!(!probes(&mut look_ups, ONE));
        look_ups.enter(ONE);
        assert!(probes(&mut look_ups, ONE));
        assert!(!probes(&mut look_ups, Caller { pid: 1, tid: 1 }));
        assert!(!look_ups.calls(ONE, CallKind::SendTo, Protocol::Udp, 80));
        assert!(!look_ups.calls(ONE, CallKind::Connect, Protocol::Tcp, 53));
        assert!(probes(&mut look_ups, ONE));
        look_ups.leave(ONE);
        assert!(!probes(&mut look_ups, ONE));
    }

    #[test]
    fn a_thread_that_has_jumped_out_is_not_inside() {
        let mut look_ups = LookUps::default();
        look_ups.enter(ONE);
        assert!(!look_ups.calls(ONE, CallKind::Connect, Protocol::Tcp, 80));
        assert!(!probes(&mut look_ups, ONE));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut look_ups = LookUps::default();
        for tid in 0..u32::try_from(MAX_THREADS * 2).unwrap() {
            look_ups.enter(Caller { pid: 1, tid });
        }
        assert!(look_ups.threads.len() <= MAX_THREADS);
    }
}
