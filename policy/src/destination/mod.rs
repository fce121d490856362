//! Destinations: the pattern that flags, rules, prompts and reports are written with.

mod error;
mod group;
mod host;
mod make;
mod parse;
mod ports;
mod specificity;

pub use error::DestinationError;
pub use group::{Group, is_name_service_path, is_session_bus_path};
pub use specificity::Specificity;

pub(crate) use group::{is_name_service, is_session_bus};
pub(crate) use host::{Host, networks_of};
pub(crate) use ports::Ports;

use crate::decide::Facts;
use crate::{Action, Environment, Protocol, Query};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Longest text a destination is read from, in bytes.
pub(crate) const TEXT_MAX: usize = 1200;

/// A set of flows by where they go: an address, network, range, name, group or socket path,
/// narrowed by ports and protocol. docs/policy.md has the grammar.
///
/// Text and value stand for each other: [`FromStr`] reads any accepted spelling, [`fmt::Display`]
/// writes the one canonical spelling, which reads back as the same value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    pub(crate) host: Host,
    pub(crate) ports: Ports,
    pub(crate) protocol: Option<Protocol>,
}

impl Destination {
    /// Whether a flow is in the set.
    #[must_use]
    pub fn matches(&self, query: &Query<'_>, env: &Environment) -> bool {
        self.matches_facts(&Facts::new(query, env))
    }

    /// Whether a rule with this action holds for a flow in the set: a name that does not count
    /// ([`crate::name_counts`]) opens nothing, but a deny by that name still holds.
    #[must_use]
    pub fn matches_for(&self, action: Action, query: &Query<'_>, env: &Environment) -> bool {
        self.matches_facts(&Facts::new(query, env).seen_by(action))
    }

    pub(crate) fn matches_facts(&self, facts: &Facts<'_>) -> bool {
        self.matches_port_and_protocol(facts) && self.host.matches(facts)
    }

    pub(crate) fn matches_port_and_protocol(&self, facts: &Facts<'_>) -> bool {
        match facts.ip() {
            None => true,
            Some((_, port)) => {
                self.protocol
                    .is_none_or(|protocol| protocol == facts.protocol())
                    && (self.ports.is_any()
                        || facts.protocol().has_ports() && self.ports.contains(port))
            }
        }
    }

    /// Where it stands on the ladder that decides between rules.
    #[must_use]
    pub fn specificity(&self) -> Specificity {
        Specificity::of(self)
    }

    /// The group, where the destination is written with one.
    #[must_use]
    pub fn group(&self) -> Option<Group> {
        match self.host {
            Host::Group(group) => Some(group),
            _ => None,
        }
    }

    /// The path, where the destination is `unix:PATH`: absolute, or `@name` for an abstract one.
    #[must_use]
    pub fn socket_path(&self) -> Option<&str> {
        match &self.host {
            Host::Unix(path) => Some(path),
            _ => None,
        }
    }

    /// The name, where the destination is one (`example.com`, not `*.example.com`): what a
    /// session looks up by itself to verify addresses.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.host {
            Host::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The zone of `*.zone`.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        match &self.host {
            Host::Below(zone) => Some(zone),
            _ => None,
        }
    }

    /// Whether it stands below `@dns` on the ladder.
    pub(crate) fn is_wider_than_dns(&self) -> bool {
        self.group()
            .is_some_and(|group| group.rank() < Group::Dns.rank())
    }

    /// The first port of each range of ports it is narrowed down to; none where it holds for all.
    pub fn first_ports(&self) -> impl Iterator<Item = u16> {
        self.ports.ranges().iter().map(|(first, _)| *first)
    }

    /// Whether a flow under this canonical name to some address could be in the set: what a
    /// deny-by-default session may look up. True for every name where the set knows no names.
    #[must_use]
    pub fn could_match_name(&self, name: &str) -> bool {
        match &self.host {
            Host::Name(own) => **own == *name,
            Host::Below(zone) => crate::name::is_below(name, zone),
            Host::Unix(_) => false,
            _ => self.knows_no_names(),
        }
    }

    /// Whether it could be satisfied under any name: by an address alone.
    pub(crate) fn knows_no_names(&self) -> bool {
        match &self.host {
            Host::Name(_) | Host::Below(_) | Host::Unix(_) => false,
            // Name servers are told names, and have none themselves.
            Host::Group(group) => !group.is_unix() && *group != Group::Dns,
            Host::Address(_) | Host::Network(_) | Host::Range(_) => true,
        }
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        parse::destination(text)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ports.is_any() {
            write!(f, "{}", self.host)?;
        } else if self.host.needs_brackets() {
            write!(f, "[{}]:{}", self.host, self.ports)?;
        } else {
            write!(f, "{}:{}", self.host, self.ports)?;
        }
        match self.protocol {
            Some(protocol) => write!(f, "/{protocol}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Destination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Destination;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a destination such as \"example.com:443\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Destination, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}
