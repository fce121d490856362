//! What one held call is: who, how, to where, under which name. Plain data, no I/O.

use crate::address::Address;
use crate::nested::RunId;
use hallpass_policy::{Protocol, Subject};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Who makes the call: what policy matches on, and what a person is shown besides.
///
/// Every string is already bounded and escaped ([`crate::escape`]); it may be printed as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// The part rules match on: executable, script, parents, packages, user.
    #[serde(flatten)]
    pub subject: Subject,
    /// Command line, one string per argument; bounded in number and length.
    pub argv: Vec<String>,
    /// Working directory.
    pub cwd: String,
    /// Which of its package's scripts it is (`postinstall`), where the manager says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Numeric user id of the process.
    pub uid: u32,
}

/// A host name that goes with a flow's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Name {
    /// Canonical form: lower case, no trailing dot.
    pub name: String,
    /// How far the name may be trusted.
    pub trust: Trust,
}

/// How far a name may be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// The hook inside the program said so.
    Claimed,
    /// The session's own look-up gave this address for the name.
    Verified,
}

/// One outgoing connection or datagram, before it is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Process id as the session sees it.
    pub pid: u32,
    /// Who makes the call.
    pub app: Arc<App>,
    /// The transport.
    pub protocol: Protocol,
    /// To where.
    pub address: Address,
    /// IPv6 scope id, shown and ignored in matching; 0 if there is none.
    pub scope_id: u32,
    /// Port in host order; 0 for protocols that have none.
    pub port: u16,
    /// Names the program looked this address up under, latest first; a UNIX socket has none.
    pub names: Vec<Name>,
    /// The nested runs that its process is in, outermost first.
    pub runs: Arc<[RunId]>,
}

impl App {
    /// What a rule for this app is written with: the script's path, else the executable's.
    #[must_use]
    pub fn identity(&self) -> &str {
        self.subject.script.as_ref().unwrap_or(&self.subject.exe)
    }

    /// The package whose install or build script it is.
    #[must_use]
    pub fn package(&self) -> Option<&String> {
        self.subject.packages.first()
    }
}

impl Name {
    /// A name as the hook reported it.
    #[must_use]
    pub fn claimed(name: String) -> Self {
        Self {
            name,
            trust: Trust::Claimed,
        }
    }
}

#[cfg(test)]
impl Flow {
    /// TCP to this place, by a program of which nothing is known.
    pub(crate) fn of_nobody(address: impl Into<Address>, port: u16) -> Self {
        Self {
            pid: 1,
            app: Arc::new(App {
                subject: Subject::default(),
                argv: Vec::new(),
                cwd: String::new(),
                step: None,
                uid: 0,
            }),
            protocol: Protocol::Tcp,
            address: address.into(),
            scope_id: 0,
            port,
            names: Vec::new(),
            runs: Arc::default(),
        }
    }
}
