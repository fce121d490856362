//! What is asked of the policy: who, how, to where, under which names, in which surroundings.

use crate::Protocol;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Who makes a call. Strings are already bounded and escaped; patterns compare with them as
/// they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Path of the executable.
    pub exe: String,
    /// Path of the script, where the executable is an interpreter.
    pub script: Option<String>,
    /// Last part of the script's path, else of the executable's.
    pub name: String,
    /// Ancestors up to the session, nearest first.
    pub parents: Vec<Parent>,
    /// Packages whose install or build script this is, such as `npm:esbuild`.
    pub packages: Vec<String>,
    /// Name of the user, or the number of one without a name.
    pub user: Option<String>,
}

/// One ancestor of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its process id.
    pub pid: u32,
    /// Path of its executable.
    pub exe: String,
    /// Path of its script, where the executable is an interpreter.
    pub script: Option<String>,
    /// Last part of the script's path, else of the executable's.
    pub name: String,
}

/// The far end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'a> {
    /// An IP address; `port` is 0 for protocols that have none.
    Ip {
        /// The address as the program gave it; a v4-mapped one counts as its IPv4 address.
        address: IpAddr,
        /// Port, host order.
        port: u16,
    },
    /// A UNIX-domain socket.
    Unix {
        /// Absolute path after links have been resolved; `@name` for an abstract one.
        path: &'a str,
    },
}

/// One flow, as the policy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// Who makes the call.
    pub subject: &'a Subject,
    /// How it travels.
    pub protocol: Protocol,
    /// To where.
    pub endpoint: Endpoint<'a>,
    /// Canonical names ([`crate::canonical_name`]) that may satisfy name rules; of a UNIX socket
    /// its further paths, by which rules that ask or deny match it, too.
    pub names: &'a [&'a str],
}

/// The surroundings that groups are defined by; the session keeps them fresh.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Directly attached subnets (of the machine's network interfaces): part of `@lan`.
    pub attached: Vec<IpNet>,
    /// Nameservers of /etc/resolv.conf: `@dns` is their port 53.
    pub nameservers: Vec<IpAddr>,
}
