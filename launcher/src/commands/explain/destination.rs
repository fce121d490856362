//! The one destination that `hallpass explain` is asked about: written like a rule's, but an
//! address or name, a port and a protocol instead of sets of them.

use hallpass_policy::{Destination, Protocol, canonical_name};
use hallpass_session::escape::escape;
use std::net::IpAddr;

/// Where a connection would go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// To an address.
    Address {
        /// The address.
        address: IpAddr,
        /// The port, 0 where the protocol has none.
        port: u16,
        /// The protocol.
        protocol: Protocol,
    },
    /// To whatever address a name has.
    Name {
        /// The name, in its canonical form.
        name: String,
        /// The port, 0 where the protocol has none.
        port: u16,
        /// The protocol.
        protocol: Protocol,
    },
    /// To a UNIX socket.
    Unix {
        /// Its path.
        path: String,
    },
}

const DEFAULT_PORT: u16 = 443;

/// Reads `10.0.0.7`, `[::1]:53/udp`, `example.com:443`, `10.0.0.1/icmp`, `unix:/run/x.sock`.
pub(super) fn parse(text: &str) -> Result<To, String> {
    // The grammar's own parser knows best what is wrong with what is no destination at all.
    text.parse::<Destination>()
        .map_err(|error| error.to_string())?;
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(To::Unix {
            path: path.to_owned(),
        });
    }
    let (rest, protocol) = match text.rsplit_once('/') {
        None => (text, Protocol::Tcp),
        Some((rest, "tcp")) => (rest, Protocol::Tcp),
        Some((rest, "udp")) => (rest, Protocol::Udp),
        Some((rest, "icmp")) => (rest, Protocol::Icmp),
        Some((rest, "raw")) => (rest, Protocol::Raw),
        Some(_) => return Err(several(text)),
    };
    let (host, port) = split_port(rest).ok_or_else(|| several(text))?;
    let port = if protocol.has_ports() {
        port.unwrap_or(DEFAULT_PORT)
    } else {
        0
    };
    if let Ok(address) = host.parse() {
        return Ok(To::Address {
            address,
            port,
            protocol,
        });
    }
    let name = canonical_name(host).map_err(|_| several(text))?;
    Ok(To::Name {
        name,
        port,
        protocol,
    })
}

/// The host without brackets, and the port; None where it is several ports.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    if text.parse::<IpAddr>().is_ok() {
        return Some((text, None));
    }
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port.parse().ok()?))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match text.rsplit_once(':') {
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((text, None)),
    }
}

fn several(text: &str) -> String {
    format!(
        "`{}` stands for more than one destination; write one, such as 10.0.0.7:443 or example.com:443/udp",
        escape(text, 100)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(address: &str, port: u16, protocol: Protocol) -> Result<To, String> {
        Ok(To::Address {
            address: address.parse().unwrap(),
            port,
            protocol,
        })
    }

    fn name(name: &str, port: u16, protocol: Protocol) -> Result<To, String> {
        Ok(To::Name {
            name: name.to_owned(),
            port,
            protocol,
        })
    }

    #[test]
    fn one_destination_is_read() {
        assert_eq!(parse("10.0.0.7"), address("10.0.0.7", 443, Protocol::Tcp));
        assert_eq!(parse("10.0.0.7:80"), address("10.0.0.7", 80, Protocol::Tcp));
        assert_eq!(
            parse("10.0.0.7/icmp"),
            address("10.0.0.7", 0, Protocol::Icmp)
        );
        assert_eq!(parse("::1"), address("::1", 443, Protocol::Tcp));
        assert_eq!(parse("[::1]:53/udp"), address("::1", 53, Protocol::Udp));
        assert_eq!(
            parse("Example.COM."),
            name("example.com", 443, Protocol::Tcp)
        );
        assert_eq!(
            parse("example.com:8443/udp"),
            name("example.com", 8443, Protocol::Udp)
        );
        assert_eq!(
            parse("unix:/run/x.sock"),
            Ok(To::Unix {
                path: "/run/x.sock".to_owned()
            })
        );
    }

    #[test]
    fn sets_and_nonsense_are_refused_with_what_to_write() {
        for text in [
            "10.0.0.0/8",
            "10.0.0.5-10.0.0.50",
            "*.example.com",
            "@lan",
            "@any:80",
            "example.com:80,443",
            "example.com:8000-8100",
        ] {
            assert!(parse(text).unwrap_err().contains("more than one"), "{text}");
        }
        for (text, instead) in [("127.1", "127.0.0.1"), ("2130706433", "127.0.0.1")] {
            assert!(parse(text).unwrap_err().contains(instead), "{text}");
        }
        assert!(parse("").is_err());
    }
}
