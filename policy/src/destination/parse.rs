//! Reading a destination: exact about what is accepted, helpful about the rest.

mod ip;
mod pasted;

use super::{Destination, DestinationError, Group, Host, Ports, TEXT_MAX};
use crate::Protocol;
use crate::address::canonical;
use crate::name::{canonical_name, ends_in_number, is_canonical};
use crate::text::quoted;
use ip::{ipv6, network, odd_ipv4, range};
use pasted::{check_pasted, check_whole};
use std::net::{IpAddr, Ipv4Addr};

/// A UNIX socket's path has at most 108 bytes (unix(7)); escaped it may be four times as long.
const UNIX_PATH_MAX: usize = 440;

fn error(message: impl Into<String>, remedy: impl Into<String>) -> DestinationError {
    DestinationError::new(message, remedy)
}

pub(super) fn destination(text: &str) -> Result<Destination, DestinationError> {
    if is_canonical(text) {
        return Ok(Destination::whole(Host::Name(text.into())));
    }
    check_whole(text)?;
    if let Some(path) = text.strip_prefix("unix:") {
        return unix(path);
    }
    check_pasted(text)?;
    let (front, protocol) = split_protocol(text)?;
    let (host, ports) = split_ports(front)?;
    let host = host_of(host)?;
    let ports = match ports {
        None => Ports::any(),
        Some(ports) => Ports::parse(ports)?,
    };
    check_suffixes(&host, &ports, protocol)?;
    Ok(Destination {
        host,
        ports,
        protocol,
    })
}

fn split_protocol(text: &str) -> Result<(&str, Option<Protocol>), DestinationError> {
    let Some((front, last)) = text.rsplit_once('/') else {
        return Ok((text, None));
    };
    if let Some(protocol) = Protocol::ALL
        .iter()
        .find(|p| last.eq_ignore_ascii_case(p.as_str()))
    {
        if front.is_empty() {
            return Err(error(
                format!("{} has no host", quoted(text)),
                format!("write @any/{protocol} for every host"),
            ));
        }
        return Ok((front, Some(*protocol)));
    }
    let looks_like_prefix = last.starts_with(|c: char| c.is_ascii_digit()) || last.ends_with(']');
    if looks_like_prefix && (front.contains(':') || ends_in_number(front)) {
        return Ok((text, None));
    }
    if text.starts_with('/') {
        return Err(error(
            format!("{} is a path", quoted(text)),
            format!(
                "write {} for a UNIX socket",
                quoted(&format!("unix:{text}"))
            ),
        ));
    }
    if last.is_empty() || front.contains('/') || last.contains('.') || last.contains(':') {
        let host = text.split('/').next().unwrap_or(text);
        return Err(error(
            format!("{} has a path after the host", quoted(text)),
            format!(
                "write {}; hallpass sees connections, not what is sent over them",
                quoted(host)
            ),
        ));
    }
    Err(error(
        format!("{} is no protocol", quoted(&format!("/{last}"))),
        "write /tcp, /udp, /icmp or /raw, or none for all of them; a network is written with its prefix, such as 10.0.0.0/8",
    ))
}

/// Splits `host:ports`, `[v6]:ports`, `v6/prefix:ports`. The host comes without brackets.
fn split_ports(text: &str) -> Result<(&str, Option<&str>), DestinationError> {
    if let Some(inner) = text.strip_prefix('[') {
        return split_brackets(text, inner);
    }
    if let Some((front, prefix)) = text.split_once('/') {
        return Ok(match prefix.split_once(':') {
            Some((digits, ports)) if is_prefix_length(digits) => (
                text.get(..front.len() + 1 + digits.len()).unwrap_or(text),
                Some(ports),
            ),
            _ => (text, None),
        });
    }
    let Some((host, ports)) = text.split_once(':') else {
        return Ok((text, None));
    };
    if ports.contains(':') {
        // Two colons: an IPv6 address or range as a whole, never a host and a port.
        return Ok((text, None));
    }
    if host.is_empty() {
        let remedy = format!(
            "write {} for that port of every host",
            quoted(&format!("@any:{ports}"))
        );
        return Err(error(format!("{} has no host", quoted(text)), remedy));
    }
    Ok((host, Some(ports)))
}

fn is_prefix_length(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn split_brackets<'a>(
    text: &'a str,
    inner: &'a str,
) -> Result<(&'a str, Option<&'a str>), DestinationError> {
    let Some((host, rest)) = inner.split_once(']') else {
        return Err(error(
            format!("{} opens a bracket and does not close it", quoted(text)),
            "write an IPv6 address with a port as [2001:db8::1]:443",
        ));
    };
    if !host.contains(':') {
        return Err(error(
            format!(
                "{} has brackets around what is no IPv6 address",
                quoted(text)
            ),
            format!("write {}", quoted(&format!("{host}{rest}"))),
        ));
    }
    match rest.strip_prefix(':') {
        Some(ports) => Ok((host, Some(ports))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err(error(
            format!("{} follows the bracket in {}", quoted(rest), quoted(text)),
            "write a prefix inside the brackets and ports after them: [fd00::/8]:443",
        )),
    }
}

fn host_of(text: &str) -> Result<Host, DestinationError> {
    if text.starts_with('@') {
        return group(text);
    }
    if text.contains(',') {
        return Err(error(
            format!("{} has a comma in its host", quoted(text)),
            "write one destination at a time",
        ));
    }
    if text.contains('*') {
        return wildcard(text);
    }
    if text.contains('/') {
        return network(text);
    }
    if let Some(range) = range(text) {
        return range;
    }
    if text.contains(':') || text.contains('%') {
        return ipv6(text).map(|address| Host::Address(canonical(IpAddr::V6(address))));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Address(canonical(IpAddr::V4(address))));
    }
    if ends_in_number(text) {
        return Err(odd_ipv4(text));
    }
    if let Some(group) = Group::with_bare_word(text) {
        return Err(error(
            format!(
                "{} without `@` would be a machine of that name",
                quoted(text)
            ),
            format!(
                "write {group}, or {} for the machine",
                quoted(&format!("{text}."))
            ),
        ));
    }
    Ok(Host::Name(canonical_name(text)?.into_boxed_str()))
}

fn group(text: &str) -> Result<Host, DestinationError> {
    if let Some(group) = Group::ALL.iter().find(|group| group.as_str() == text) {
        return Ok(Host::Group(*group));
    }
    let known = Group::ALL.map(Group::as_str).join(", ");
    let lower = text.to_ascii_lowercase();
    let remedy = match Group::ALL.iter().find(|group| group.as_str() == lower) {
        Some(group) => format!("write {group}"),
        None => format!("write one of {known}"),
    };
    Err(error(format!("{} is no group", quoted(text)), remedy))
}

fn wildcard(text: &str) -> Result<Host, DestinationError> {
    if text == "*" || text == "*.*" {
        return Err(error(
            format!("{} is too wide to be meant by accident", quoted(text)),
            "write @any for every address, or @internet for all but this machine and its network",
        ));
    }
    if let Some(zone) = text.strip_prefix("*.")
        && !zone.contains('*')
    {
        return Ok(Host::Below(canonical_name(zone)?.into_boxed_str()));
    }
    let looks_like_address = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'*'));
    let remedy = if looks_like_address {
        "write a network such as 10.0.0.0/8, or a range such as 10.0.0.5-10.0.0.50".to_owned()
    } else if let Some(zone) = text.strip_prefix("*.*.").filter(|zone| !zone.contains('*')) {
        format!(
            "write {}: it stands for names of any depth",
            quoted(&format!("*.{zone}"))
        )
    } else {
        "write one `*.` in front of a whole name: *.example.com".to_owned()
    };
    Err(error(
        format!("{} has a `*` where none can stand", quoted(text)),
        remedy,
    ))
}

fn unix(path: &str) -> Result<Destination, DestinationError> {
    let whole = || quoted(&format!("unix:{path}"));
    if path.len() > UNIX_PATH_MAX {
        return Err(error(
            format!("{} is longer than any socket's path", whole()),
            "a socket's path has at most 108 bytes",
        ));
    }
    let abstract_name = path.strip_prefix('@').is_some_and(|name| !name.is_empty());
    if !abstract_name {
        let Some(rest) = path.strip_prefix('/').filter(|rest| !rest.is_empty()) else {
            return Err(error(
                format!("{} is no absolute path", whole()),
                "write unix:/run/example.sock, or unix:@name for an abstract socket",
            ));
        };
        if rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(error(
                format!("{} is not written as the system shows it", whole()),
                "write the path without `//`, `.`, `..` and without a `/` at its end",
            ));
        }
    }
    if path.contains('*') {
        return Err(error(
            format!("{} has a `*`", whole()),
            "write one socket's path, or @broker or @desktop",
        ));
    }
    Ok(Destination {
        host: Host::Unix(path.into()),
        ports: Ports::any(),
        protocol: None,
    })
}

/// Suffixes that could never match, or that say nothing.
fn check_suffixes(
    host: &Host,
    ports: &Ports,
    protocol: Option<Protocol>,
) -> Result<(), DestinationError> {
    if let Host::Group(group) = host {
        let takes_nothing = group.is_unix() || *group == Group::Raw;
        if takes_nothing && (!ports.is_any() || protocol.is_some()) {
            return Err(error(
                format!("{group} takes neither ports nor a protocol"),
                format!("write {group}"),
            ));
        }
        if *group == Group::Dns && !ports.is_any() {
            return Err(error(
                "@dns is port 53 and takes no ports",
                "write @dns, @dns/udp or @dns/tcp",
            ));
        }
        if *group == Group::Dns && protocol.is_some_and(|protocol| !protocol.has_ports()) {
            return Err(error(
                "@dns is TCP or UDP",
                "write @dns, @dns/udp or @dns/tcp",
            ));
        }
    }
    match protocol {
        Some(protocol) if !protocol.has_ports() && !ports.is_any() => Err(error(
            format!("{protocol} has no ports"),
            format!("leave `:{ports}` out, or write /tcp or /udp"),
        )),
        _ => Ok(()),
    }
}
