//! Networks by their length and first address: a look-up tries each length that occurs.

use super::Entry;
use hashbrown::HashMap;
use ipnet::IpNet;
use std::hash::Hash;
use std::net::IpAddr;

/// For each network the first entry of its chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Networks {
    v4: Vec<(u8, HashMap<u32, Entry>)>,
    v6: Vec<(u8, HashMap<u128, Entry>)>,
}

impl Networks {
    /// The first entry of a network's chain.
    pub(super) fn first(&self, net: IpNet) -> Option<Entry> {
        let length = net.prefix_len();
        match net.network() {
            IpAddr::V4(first) => get(&self.v4, length, first.into()),
            IpAddr::V6(first) => get(&self.v6, length, first.into()),
        }
    }

    /// Puts an entry first.
    pub(super) fn put(&mut self, net: IpNet, entry: Entry) {
        let length = net.prefix_len();
        match net.network() {
            IpAddr::V4(first) => put(&mut self.v4, length, first.into(), entry),
            IpAddr::V6(first) => put(&mut self.v6, length, first.into(), entry),
        }
    }

    /// Calls `visit` with the first entry of every network that holds the address.
    pub(super) fn visit(&self, address: IpAddr, visit: &mut impl FnMut(Option<Entry>)) {
        match address {
            IpAddr::V4(address) => {
                let bits = u32::from(address);
                for (length, networks) in &self.v4 {
                    let mask = u32::MAX.checked_shl(32 - u32::from(*length)).unwrap_or(0);
                    visit(networks.get(&(bits & mask)).copied());
                }
            }
            IpAddr::V6(address) => {
                let bits = u128::from(address);
                for (length, networks) in &self.v6 {
                    let mask = u128::MAX.checked_shl(128 - u32::from(*length)).unwrap_or(0);
                    visit(networks.get(&(bits & mask)).copied());
                }
            }
        }
    }
}

fn get<B: Eq + Hash>(lengths: &[(u8, HashMap<B, Entry>)], length: u8, first: B) -> Option<Entry> {
    let (_, networks) = lengths.iter().find(|(known, _)| *known == length)?;
    networks.get(&first).copied()
}

fn put<B: Eq + Hash>(
    lengths: &mut Vec<(u8, HashMap<B, Entry>)>,
    length: u8,
    first: B,
    entry: Entry,
) {
    let known = lengths.iter_mut().find(|(known, _)| *known == length);
    match known {
        Some((_, networks)) => {
            networks.insert(first, entry);
        }
        None => lengths.push((length, HashMap::from_iter([(first, entry)]))),
    }
}
