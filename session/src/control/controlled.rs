//! What a session can be asked to do over its control socket: the seam between the socket and
//! the engine behind it, so that each can be tested without the other.

use super::protocol::{Answer, Duration, FlowId, Flows, Message, Question, QuestionId};
use crate::engine::ClientId;
use crate::verdict::Verdict;

/// Takes one message to a client; false once the client is gone or too slow, and from then on
/// always. It never blocks and never calls back, so it may be called under any lock.
pub type Outlet = Box<dyn Fn(Message) -> bool + Send>;

/// What does not change about a session, or is worth saying first: the `hello` reply is made
/// of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The session's name, `PID-8hex`.
    pub session: String,
    /// The session's process id.
    pub pid: u32,
    /// The command it runs, one escaped string per argument.
    pub command: Vec<String>,
    /// The terminal it was started in, if there was one.
    pub terminal: Option<String>,
    /// True between halt and release.
    pub halted: bool,
    /// True between deny-rest and release.
    pub denies_rest: bool,
    /// Whether answers may be saved for good.
    pub may_save: bool,
}

/// What a client has subscribed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Events.
    pub events: bool,
    /// Events of before, too.
    pub earlier: bool,
    /// Questions: it can answer them.
    pub asks: bool,
}

impl Wants {
    /// Questions alone.
    pub const ASKS: Self = Self {
        events: false,
        earlier: false,
        asks: true,
    };
}

/// A session as its control socket sees it. Each method returns once what it asks for is in
/// force; none may wait for a client.
pub trait Controlled: Clone + Send + Sync + 'static {
    /// What to say of the session.
    fn about(&self) -> About;

    /// A client is there. With `events` it gets every event from now on, with `earlier` those
    /// that were before, too, where they are kept; with `asks` every question that waits (before
    /// this returns), and then whatever happens to questions.
    /// `client` is the client's own word for itself, escaped and bounded.
    fn subscribe(&self, wants: Wants, client: &str, out: Outlet) -> ClientId;

    /// The client is gone, and with it its hand on a question's clock.
    fn unsubscribe(&self, client: ClientId);

    /// The questions that wait, oldest first.
    fn pending(&self) -> Vec<Question>;

    /// Answers a question; gives the number of calls that it settled.
    ///
    /// # Errors
    /// What is wrong with the answer, in words for a person.
    fn answer(
        &self,
        client: ClientId,
        question: QuestionId,
        answer: Answer,
    ) -> Result<usize, String>;

    /// Answers a question with destinations of the person's own; gives the number of calls that
    /// it settled.
    ///
    /// # Errors
    /// What is wrong with the answer, in words for a person: a destination cannot be read, or
    /// none covers the question.
    fn answer_to(
        &self,
        client: ClientId,
        question: QuestionId,
        verdict: Verdict,
        duration: Duration,
        to: &[String],
    ) -> Result<usize, String>;

    /// Refuses the calls that wait in a question and writes no rule; gives their number.
    ///
    /// # Errors
    /// There is no such question, in words for a person.
    fn dismiss(&self, client: ClientId, question: QuestionId) -> Result<usize, String>;

    /// Stops a question's clock while the client is there.
    ///
    /// # Errors
    /// There is no such question, in words for a person.
    fn touch(&self, client: ClientId, question: QuestionId) -> Result<(), String>;

    /// Reads the saved rules again.
    ///
    /// # Errors
    /// Why they could not be read; the rules of before stay in force.
    fn rules_changed(&self) -> Result<(), String>;

    /// Holds every call and asks nobody, until [`Self::release`].
    fn halt(&self);

    /// Refuses whatever somebody is asked about, or would be, until [`Self::release`] or the end;
    /// gives the number of waiting calls that this settled.
    fn deny_rest(&self, client: ClientId) -> usize;

    /// Ends a halt and [`Self::deny_rest`]: decides all that waits anew.
    fn release(&self);

    /// The live connections.
    fn flows(&self) -> Flows;

    /// Ends a live connection; with `reset` it is broken off, with `deny` its program is refused
    /// the same host from now on. Gives the number of waiting calls that `deny` settled.
    ///
    /// # Errors
    /// It is gone, or cannot be ended: why, and what would help, in words for a person.
    fn end(&self, client: ClientId, flow: FlowId, reset: bool, deny: bool)
    -> Result<usize, String>;
}
