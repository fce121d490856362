//! Numbers for live connections: small, the same for as long as the connection lives, and never
//! given again, so that a command typed late ends nothing else.

use super::socket::Socket;
use crate::control::protocol::FlowId;
use std::collections::HashMap;

/// What tells one socket from all others: its inode number, of which the machine has one series
/// for all network namespaces, and the cookie where there is one (an inode number may come back
/// after some four billion sockets).
type Key = (u64, Option<u64>);

/// The numbers in use.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    last: FlowId,
    known: HashMap<Key, FlowId>,
}

impl Numbers {
    /// The numbers of these sockets, in their order. Those that are not among them are gone, and
    /// so are their numbers.
    pub(crate) fn of(&mut self, sockets: &[&Socket]) -> Vec<FlowId> {
        let mut known = HashMap::with_capacity(sockets.len());
        let numbers = sockets.iter().map(|socket| {
            let key = (socket.inode, socket.cookie);
            let number = self.known.get(&key).copied().unwrap_or_else(|| {
                self.last += 1;
                self.last
            });
            *known.entry(key).or_insert(number)
        });
        let numbers = numbers.collect();
        self.known = known;
        numbers
    }

    /// Whether a connection ever had this number.
    pub(crate) fn was_given(&self, number: FlowId) -> bool {
        (1..=self.last).contains(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::super::socket::{Socket, Stage};
    use super::Numbers;
    use crate::control::protocol::State;
    use hallpass_policy::Protocol;

    fn socket(inode: u64, cookie: u64) -> Socket {
        Socket {
            protocol: Protocol::Tcp,
            local: "127.0.0.1:1".parse().unwrap(),
            remote: "127.0.0.1:2".parse().unwrap(),
            stage: Stage::Live(State::Established),
            inode,
            cookie: Some(cookie),
            sent: None,
            received: None,
        }
    }

    #[test]
    fn a_number_stays_and_is_never_given_again() {
        let (a, b, c) = (socket(7, 1), socket(8, 2), socket(7, 3));
        let mut numbers = Numbers::default();
        assert_eq!(numbers.of(&[&a, &b]), [1, 2]);
        assert_eq!(numbers.of(&[&b]), [2]);
        // The inode number of another has come back.
        assert_eq!(numbers.of(&[&c, &b]), [3, 2]);
        assert_eq!(numbers.of(&[]), Vec::<u64>::new());
        assert_eq!(numbers.of(&[&a]), [4]);
        assert!(numbers.was_given(1) && numbers.was_given(4));
        assert!(!numbers.was_given(0) && !numbers.was_given(5));
    }
}
