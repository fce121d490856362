//! Which names programs looked addresses up under.
//!
//! Names are the hook's word ("claimed"). A process is given the names that it or one of its
//! ancestors looked up, not those of its neighbours: two programs may reach different hosts at
//! one address.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// How many addresses are remembered, the latest.
const MAX_ADDRESSES: usize = 16 * 1024;
/// How many (process, name) pairs are remembered for one address, the latest.
const MAX_PER_ADDRESS: usize = 64;
/// How many names a flow is shown with.
const MAX_SHOWN: usize = 8;

/// What a look-up has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noted {
    /// Nothing.
    Nothing,
    /// The order of an address's names.
    Order,
    /// An address has a name for the process that it did not have before.
    Name,
}

/// Names by address, latest look-up first.
#[derive(Default)]
pub struct NameTable {
    by_address: HashMap<IpAddr, VecDeque<LookUp>>,
    /// Addresses in the order they were first seen, to forget the oldest.
    order: VecDeque<IpAddr>,
}

struct LookUp {
    pid: u32,
    name: String,
}

impl NameTable {
    /// `pid` looked `name` up (canonical form) and got `addresses` (canonical form).
    pub fn record(
        &mut self,
        pid: u32,
        name: &str,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Noted {
        let mut noted = Noted::Nothing;
        for address in addresses {
            if !self.by_address.contains_key(&address) {
                if self.order.len() >= MAX_ADDRESSES
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.by_address.remove(&oldest);
                }
                self.order.push_back(address);
            }
            let look_ups = self.by_address.entry(address).or_default();
            let is_same = |seen: &LookUp| seen.pid == pid && seen.name == name;
            if look_ups.front().is_some_and(is_same) {
                continue;
            }
            let before = look_ups.len();
            look_ups.retain(|seen| !is_same(seen));
            let is_new = look_ups.len() == before;
            noted = noted.max(if is_new { Noted::Name } else { Noted::Order });
            look_ups.push_front(LookUp {
                pid,
                name: name.to_owned(),
            });
            look_ups.truncate(MAX_PER_ADDRESS);
        }
        noted
    }

    /// The names under which a process, given with its ancestors, looked an address up.
    #[must_use]
    pub fn names(&self, lineage: &[u32], address: IpAddr) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for seen in self.by_address.get(&address).into_iter().flatten() {
            if names.len() == MAX_SHOWN {
                break;
            }
            if lineage.contains(&seen.pid) && !names.contains(&seen.name) {
                names.push(seen.name.clone());
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_ADDRESSES, NameTable, Noted};
    use std::net::{IpAddr, Ipv4Addr};

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(n))
    }

    #[test]
    fn the_latest_look_up_comes_first() {
        let mut table = NameTable::default();
        let mut record =
            |name: &str, addresses: &[IpAddr]| table.record(1, name, addresses.iter().copied());
        assert_eq!(record("a.test", &[address(1)]), Noted::Name);
        assert_eq!(record("a.test", &[address(1)]), Noted::Nothing);
        assert_eq!(record("b.test", &[address(1), address(2)]), Noted::Name);
        assert_eq!(table.names(&[1], address(1)), ["b.test", "a.test"]);
        assert_eq!(table.record(1, "a.test", [address(1)]), Noted::Order);
        assert_eq!(table.names(&[1], address(1)), ["a.test", "b.test"]);
        assert_eq!(table.names(&[1], address(2)), ["b.test"]);
    }

    #[test]
    fn a_neighbours_look_up_is_not_mine_and_a_parents_is() {
        let mut table = NameTable::default();
        table.record(1, "a.test", [address(1)]);
        assert!(table.names(&[2], address(1)).is_empty());
        assert_eq!(table.names(&[2, 1], address(1)), ["a.test"]);
    }

    #[test]
    fn a_flood_of_look_ups_is_bounded() {
        let mut table = NameTable::default();
        for n in 0..u32::try_from(MAX_ADDRESSES).unwrap() + 10 {
            table.record(1, "a.test", [address(n)]);
        }
        for n in 0..1000 {
            table.record(1, &format!("{n}.test"), [address(7_000)]);
        }
        assert_eq!(table.by_address.len(), MAX_ADDRESSES);
        assert!(table.names(&[1], address(0)).is_empty());
        assert_eq!(table.names(&[1], address(7_000))[0], "999.test");
        assert!(table.by_address[&address(7_000)].len() <= super::MAX_PER_ADDRESS);
    }
}
