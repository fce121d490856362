//! Events: the one source of `-v`, log, reports, monitor and history (docs/control.md).

use crate::address::Address;
use crate::flow::{App, Flow, Name};
use crate::hold::Hold;
use crate::verdict::{Fallback, Source, Verdict};
use hallpass_policy::Protocol;
use serde::{Deserialize, Serialize};

/// Version of the event format.
pub const VERSION: u32 = 1;

/// Something that happened in a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// [`VERSION`].
    pub v: u32,
    /// Counts up by one within a session.
    pub seq: u64,
    /// Wall-clock time, RFC 3339, UTC.
    pub time: String,
    /// The session's name.
    pub session: String,
    /// What happened.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Kind {
    /// The session began.
    Started {
        /// The command, escaped.
        command: Vec<String>,
    },
    /// A question was opened.
    Asked {
        /// Its number.
        question: u64,
        /// The flow it is about.
        #[serde(flatten)]
        flow: FlowLine,
        /// The asking command line, escaped.
        argv: Vec<String>,
        /// How the call waits for the answer.
        #[serde(default)]
        hold: Hold,
    },
    /// A call got its verdict.
    Decided {
        /// The flow.
        #[serde(flatten)]
        flow: FlowLine,
        /// The verdict.
        verdict: Verdict,
        /// Why.
        source: Source,
        /// How many equal calls this line stands for.
        count: u64,
    },
    /// A call was refused before it could be put to the policy.
    Refused {
        /// Process id.
        pid: u32,
        /// Path of the script, else of the executable, escaped; empty if not known.
        app: String,
        /// The package, as in [`FlowLine`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        package: Option<String>,
        /// Which of its scripts, as in [`FlowLine`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
        /// What was refused, in words.
        what: String,
        /// Why: always a fallback.
        source: Source,
    },
    /// A person answered a question, or it was closed.
    Answered {
        /// Its number.
        question: u64,
        /// The verdict; none for a question whose callers went away.
        verdict: Option<Verdict>,
        /// Which client answered.
        by: String,
        /// The rule the answer made, in words.
        rule: Option<String>,
        /// How many waiting calls it settled.
        settled: u64,
    },
    /// A client ended a live connection.
    Disconnected {
        /// The connection.
        #[serde(flatten)]
        flow: FlowLine,
        /// Which client.
        by: String,
        /// Whether it was broken off instead of ended in order.
        reset: bool,
        /// The rule that refuses the same from now on, in words; none where that was not wanted.
        rule: Option<String>,
    },
    /// Something about what this run covers, in words.
    Coverage {
        /// The line.
        text: String,
    },
    /// The command ended (its children may go on).
    Ended {
        /// Exit status, as a shell would give it (128 + signal).
        status: i32,
    },
    /// The session's last words.
    Totals {
        /// Calls allowed.
        allowed: u64,
        /// Calls refused.
        denied: u64,
    },
}

impl Kind {
    /// A call of `app`, if that is known, was refused before it could be put to the policy.
    #[must_use]
    pub fn refused(pid: u32, app: Option<&App>, what: String, reason: Fallback) -> Self {
        Self::Refused {
            pid,
            app: app.map_or_else(String::new, |app| app.identity().to_owned()),
            package: app.and_then(App::package).cloned(),
            step: app.and_then(|app| app.step.clone()),
            what,
            source: Source::Fallback { reason },
        }
    }
}

/// A flow as events show it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FlowLine {
    /// Process id.
    pub pid: u32,
    /// Path of the script, else of the executable; escaped.
    pub app: String,
    /// Whether `app` is a script.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub script: bool,
    /// The package whose install or build script this is, such as `npm:esbuild`; escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Which of the package's scripts (`postinstall`), where its manager says so; escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Transport.
    pub proto: Protocol,
    /// Address.
    pub address: Address,
    /// Port, 0 if none.
    pub port: u16,
    /// Names, latest first.
    pub names: Vec<Name>,
    /// It is the look-up of the first name, before any call to the address; port 0 then says
    /// that the port is not known yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub look_up: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl FlowLine {
    /// What events say of a flow.
    #[must_use]
    pub fn of(flow: &Flow) -> Self {
        Self {
            pid: flow.pid,
            app: flow.app.identity().to_owned(),
            script: flow.app.subject.script.is_some(),
            package: flow.app.package().cloned(),
            step: flow.app.step.clone(),
            proto: flow.protocol,
            address: flow.address.clone(),
            port: flow.port,
            names: flow.names.clone(),
            look_up: false,
        }
    }
}
