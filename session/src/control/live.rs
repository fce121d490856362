//! Live connections, as clients see them, and how one is ended.

use crate::flow::Name;
use crate::verdict::Source;
use hallpass_policy::Protocol;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// A live connection's number; unique within its session, starting at 1, never used again.
pub type FlowId = u64;

/// What a session says of its live connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// Oldest first.
    pub flows: Vec<LiveFlow>,
    /// How many more there are, for which a line would be too long.
    pub more: usize,
    /// What could not be seen, in words.
    pub missing: Vec<String>,
}

impl Flows {
    /// Leaves out the newest beyond what one message may weigh.
    pub(crate) fn bounded(mut self) -> Self {
        const LIMIT: usize = super::protocol::MAX_MESSAGE / 2;
        let mut weight = 0;
        let fits = self.flows.iter().take_while(|flow| {
            weight += flow.weight();
            weight <= LIMIT
        });
        let keep = fits.count();
        self.more += self.flows.len() - keep;
        self.flows.truncate(keep);
        self
    }
}

/// A connection that a process of the session has open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveFlow {
    /// Its number.
    pub id: FlowId,
    /// The processes that share its socket, lowest number first; at most
    /// [`crate::flows::MAX_SHOWN_PIDS`] are named.
    pub pids: Vec<u32>,
    /// How many processes share it, those that are not named included.
    pub shared_by: usize,
    /// Path of the script, else of the executable, of the process that it was decided for, else
    /// of the first that has it; escaped.
    pub app: String,
    /// Who began it.
    pub direction: Direction,
    /// Transport.
    pub proto: Protocol,
    /// The other end's address.
    pub address: IpAddr,
    /// The other end's port.
    pub port: u16,
    /// This end's address.
    pub local_address: IpAddr,
    /// This end's port.
    pub local_port: u16,
    /// Names of the other end, latest first, as they were known when it was decided.
    pub names: Vec<Name>,
    /// How far it has come.
    pub state: State,
    /// Bytes of the program that the other end has got, or may have on the way; none where the
    /// kernel does not count them (UDP, another network namespace).
    pub sent: Option<u64>,
    /// Bytes of the other end that have arrived; none as above.
    pub received: Option<u64>,
    /// Milliseconds since it was decided; none where no decision is known.
    pub age_ms: Option<u64>,
    /// False where the same program was allowed to the same place more than once: `age_ms` is
    /// then the most that it can be.
    pub age_is_exact: bool,
    /// What decided it; none where no decision of this run is known: it came from outside, the
    /// hook does not reach the program, or it is too long ago.
    pub source: Option<Source>,
}

impl LiveFlow {
    /// About how many bytes it takes as JSON, or more.
    pub(super) fn weight(&self) -> usize {
        // All fields, their names, and numbers as long as they can be.
        const REST: usize = 768;
        let names: usize = self.names.iter().map(|it| 64 + it.name.len()).sum();
        let source = match &self.source {
            Some(Source::Rule { rule, .. }) => rule.len(),
            _ => 0,
        };
        // Backslashes are doubled.
        REST + 2 * (self.app.len() + names + source)
    }
}

/// Who began a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The program.
    Out,
    /// Somebody else: its local port is one that the program listens on.
    In,
}

/// How far a connection has come: the states of TCP (RFC 9293 §3.3.2) that have a socket.
/// Connected UDP is `established`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Connecting: the other end has not answered.
    SynSent,
    /// Being accepted.
    SynReceived,
    /// Open both ways.
    Established,
    /// This end has closed, the other has not confirmed it.
    FinWait1,
    /// This end has closed, the other may still send.
    FinWait2,
    /// The other end has closed, this may still send.
    CloseWait,
    /// Both have closed, the other has not confirmed it.
    LastAck,
    /// Both have closed at once.
    Closing,
}

impl State {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::SynSent => "connecting",
            Self::SynReceived => "being accepted",
            Self::Established => "established",
            Self::FinWait1 | Self::FinWait2 => "closed here",
            Self::CloseWait => "closed by the other end",
            Self::LastAck | Self::Closing => "closing",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}
