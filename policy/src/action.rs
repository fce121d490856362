//! The two small words every rule and flow is made of: what to do, and by which protocol.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a flow travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP, and what is decided like it (MPTCP, SCTP).
    Tcp,
    /// UDP and UDP-Lite.
    Udp,
    /// ICMP and ICMPv6 ("ping") sockets.
    Icmp,
    /// Raw IP sockets, and sockets that write their own IP or link header.
    Raw,
    /// UNIX-domain sockets of any type. No rule is written with it: their destinations say it.
    Unix,
}

impl Protocol {
    /// Every protocol of IP, in the order of the enum: those that a destination may end with.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Udp, Self::Icmp, Self::Raw];

    /// Whether flows of this protocol have a port that a rule can name.
    #[must_use]
    pub fn has_ports(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp)
    }

    /// The word it is written with, lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Raw => "raw",
            Self::Unix => "unix",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a rule, or the default, says about a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Let it through.
    Allow,
    /// Hold it and ask a person.
    Ask,
    /// Refuse it.
    Deny,
}

impl Action {
    /// Every action, weakest first: where all else is equal, a later one beats an earlier one.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Ask, Self::Deny];

    /// The word it is written with, lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
