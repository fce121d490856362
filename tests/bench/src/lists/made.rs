//! The lists, and what is looked for in them.

use std::net::IpAddr;

/// A kind of list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Lines of a hosts file.
    Hosts,
    /// Rules of a domain list: each is a name and all below it.
    Domains,
    /// Networks.
    Cidr,
    /// All of them, as lists that people put together are.
    Mixed,
}

/// What is looked up: an address, and its name.
pub(super) struct Sought {
    pub(super) name: Option<String>,
    pub(super) address: IpAddr,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Hosts, Self::Domains, Self::Cidr, Self::Mixed];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Hosts => "hosts",
            Self::Domains => "domains",
            Self::Cidr => "cidr",
            Self::Mixed => "mixed",
        }
    }

    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Hosts => "0.0.0.0 NAME, names of four labels",
            Self::Domains => "||DOMAIN^; a name below one is looked up",
            Self::Cidr => "networks of five lengths; an address without a name is looked up",
            Self::Mixed => "eight in ten a host, one a domain, one a network; a host is looked up",
        }
    }

    pub(super) fn text(self, entries: u32) -> String {
        let line = |n: u32| match (self, n % 10) {
            (Self::Hosts, _) | (Self::Mixed, 2..) => format!("0.0.0.0 {}\n", host(n)),
            (Self::Domains, _) | (Self::Mixed, 0) => format!("||{}^\n", domain(n)),
            (Self::Cidr | Self::Mixed, _) => format!("{}\n", network(n)),
        };
        (0..entries).map(line).collect()
    }

    /// The `n`th thing to look for: scattered, so that the machine's caches do not answer.
    pub(super) fn sought(self, n: u32, entries: u32, is_on: bool) -> Sought {
        let n = n.wrapping_mul(2_654_435_761) % (entries / 10).max(1) * 10 + 5;
        let named = |name: String| Sought {
            name: Some(if is_on {
                name
            } else {
                name.replace("example", "invalid")
            }),
            address: IpAddr::from([203, 0, 113, 7]),
        };
        match self {
            Self::Hosts | Self::Mixed => named(host(n)),
            Self::Domains => named(format!("www.{}", domain(n))),
            Self::Cidr => Sought {
                name: None,
                address: inside(n, is_on),
            },
        }
    }
}

pub(super) fn host(n: u32) -> String {
    format!("host{n}.zone{}.example.com", n % 5000)
}

fn domain(n: u32) -> String {
    format!("d{n}.zone.example")
}

/// Each in a /24 of its own; six in ten are that whole, the others are parts of it.
pub(super) fn network(n: u32) -> String {
    let [_, a, b, c] = n.to_be_bytes();
    let length = match n % 10 {
        0..6 => 24,
        6 => 25,
        7 => 26,
        8 => 28,
        _ => 32,
    };
    format!("{}.{b}.{c}.0/{length}", 11 + a)
}

/// An address of [`network`], or one that none of them holds.
pub(super) fn inside(n: u32, is_on: bool) -> IpAddr {
    let [_, a, b, c] = n.to_be_bytes();
    let first = if is_on { 11 } else { 101 };
    IpAddr::from([first + a, b, c, 0])
}
