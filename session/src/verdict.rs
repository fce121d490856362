//! Verdicts and where they come from. Every fallback has a name, and every fallback denies.

use serde::{Deserialize, Serialize};

const LOOK_UP_OF: &str = "a look-up of ";

/// What a refused look-up is called.
#[must_use]
pub fn look_up_of(name: &str) -> String {
    format!("{LOOK_UP_OF}{name}")
}

/// The name in what [`look_up_of`] gave.
#[must_use]
pub fn looked_up(what: &str) -> Option<&str> {
    what.strip_prefix(LOOK_UP_OF)
}

/// What happens to a held call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The call goes on to the kernel.
    Allow,
    /// The call fails with ECONNREFUSED.
    Deny,
}

/// Why a call got its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum Source {
    /// A rule; `rule` is the rule in its one-line form, `layer` where it stands.
    Rule {
        /// `answer`, `flag`, `policy` or `saved`.
        layer: String,
        /// The rule in words, as `hallpass rules list` shows it.
        rule: String,
    },
    /// A person (or a program that speaks for one) answered the question.
    Person {
        /// Which client: `terminal`, `agent`, `shell`, or its own word for itself.
        by: String,
    },
    /// Allowed unless a rule says otherwise, whatever the default is.
    Standing {
        /// `@dns` or `@desktop`.
        group: String,
    },
    /// No rule matched; the default decided.
    Default,
    /// A `hallpass run` inside the session does not allow it.
    Nested {
        /// The process that keeps the nested run.
        run: u32,
        /// What it runs; escaped.
        name: String,
        /// Why, by the nested run's own rules.
        source: Box<Source>,
    },
    /// `--audit` lets go on what would have been refused, or asked about.
    Audit {
        /// Why it would have been.
        would: Box<Source>,
    },
    /// Something of ours went wrong or nobody could be asked: always a deny.
    Fallback {
        /// Which one.
        reason: Fallback,
    },
}

impl Source {
    /// A number for the wire's verdict frame, which the hook does not look at (docs/wire.md).
    #[must_use]
    pub fn number(&self) -> u8 {
        match self {
            Self::Rule { .. } => 1,
            Self::Person { .. } => 2,
            Self::Default => 3,
            Self::Standing { .. } => 4,
            Self::Audit { .. } => 5,
            Self::Nested { .. } => 6,
            Self::Fallback { reason } => 16 + *reason as u8,
        }
    }
}

/// The named reasons for a deny that no rule and no person gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// Nobody is there to answer.
    NobodyToAsk,
    /// `--ask-timeout` ran out.
    Timeout,
    /// The person closed the question without an answer.
    Dismissed,
    /// More calls wait than are held at once.
    TooManyWaiting,
    /// The caller sent a frame that is not of the protocol.
    BadFrame,
    /// The caller is no process of this session.
    NotOurs,
    /// The socket's or the address's family is not one that can be decided.
    UnknownFamily,
    /// The session is ending.
    SessionEnding,
    /// `--timeout` ended the run.
    RunTimeout,
    /// The guard keeps this way out closed for everybody.
    Closed,
    /// The guard cannot look into the process, or act in its place.
    NotVisible,
    /// No descriptor or thread was left to act with.
    OutOfResources,
    /// A rule allows the name that the program looked up, but no look-up of the session gave this
    /// address for it.
    NameNotVerified,
    /// The default is deny, and no rule could allow an address of the name: it is not looked up.
    NoRuleForName,
    /// Refused for now (`--hold=retry`): the question waits, and its answer is for the next try.
    WaitingForAnswer,
}

impl Fallback {
    /// One line for a person: what happened.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NobodyToAsk => "nobody was there to be asked",
            Self::Timeout => "no answer within --ask-timeout",
            Self::Dismissed => "the question was closed without an answer",
            Self::TooManyWaiting => "too many calls are waiting for an answer",
            Self::BadFrame => "the caller sent a malformed request",
            Self::NotOurs => "the caller is not a process of this session",
            Self::UnknownFamily => "this socket family cannot be decided",
            Self::SessionEnding => "the session is ending",
            Self::RunTimeout => "--timeout ended the run",
            Self::Closed => "the guard keeps this way closed",
            Self::NotVisible => "the guard cannot act in this process's place",
            Self::OutOfResources => "the session has no descriptor or thread left",
            Self::NameNotVerified => {
                "a rule allows the name, but no look-up of ours gave this address for it"
            }
            Self::NoRuleForName => "no rule could allow it",
            Self::WaitingForAnswer => "refused for now: the question waits (--hold=retry)",
        }
    }
}
