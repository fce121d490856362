//! Groups: the destinations that have a word of their own.

use crate::decide::{Facts, Far};
use crate::{Place, Protocol};
use std::fmt;

/// A destination that has a word of its own, such as `@lan`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// This machine.
    Loopback,
    /// Multicast groups.
    Multicast,
    /// The neighbourhood, multicast included.
    Lan,
    /// `@loopback` and `@lan`.
    Local,
    /// Every IP address that is not `@local`.
    Internet,
    /// Every IP address.
    Any,
    /// Port 53, TCP and UDP, of the configured nameservers.
    Dns,
    /// Sockets through which another program would connect for the asking one.
    Broker,
    /// Sockets that every program with windows needs to start.
    Desktop,
    /// Raw sockets.
    Raw,
}

/// Sockets of programs that connect, or start programs, for whoever asks. `*` stands for any
/// run of characters but `/`. Linux runs /var/run as a link to /run; both spellings are kept
/// because links are not always resolved where the path comes from.
const BROKERS: &[&str] = &[
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/user/*/docker.sock",
    "/run/podman/podman.sock",
    "/var/run/podman/podman.sock",
    "/run/user/*/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    // systemd: start units, resolve names.
    "/run/systemd/private",
    "/run/user/*/systemd/private",
    // The system bus can start services as root.
    "/run/dbus/system_bus_socket",
    "/var/run/dbus/system_bus_socket",
];

/// Brokers that look names up. The C library tries them on every look-up, and asks name servers by
/// itself where it may not.
const NAME_SERVICES: &[&str] = &[
    "/run/nscd/socket",
    "/var/run/nscd/socket",
    "/run/systemd/resolve/io.systemd.Resolve",
];

/// The session bus. What is sent over it is not seen: mostly what a program with windows needs,
/// but also orders to start programs outside the session (D-Bus activation, `systemd-run --user`).
const SESSION_BUS: &[&str] = &["/run/user/*/bus", "/tmp/dbus-*", "@/tmp/dbus-*"];

/// What a program with windows and sound connects to when it starts.
const DESKTOP: &[&str] = &[
    "/tmp/.X11-unix/*",
    "@/tmp/.X11-unix/*",
    "/run/user/*/wayland-*",
    "/run/user/*/at-spi/*",
    "/run/user/*/pipewire-*",
    "/run/user/*/pulse/native",
];

impl Group {
    /// Every group, most specific first.
    pub const ALL: [Self; 10] = [
        Self::Dns,
        Self::Broker,
        Self::Desktop,
        Self::Raw,
        Self::Loopback,
        Self::Multicast,
        Self::Lan,
        Self::Local,
        Self::Internet,
        Self::Any,
    ];

    /// The word it is written with.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "@loopback",
            Self::Multicast => "@multicast",
            Self::Lan => "@lan",
            Self::Local => "@local",
            Self::Internet => "@internet",
            Self::Any => "@any",
            Self::Dns => "@dns",
            Self::Broker => "@broker",
            Self::Desktop => "@desktop",
            Self::Raw => "@raw",
        }
    }

    /// The group that somebody who forgot the `@` is likely to mean. `deny lan` must not pass
    /// for a rule and guard nothing. Not all of them: machines are called dns or broker.
    pub(super) fn with_bare_word(text: &str) -> Option<Self> {
        let likely = [
            Self::Any,
            Self::Internet,
            Self::Local,
            Self::Lan,
            Self::Multicast,
            Self::Loopback,
        ];
        likely
            .into_iter()
            .find(|group| group.as_str().strip_prefix('@') == Some(text))
    }

    /// Where the group stands among the groups; more is more specific.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Any => 0,
            Self::Internet => 1,
            Self::Local => 2,
            Self::Lan => 3,
            Self::Multicast => 4,
            Self::Loopback => 5,
            Self::Dns | Self::Broker | Self::Desktop | Self::Raw => 6,
        }
    }

    /// Whether a path, absolute or `@name`, is one of its UNIX-domain sockets'.
    #[must_use]
    pub fn has_socket(self, path: &str) -> bool {
        self.socket_paths()
            .any(|pattern| path_matches(pattern, path))
    }

    /// The paths of its UNIX-domain sockets, `*` for any run of characters but `/`, `@` in front of
    /// an abstract name; none for groups of IP addresses.
    pub fn socket_paths(self) -> impl Iterator<Item = &'static str> {
        let lists: [&'static [&'static str]; 2] = match self {
            Self::Broker => [BROKERS, NAME_SERVICES],
            Self::Desktop => [DESKTOP, SESSION_BUS],
            _ => [&[], &[]],
        };
        lists.into_iter().flatten().copied()
    }

    /// Whether its members are UNIX-domain sockets.
    pub(crate) fn is_unix(self) -> bool {
        matches!(self, Self::Broker | Self::Desktop)
    }

    pub(crate) fn matches(self, facts: &Facts<'_>) -> bool {
        if self == Self::Raw {
            return facts.protocol() == Protocol::Raw;
        }
        match facts.far() {
            Far::Unix(_) => match self {
                Self::Broker => is_broker(facts),
                // A broker's socket that was linked or mounted to where X has its own is a broker.
                Self::Desktop => {
                    (is_one_of(DESKTOP, facts) || is_session_bus(facts)) && !is_broker(facts)
                }
                _ => false,
            },
            Far::Ip { place, .. } => match self {
                Self::Loopback => place == Place::Loopback,
                Self::Multicast => place == Place::Multicast,
                Self::Lan => matches!(place, Place::Lan | Place::Multicast),
                Self::Local => place != Place::Internet,
                Self::Internet => place == Place::Internet,
                Self::Any => true,
                Self::Dns => facts.is_dns(),
                Self::Broker | Self::Desktop | Self::Raw => false,
            },
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

fn is_broker(facts: &Facts<'_>) -> bool {
    is_one_of(BROKERS, facts) || is_name_service(facts)
}

/// Whether a path is one of nscd's or systemd-resolved's: brokers that look names up.
#[must_use]
pub fn is_name_service_path(path: &str) -> bool {
    NAME_SERVICES.contains(&path)
}

/// Whether a path, absolute or `@name`, is one of a session bus.
#[must_use]
pub fn is_session_bus_path(path: &str) -> bool {
    SESSION_BUS
        .iter()
        .any(|pattern| path_matches(pattern, path))
}

/// Whether it is a socket of nscd or systemd-resolved.
pub(crate) fn is_name_service(facts: &Facts<'_>) -> bool {
    is_one_of(NAME_SERVICES, facts)
}

/// Whether it is the session bus.
pub(crate) fn is_session_bus(facts: &Facts<'_>) -> bool {
    is_one_of(SESSION_BUS, facts)
}

fn is_one_of(patterns: &[&str], facts: &Facts<'_>) -> bool {
    let Far::Unix(path) = facts.far() else {
        return false;
    };
    let mut paths = std::iter::once(path).chain(facts.all_names().iter().copied());
    paths.any(|path| patterns.iter().any(|pattern| path_matches(pattern, path)))
}

/// Whether a path is one of a pattern whose segments hold at most one `*` each.
fn path_matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let all = pattern.split('/').all(|wanted| {
        segments
            .next()
            .is_some_and(|segment| match wanted.split_once('*') {
                None => segment == wanted,
                Some((front, back)) => {
                    segment.len() > front.len() + back.len()
                        && segment.starts_with(front)
                        && segment.ends_with(back)
                }
            })
    });
    all && segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_segment_by_segment() {
        assert!(path_matches("/run/user/*/bus", "/run/user/1000/bus"));
        assert!(path_matches(
            "/run/user/*/wayland-*",
            "/run/user/0/wayland-0"
        ));
        assert!(path_matches("@/tmp/.X11-unix/*", "@/tmp/.X11-unix/X0"));
        for path in [
            "/run/user/bus",
            "/run/user//bus",
            "/run/user/1000/x/bus",
            "/run/user/1000/bus/",
            "/run/user/1000/bus2",
            "run/user/1000/bus",
            "/run/user/1000",
            "",
        ] {
            assert!(!path_matches("/run/user/*/bus", path), "{path}");
        }
    }
}
