//! Reading a destination: exact about what is accepted, helpful about the rest.

use super::{Destination, DestinationError, Group, Host, Ports, TEXT_MAX};
use crate::Protocol;
use crate::address::{canonical, inet_aton};
use crate::name::{canonical_name, ends_in_number};
use crate::text::{is_hidden, quoted};
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A UNIX socket's path has at most 108 bytes (unix(7)); escaped it may be four times as long.
const UNIX_PATH_MAX: usize = 440;

fn error(message: impl Into<String>, remedy: impl Into<String>) -> DestinationError {
    DestinationError::new(message, remedy)
}

pub(super) fn destination(text: &str) -> Result<Destination, DestinationError> {
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

/// What no destination has, whatever its kind.
fn check_whole(text: &str) -> Result<(), DestinationError> {
    if text.is_empty() {
        return Err(error(
            "the destination is empty",
            "write one such as example.com:443, 10.0.0.0/8 or @any",
        ));
    }
    if text.len() > TEXT_MAX {
        return Err(error(
            format!("{} has {} bytes", quoted(text), text.len()),
            format!("a destination has at most {TEXT_MAX}"),
        ));
    }
    if text.trim() != text {
        return Err(error(
            format!("{} has a blank at its start or end", quoted(text)),
            format!("write {}", quoted(text.trim())),
        ));
    }
    if text.chars().any(is_hidden) {
        return Err(error(
            format!("{} has a control or invisible character", quoted(text)),
            "type it instead of pasting it",
        ));
    }
    Ok(())
}

/// What people paste: URLs, user@host, lists.
fn check_pasted(text: &str) -> Result<(), DestinationError> {
    if let Some((scheme, rest)) = text.split_once("://") {
        return Err(url(text, scheme, rest));
    }
    if text.chars().any(char::is_whitespace) {
        return Err(error(
            format!("{} has a blank in it", quoted(text)),
            "write one destination at a time",
        ));
    }
    if let Some((front, host)) = text.rsplit_once('@')
        && !front.is_empty()
    {
        return Err(error(
            format!("{} has a user in front of the host", quoted(text)),
            format!(
                "write {}; a rule's program or user goes into `app`",
                quoted(host)
            ),
        ));
    }
    Ok(())
}

fn url(text: &str, scheme: &str, rest: &str) -> DestinationError {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let has_port = match host.rsplit_once(':') {
        Some((front, port)) => {
            !port.contains(']') && (front.ends_with(']') || !front.contains(':'))
        }
        None => false,
    };
    let port = match scheme.to_ascii_lowercase().as_str() {
        "https" | "wss" => ":443",
        "http" | "ws" => ":80",
        "ftp" => ":21",
        "ssh" | "sftp" => ":22",
        "git" => ":9418",
        "redis" => ":6379",
        "postgres" | "postgresql" => ":5432",
        "mysql" => ":3306",
        _ => "",
    };
    let plain = format!("{host}{}", if has_port { "" } else { port });
    let remedy = match destination(&plain) {
        Ok(plain) => format!("write {}", quoted(&plain.to_string())),
        Err(_) => "write only the host and port, such as example.com:443".to_owned(),
    };
    error(format!("{} is a URL", quoted(text)), remedy)
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

fn network(text: &str) -> Result<Host, DestinationError> {
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
fn range(text: &str) -> Option<Result<Host, DestinationError>> {
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

fn ipv6(text: &str) -> Result<Ipv6Addr, DestinationError> {
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
fn odd_ipv4(text: &str) -> DestinationError {
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
