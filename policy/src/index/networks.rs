//! Networks by their length and first address: a look-up tries each length that occurs.

use hashbrown::HashMap;
use ipnet::IpNet;
use std::hash::Hash;
use std::net::IpAddr;

/// For each network the number of the entry that was filed last.
#[derive(Clone, Debug, Default)]
pub(super) struct Networks {
    v4: Vec<(u8, HashMap<u32, usize>)>,
    v6: Vec<(u8, HashMap<u128, usize>)>,
}

impl Networks {
    /// Files an entry; gives the one that was filed there before.
    pub(super) fn put(&mut self, net: IpNet, number: usize) -> Option<usize> {
        let length = net.prefix_len();
        match net.network() {
            IpAddr::V4(first) => put(&mut self.v4, length, first.into(), number),
            IpAddr::V6(first) => put(&mut self.v6, length, first.into(), number),
        }
    }

    /// Calls `visit` with the entry of every network that holds the address.
    pub(super) fn visit(&self, address: IpAddr, visit: &mut impl FnMut(usize)) {
        match address {
            IpAddr::V4(address) => {
                let bits = u32::from(address);
                for (length, networks) in &self.v4 {
                    let mask = u32::MAX.checked_shl(32 - u32::from(*length)).unwrap_or(0);
                    networks.get(&(bits & mask)).copied().map(&mut *visit);
                }
            }
            IpAddr::V6(address) => {
                let bits = u128::from(address);
                for (length, networks) in &self.v6 {
                    let mask = u128::MAX.checked_shl(128 - u32::from(*length)).unwrap_or(0);
                    networks.get(&(bits & mask)).copied().map(&mut *visit);
                }
            }
        }
    }
}

fn put<B: Eq + Hash>(
    lengths: &mut Vec<(u8, HashMap<B, usize>)>,
    length: u8,
    first: B,
    number: usize,
) -> Option<usize> {
    let at = match lengths.iter().position(|(known, _)| *known == length) {
        Some(at) => at,
        None => {
            lengths.push((length, HashMap::new()));
            lengths.len() - 1
        }
    };
    lengths.get_mut(at)?.1.insert(first, number)
}
