//! Addresses, networks and ranges in a destination, and what their odd spellings mean.

use super::{DestinationError, Host, error, is_prefix_length};
use crate::address::{canonical, inet_aton};
use crate::name::ends_in_number;
use crate::text::quoted;
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn network(text: &str) -> Result<Host, DestinationError> {
    let (front, prefix) = text.split_once('/').unwrap_or((text, ""));
    let address = match strict_address(front) {
        Some(address) => address,
        None if front.contains(':') => IpAddr::V6(ipv6(front)?),
        None if ends_in_number(front) => return Err(odd_network(front, prefix)),
        None => {
            return Err(error(
                format!("{} is no network", quoted(text)),
                "a network is written with an address, such as 10.0.0.0/8; names of any depth as *.example.com",
            ));
        }
    };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let usable = is_prefix_length(prefix) && (prefix == "0" || !prefix.starts_with('0'));
    let length = prefix
        .parse::<u8>()
        .ok()
        .filter(|length| usable && *length <= longest);
    let Some(length) = length else {
        let remedy = match prefix.parse::<Ipv4Addr>() {
            Ok(mask) if address.is_ipv4() => mask_remedy(address, mask),
            _ => format!("write a number from 0 to {longest} after the slash"),
        };
        return Err(error(
            format!("{} is no prefix length for {front}", quoted(prefix)),
            remedy,
        ));
    };
    let net = IpNet::new(address, length).map_err(|_| {
        error(
            format!("{} is no network", quoted(text)),
            format!("write a number from 0 to {longest} after the slash"),
        )
    })?;
    if net.addr() != net.trunc().addr() {
        return Err(error(
            format!("{} has bits set after its prefix", quoted(text)),
            format!(
                "write {} for the network, or {} for the one address",
                unmapped(net.trunc()),
                canonical(address)
            ),
        ));
    }
    Ok(Host::network(unmapped(net)))
}

/// A network inside ::ffff:0:0/96 is its IPv4 network.
fn unmapped(net: IpNet) -> IpNet {
    if let IpNet::V6(v6) = net
        && v6.prefix_len() >= 96
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Ok(v4) = Ipv4Net::new(v4, v6.prefix_len() - 96)
    {
        return IpNet::V4(v4);
    }
    net
}

fn mask_remedy(address: IpAddr, mask: Ipv4Addr) -> String {
    match IpNet::with_netmask(address, IpAddr::V4(mask)) {
        Ok(net) => format!("write the prefix length: {}", net.trunc()),
        Err(_) => "write a prefix length from 0 to 32".to_owned(),
    }
}

/// A range, where the text is meant as one; names may hold `-` as well.
pub(super) fn range(text: &str) -> Option<Result<Host, DestinationError>> {
    let (first, last) = text.split_once('-')?;
    let (a, b) = match (strict_address(first), strict_address(last)) {
        (Some(a), Some(b)) => (a.to_canonical(), b.to_canonical()),
        (a, _) => {
            let numeric = |part: &str| inet_aton(part).is_some() || part.contains(':');
            if !(numeric(first) && numeric(last)) {
                return None;
            }
            return Some(Err(odd_range(text, first, last, a)));
        }
    };
    if a.is_ipv4() != b.is_ipv4() {
        return Some(Err(error(
            format!("{} goes from one IP version to the other", quoted(text)),
            "write one range for IPv4 and one for IPv6",
        )));
    }
    Some(Host::range(a, b).ok_or_else(|| {
        error(
            format!("{} runs backwards", quoted(text)),
            format!("write {b}-{a}"),
        )
    }))
}

fn odd_range(text: &str, first: &str, last: &str, a: Option<IpAddr>) -> DestinationError {
    if let Some(IpAddr::V4(a)) = a
        && let Ok(end) = last.parse::<u8>()
        && end.to_string() == last
    {
        let [x, y, z, _] = a.octets();
        return error(
            format!("{} leaves out the start of its last address", quoted(text)),
            format!("write {first}-{}", Ipv4Addr::new(x, y, z, end)),
        );
    }
    let odd = if a.is_none() { first } else { last };
    let why = match strict_or_odd(odd) {
        Ok(_) => {
            return error(
                format!("{} is no range", quoted(text)),
                "write 10.0.0.5-10.0.0.50",
            );
        }
        Err(why) => why,
    };
    error(
        format!("in the range {}, {}", quoted(text), why.message),
        why.remedy,
    )
}

fn strict_or_odd(text: &str) -> Result<IpAddr, DestinationError> {
    match strict_address(text) {
        Some(address) => Ok(address),
        None if text.contains(':') => ipv6(text).map(IpAddr::V6),
        None => Err(odd_ipv4(text)),
    }
}

/// Only the spellings that every program reads alike.
fn strict_address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

pub(super) fn ipv6(text: &str) -> Result<Ipv6Addr, DestinationError> {
    if let Some((address, scope)) = text.split_once('%') {
        return Err(error(
            format!(
                "{} has a scope ({})",
                quoted(text),
                quoted(&format!("%{scope}"))
            ),
            format!("write {}: a rule holds on every interface", quoted(address)),
        ));
    }
    text.parse().map_err(|_| {
        let ports = text.rsplit_once(':').filter(|(host, port)| {
            host.parse::<Ipv6Addr>().is_ok() && port.bytes().all(|b| b.is_ascii_digit() || matches!(b, b',' | b'-'))
        });
        let remedy = match ports {
            Some((host, port)) => format!("write {}", quoted(&format!("[{host}]:{port}"))),
            None => "write an address such as 2001:db8::1, with a port [2001:db8::1]:443; a host takes one colon".to_owned(),
        };
        error(format!("{} is no IPv6 address", quoted(text)), remedy)
    })
}

/// Text whose last part is a number and that is no canonical address.
pub(super) fn odd_ipv4(text: &str) -> DestinationError {
    let Some(meant) = inet_aton(text) else {
        return error(
            format!("{} is no address", quoted(text)),
            "write four numbers from 0 to 255 without leading zeros, such as 192.0.2.1",
        );
    };
    let remedy =
        if !text.contains(['.', 'x', 'X']) && text.parse::<u16>().is_ok_and(|port| port != 0) {
            format!("write {meant} if that is meant, or @any:{text} for the port")
        } else if let Some(decimal) = without_leading_zeros(text) {
            format!("write {meant} if that is meant, or {decimal}")
        } else {
            format!("write {meant} if that is meant")
        };
    error(
        format!(
            "{} is not how an address is written; programs read it as {meant}",
            quoted(text)
        ),
        remedy,
    )
}

/// `010.0.0.1` as a person may have meant it.
fn without_leading_zeros(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = text
        .split('.')
        .map(|part| match part.trim_start_matches('0') {
            "" => "0",
            rest => rest,
        })
        .collect();
    parts.join(".").parse().ok()
}

fn odd_network(front: &str, prefix: &str) -> DestinationError {
    let odd = odd_ipv4(front);
    let meant = inet_aton(front).map(IpAddr::V4);
    // `10/8` and `192.168/16` fill with zeros at the end, not as inet_aton does.
    let dots = front.matches('.').count();
    let filled = format!("{front}{}", ".0".repeat(3usize.saturating_sub(dots)));
    let filled = filled.parse::<Ipv4Addr>().map(IpAddr::V4).ok().or(meant);
    let length = prefix.parse::<u8>().ok().filter(|length| *length <= 32);
    match (filled, length) {
        (Some(address), Some(length)) => match IpNet::new(address, length) {
            Ok(net) => error(odd.message, format!("write {}", net.trunc())),
            Err(_) => odd,
        },
        _ => odd,
    }
}
