//! The far end of a call: an IP address, or a UNIX-domain socket. As text, in events and on the
//! control socket, `192.168.1.9`, `fd00::1`, `unix:/run/docker.sock` or `unix:@name`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// See the module's text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// Canonical: a v4-mapped IPv6 address is its IPv4 address.
    Ip(IpAddr),
    /// A UNIX-domain socket.
    Unix(Socket),
}

/// A UNIX-domain socket by all of its paths that matter: absolute, or `@name` for an abstract one;
/// bounded and escaped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Socket {
    /// Never empty; first the one it is shown by, and that rules that allow are written with.
    paths: Arc<[String]>,
}

/// Longest path that is read back: escaped, one of 108 bytes (unix(7)) has 440 at most, and one
/// that was resolved may be as long as any path.
const PATH_MAX: usize = 4096;

impl Address {
    /// The IP address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// The UNIX socket, if it is one.
    #[must_use]
    pub fn socket(&self) -> Option<&Socket> {
        match self {
            Self::Ip(_) => None,
            Self::Unix(socket) => Some(socket),
        }
    }
}

impl Socket {
    /// A socket with the path that it is shown by, and others of the same socket.
    #[must_use]
    pub fn new(path: String, others: impl IntoIterator<Item = String>) -> Self {
        Self {
            paths: std::iter::once(path).chain(others).collect(),
        }
    }

    /// The path it is shown by.
    #[must_use]
    pub fn path(&self) -> &str {
        self.paths.first().map_or("", String::as_str)
    }

    /// Other paths of the same socket, which rules may be written with.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().skip(1).map(String::as_str)
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

impl From<[u8; 4]> for Address {
    fn from(octets: [u8; 4]) -> Self {
        Self::Ip(octets.into())
    }
}

impl PartialEq<IpAddr> for Address {
    fn eq(&self, other: &IpAddr) -> bool {
        self.ip() == Some(*other)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(socket) => f.pad(&format!("unix:{}", socket.path())),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let is_path = path.starts_with(['/', '@']) && path.len() <= PATH_MAX;
            return match is_path {
                true => Ok(Self::Unix(Socket::new(path.to_owned(), []))),
                false => Err("write unix: and an absolute path, or unix:@name".to_owned()),
            };
        }
        let address = text.parse().map(Self::Ip);
        address.map_err(|_| "write an IP address, or unix: and a path".to_owned())
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_stand_for_each_other() {
        for text in [
            "10.0.0.7",
            "fd00::1",
            "unix:/run/docker.sock",
            "unix:@/tmp/dbus-a",
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            let json = serde_json::to_string(&address).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Address>(&json).unwrap(), address);
        }
        let long = format!("unix:/{}", "x".repeat(PATH_MAX));
        for text in ["", "10.0.0", "unix:", "unix:run/x", "/run/x", &long] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_socket_is_shown_by_its_first_path() {
        let socket = Socket::new("/run/a".to_owned(), ["/mnt/b".to_owned()]);
        assert_eq!(socket.others().collect::<Vec<_>>(), ["/mnt/b"]);
        assert_eq!(Address::Unix(socket).to_string(), "unix:/run/a");
    }
}
