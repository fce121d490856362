//! The messages of the control socket: one JSON object per line (docs/control.md).
//!
//! Additions are compatible as long as a reader that ignores unknown fields still does the
//! right thing; anything else raises [`VERSION`].

pub use super::answer::{Answer, Duration, Scope};
pub use super::live::{Direction, FlowId, Flows, LiveFlow, State};
use crate::address::Address;
use crate::checksum::Sum;
use crate::event::Event;
use crate::flow::{App, Name};
use crate::hold::Hold;
use crate::verdict::{Source, Verdict};
use hallpass_policy::Protocol;
use serde::{Deserialize, Serialize};

/// Version of the protocol; both sides send it and refuse another.
pub const VERSION: u32 = 1;

/// Longest line the session accepts, in bytes, newline included.
pub const MAX_LINE: usize = 256 * 1024;

/// Longest line the session sends, in bytes, newline included: a list of waiting questions is
/// longer than anything a client has to say.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// How many destinations a rule of a person's own may have.
pub const MAX_DESTINATIONS: usize = 16;

/// A question's number; unique within its session, starting at 1.
pub type QuestionId = u64;

/// A line from a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the client, repeated in the reply.
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub call: Call,
}

/// What a client can ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Call {
    /// First line of every client.
    Hello {
        /// [`VERSION`].
        version: u32,
        /// What the client is: `terminal`, `agent`, `shell`, or its own word for itself.
        client: String,
    },
    /// Send me events, and with `asks` count me as somebody who can answer.
    Subscribe {
        /// Send events, from now on.
        #[serde(default)]
        events: bool,
        /// Send the events of before first, where the session is young.
        #[serde(default)]
        earlier: bool,
        /// Send questions, and hold calls for me: I can answer them.
        #[serde(default)]
        asks: bool,
    },
    /// List the questions that wait.
    Pending,
    /// Answer a question.
    Answer {
        /// Which one.
        question: QuestionId,
        /// The answer.
        #[serde(flatten)]
        answer: Answer,
    },
    /// Answer a question with a rule of the person's own, instead of one of the offers.
    AnswerTo {
        /// Which one.
        question: QuestionId,
        /// Allow or deny.
        verdict: Verdict,
        /// For how long.
        #[serde(rename = "for", default)]
        duration: Duration,
        /// The rule's destinations, at most [`MAX_DESTINATIONS`]. They must cover the question.
        to: Vec<String>,
    },
    /// The SHA-256 of the program that asks, and of its script. It may take a second: a client that
    /// has other things to say meanwhile asks on a connection of its own.
    Checksum {
        /// Whose question.
        question: QuestionId,
    },
    /// Refuse the asks that wait in a question now; writes no rule.
    Dismiss {
        /// Which one.
        question: QuestionId,
    },
    /// A person is looking: stop this question's clock while this client is there.
    Touch {
        /// Which one.
        question: QuestionId,
    },
    /// The saved rules have changed on disk: read them again. Answered when they are in force.
    RulesChanged,
    /// Hold every call, ask nobody, until `release`.
    Halt,
    /// Refuse whatever somebody is asked about, or would be, until `release` or the session's
    /// end.
    DenyRest,
    /// End a halt and `deny-rest`: decide all that waits anew.
    Release,
    /// List the live connections.
    Flows,
    /// End a live connection.
    End {
        /// Which one.
        flow: FlowId,
        /// Break it off instead of ending it in order: the other end reads ECONNRESET.
        #[serde(default)]
        reset: bool,
        /// Refuse its program the same host from now on, for this run.
        #[serde(default)]
        deny: bool,
    },
}

/// A line from the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// Reply to `hello`.
    Hello(Hello),
    /// Reply to a request that has nothing more to say.
    Done {
        /// The request's id.
        re: u64,
        /// How many waiting calls the request settled; a program that may try again counts as
        /// one.
        #[serde(default)]
        settled: usize,
    },
    /// Reply to `pending`.
    Pending {
        /// The request's id.
        re: u64,
        /// All that wait, oldest first.
        questions: Vec<Question>,
        /// How many more wait and had no room in this line.
        #[serde(default)]
        more: usize,
    },
    /// Reply to `flows`.
    Flows {
        /// The request's id.
        re: u64,
        /// All that are open, oldest first, as far as their number tells.
        flows: Vec<LiveFlow>,
        /// How many more there are, without room in this line.
        #[serde(default)]
        more: usize,
        /// What could not be seen, in words.
        missing: Vec<String>,
    },
    /// Reply to `checksum`: the executable's first, then the script's, if there is one.
    Checksum {
        /// The request's id.
        re: u64,
        /// A file each.
        files: Vec<Sum>,
    },
    /// The request was refused.
    Error {
        /// The request's id; 0 where the line could not be read that far.
        re: u64,
        /// What is wrong, and what to send instead.
        error: String,
    },
    /// A new question, or one whose count or clock has changed.
    Question(Box<Question>),
    /// A question is gone: answered, out of time, or its callers are.
    Settled {
        /// Which one.
        question: QuestionId,
        /// How; none where its callers have gone.
        verdict: Option<Verdict>,
        /// Why.
        source: Option<Source>,
    },
    /// Who else can answer, by their own words for themselves; to clients that can answer, when
    /// it changes.
    Answering {
        /// The names of the others.
        clients: Vec<String>,
    },
    /// Something happened.
    Event(Box<Event>),
}

/// What a session says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The `hello` request's id.
    pub re: u64,
    /// [`VERSION`].
    pub version: u32,
    /// The session's name, `PID-8hex`.
    pub session: String,
    /// The session's process id.
    pub pid: u32,
    /// The command it runs, escaped.
    pub command: Vec<String>,
    /// The terminal it was started in, `pts/3`; none where there was none.
    #[serde(default)]
    pub terminal: Option<String>,
    /// True between halt and release.
    pub halted: bool,
    /// True between deny-rest and release.
    #[serde(default)]
    pub denies_rest: bool,
    /// Whether answers may be saved for good.
    pub may_save: bool,
}

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Its number.
    pub id: QuestionId,
    /// The process that asked first.
    pub pid: u32,
    /// Who asks.
    pub app: App,
    /// How.
    pub protocol: Protocol,
    /// To where.
    pub address: Address,
    /// IPv6 scope id, 0 if none.
    pub scope_id: u32,
    /// Port, 0 if none.
    pub port: u16,
    /// Names of the address, latest first.
    pub names: Vec<Name>,
    /// `loopback`, `lan`, `multicast` or `internet`; `socket` for a UNIX socket.
    pub place: String,
    /// How its calls wait: held; in the look-up of the name; or refused for now, so that the
    /// answer is for the next try.
    #[serde(default)]
    pub hold: Hold,
    /// How many calls wait for this answer; 0 with [`Hold::Retry`].
    pub waiting: usize,
    /// How many calls were refused for now while it waits; 0 but with [`Hold::Retry`].
    #[serde(default)]
    pub told_no: usize,
    /// Why it is asked: the `ask` rule in words, or that no rule matched.
    pub why: String,
    /// Milliseconds until `--ask-timeout` refuses it; none where no clock runs.
    pub time_left_ms: Option<u64>,
    /// How wide an answer may be, narrowest first, and which rule each would make.
    pub offers: Vec<Offer>,
    /// Whether `always` may be answered.
    pub may_save: bool,
}

/// One width an answer may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The width.
    pub scope: Scope,
    /// The destination the rule would be written with.
    pub to: Vec<String>,
    /// How many waiting calls the answer would settle; a program that may try again counts as
    /// one.
    pub settles: usize,
}
