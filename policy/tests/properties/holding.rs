//! Which destination holds another, told from their texts alone.

use hallpass_policy::{Destination, Protocol};
use std::net::IpAddr;

/// Whether the first set holds every flow of the second, as far as that can be told from the
/// sets alone: addresses and groups of addresses with addresses, names with names.
pub(crate) fn holds(wide: &Destination, narrow: &Destination) -> Option<bool> {
    let is_socket = |to: &Destination| to.to_string().starts_with("unix:");
    if is_socket(wide) || is_socket(narrow) {
        return None;
    }
    let parts = |to: &Destination| {
        let text = to.to_string();
        let (front, protocol) = match text.rsplit_once('/') {
            Some((front, word)) if Protocol::ALL.iter().any(|p| p.as_str() == word) => {
                (front.to_owned(), Some(word.to_owned()))
            }
            _ => (text, None),
        };
        let brackets = front
            .strip_prefix('[')
            .and_then(|front| front.split_once(']'));
        let (host, ports) = match brackets {
            Some((host, ports)) => (host.to_owned(), ports.trim_start_matches(':').to_owned()),
            None if front.matches(':').count() == 1 => {
                let (host, ports) = front.split_once(':').unwrap();
                (host.to_owned(), ports.to_owned())
            }
            None => (front, String::new()),
        };
        (host, ports, protocol)
    };
    let (wide_host, wide_ports, wide_protocol) = parts(wide);
    let (narrow_host, narrow_ports, narrow_protocol) = parts(narrow);
    let port_set = |text: &str| -> Vec<u32> {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            first.parse::<u32>().unwrap()..=last.parse().unwrap()
        };
        text.split(',').flat_map(range).collect()
    };
    let ports_hold = wide_ports.is_empty()
        || !narrow_ports.is_empty() && {
            let wide: std::collections::HashSet<u32> = port_set(&wide_ports).into_iter().collect();
            port_set(&narrow_ports)
                .iter()
                .all(|port| wide.contains(port))
        };
    let protocol_holds = wide_protocol.is_none() || wide_protocol == narrow_protocol;
    Some(ports_hold && protocol_holds && host_holds(&wide_host, &narrow_host)?)
}

fn host_holds(wide: &str, narrow: &str) -> Option<bool> {
    if wide == narrow {
        return Some(true);
    }
    let groups = [
        ("@multicast", "@lan"),
        ("@multicast", "@local"),
        ("@multicast", "@any"),
        ("@lan", "@local"),
        ("@lan", "@any"),
        ("@loopback", "@local"),
        ("@loopback", "@any"),
        ("@local", "@any"),
        ("@internet", "@any"),
        ("@dns", "@any"),
    ];
    if wide.starts_with('@') && narrow.starts_with('@') {
        return Some(groups.contains(&(narrow, wide)));
    }
    if let Some(zone) = wide.strip_prefix("*.") {
        let below = narrow.strip_prefix("*.").unwrap_or(narrow);
        let span = span(narrow);
        return Some(span.is_none() && below.ends_with(&format!(".{zone}")));
    }
    let (first, last) = span(narrow)?;
    if wide == "@any" {
        return Some(true);
    }
    let (from, to) = span(wide)?;
    Some(from.is_ipv4() == first.is_ipv4() && from <= first && last <= to)
}

fn span(host: &str) -> Option<(IpAddr, IpAddr)> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some((address, address));
    }
    if let Ok(net) = host.parse::<ipnet::IpNet>() {
        return Some((net.network(), net.broadcast()));
    }
    let (first, last) = host.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}
