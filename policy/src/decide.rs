//! A query, prepared: what every destination and pattern is compared with.

use crate::address::canonical;
use crate::name::is_public_name;
use crate::{Action, Endpoint, Environment, Group, Place, Protocol, Query, Subject, place};
use std::net::IpAddr;

/// The far end of a flow in canonical form.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Far<'a> {
    Ip {
        address: IpAddr,
        port: u16,
        place: Place,
    },
    Unix(&'a str),
}

/// A query in canonical form, with what follows from it and the environment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    subject: &'a Subject,
    protocol: Protocol,
    far: Far<'a>,
    names: &'a [&'a str],
    is_dns: bool,
    /// Names count even where [`crate::name_counts`] says no.
    trusts_names: bool,
    /// All paths of a UNIX socket count, not only the first ([`Self::is_socket`]).
    trusts_paths: bool,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(query: &Query<'a>, env: &Environment) -> Self {
        let far = match query.endpoint {
            Endpoint::Unix { path } => Far::Unix(path),
            Endpoint::Ip { address, port } => Far::Ip {
                address: canonical(address),
                port,
                place: place(address, env),
            },
        };
        Self {
            subject: query.subject,
            protocol: query.protocol,
            far,
            names: query.names,
            is_dns: is_dns(query.protocol, far, env),
            trusts_names: false,
            trusts_paths: false,
        }
    }

    /// The query as a rule with this action sees it. A name that does not count opens nothing,
    /// but still closes: a denied host that a name server sends to 0.0.0.0 stays denied. The same
    /// goes for a further path of a socket: a program may have linked a broker to one that it may
    /// use.
    pub(crate) fn seen_by(self, action: Action) -> Self {
        Self {
            trusts_names: action == Action::Deny,
            trusts_paths: action != Action::Allow,
            ..self
        }
    }

    /// All names, counted or not.
    pub(crate) fn all_names(&self) -> &'a [&'a str] {
        self.names
    }

    pub(crate) fn subject(&self) -> &'a Subject {
        self.subject
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn far(&self) -> Far<'a> {
        self.far
    }

    /// Address and port of an IP flow.
    pub(crate) fn ip(&self) -> Option<(IpAddr, u16)> {
        match self.far {
            Far::Ip { address, port, .. } => Some((address, port)),
            Far::Unix(_) => None,
        }
    }

    /// Whether this is a path of the UNIX socket.
    pub(crate) fn is_socket(&self, own: &str) -> bool {
        let Far::Unix(path) = self.far else {
            return false;
        };
        // One directory with two names (FHS 3.0, 5.13).
        let same = |path: &str| {
            own == path
                || own.strip_prefix("/var/run/").is_some_and(|rest| {
                    path.strip_prefix("/run/")
                        .is_some_and(|other| rest == other)
                })
        };
        same(path) || (self.trusts_paths && self.names.iter().any(|other| same(other)))
    }

    /// Port 53 of a configured nameserver.
    pub(crate) fn is_dns(&self) -> bool {
        self.is_dns
    }

    /// The group the flow is allowed for unless a rule says otherwise.
    pub(crate) fn standing(&self) -> Option<Group> {
        if self.is_dns {
            Some(Group::Dns)
        } else {
            Some(Group::Desktop).filter(|group| group.matches(self))
        }
    }

    /// The names that may satisfy a rule for this address ([`crate::name_counts`]).
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let all_count = self.all_names_count();
        self.names
            .iter()
            .copied()
            .filter(move |name| all_count || !is_public_name(name))
    }

    /// The names that may not: public ones of an address that is not.
    pub(crate) fn ignored_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let all_count = self.all_names_count();
        self.names
            .iter()
            .copied()
            .filter(move |name| !all_count && is_public_name(name))
    }

    fn all_names_count(&self) -> bool {
        self.trusts_names
            || match self.far {
                Far::Ip { place, .. } => place == Place::Internet,
                Far::Unix(_) => true,
            }
    }
}

fn is_dns(protocol: Protocol, far: Far<'_>, env: &Environment) -> bool {
    match far {
        Far::Ip {
            address, port: 53, ..
        } => {
            protocol.has_ports()
                && env
                    .nameservers
                    .iter()
                    .any(|server| canonical(*server) == address)
        }
        _ => false,
    }
}
