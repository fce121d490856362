//! The other end of the control socket, for whoever controls a session: the front's terminal,
//! the shell commands, the desktop agent, tests.

use super::lines::{Line, Lines};
use super::protocol::{Call, Flows, Hello, MAX_MESSAGE, Message, Question, Request, VERSION};
use crate::problem::Problem;
use crate::runtime_dir::Session;
use interprocess::ConnectWaitMode;
use interprocess::local_socket::traits::{Stream as _, StreamCommon as _};
use interprocess::local_socket::{ConnectOptions, GenericFilePath, ToFsName};
use interprocess::os::unix::uds_local_socket::Stream;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a session may take to accept a client and to answer a request. It answers in
/// milliseconds; only one that is stopped or swamped does not.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a session could not be spoken to.
#[derive(Debug)]
pub enum ClientError {
    /// The session has ended, or has dropped this client.
    Gone,
    /// The session did not answer within ten seconds: it may be stopped.
    Silent,
    /// The session refused, in words for a person.
    Refused(String),
    /// The session sent what is not of the protocol.
    Nonsense(String),
    /// Something else went wrong.
    Io(io::Error),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the session has ended, or has dropped this client"),
            Self::Silent => write!(
                f,
                "the session does not answer ({} s); is it stopped?",
                PATIENCE.as_secs()
            ),
            Self::Refused(error) => f.write_str(error),
            Self::Nonsense(what) => write!(f, "the session speaks another language: {what}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotFound
            | io::ErrorKind::UnexpectedEof => Self::Gone,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Silent,
            _ => Self::Io(error),
        }
    }
}

/// A connection to a session that has said hello.
///
/// It blocks, with timeouts. To wait for it together with other things, poll its descriptor
/// ([`AsFd`]) for input once [`Client::next`] with a timeout of zero has given `None`: lines that
/// have arrived already are not seen by poll.
pub struct Client {
    stream: Stream,
    lines: Lines,
    hello: Hello,
    last_id: u64,
    /// What came while a reply was waited for.
    waiting: VecDeque<Message>,
}

impl Client {
    /// Connects to a session and says hello as `name` (`terminal`, `agent`, `shell`, …).
    ///
    /// # Errors
    /// The session has gone or does not answer, refuses this process, or speaks another version.
    pub fn connect(session: &Session, name: &str) -> Result<Self, ClientError> {
        Self::connect_to(&session.control_socket(), Some(session.name.pid), name)
    }

    /// [`Self::connect`] by path. Where `pid` is given the peer must be that process: a target
    /// has the same user id and could put a socket of its own there.
    ///
    /// # Errors
    /// See [`Self::connect`].
    pub fn connect_to(path: &Path, pid: Option<u32>, name: &str) -> Result<Self, ClientError> {
        let mut client = Self::reach(path, pid)?;
        let id = client.send(vec![Self::greeting(name)])?;
        client.greeted(id)?;
        Ok(client)
    }

    /// [`Self::connect_to`] and [`Self::subscribe`] in one go: whoever waits for both waits once.
    ///
    /// # Errors
    /// See [`Self::connect`].
    pub fn connect_and_subscribe(
        path: &Path,
        pid: Option<u32>,
        name: &str,
        events: bool,
        asks: bool,
    ) -> Result<Self, ClientError> {
        let mut client = Self::reach(path, pid)?;
        let earlier = false;
        let calls = vec![
            Self::greeting(name),
            Call::Subscribe {
                events,
                earlier,
                asks,
            },
        ];
        let id = client.send(calls)?;
        client.greeted(id - 1)?;
        client.reply(id)?;
        Ok(client)
    }

    fn greeting(name: &str) -> Call {
        Call::Hello {
            version: VERSION,
            client: name.to_owned(),
        }
    }

    fn greeted(&mut self, id: u64) -> Result<(), ClientError> {
        match self.reply(id)? {
            Message::Hello(hello) if hello.version == VERSION => {
                self.hello = hello;
                Ok(())
            }
            Message::Hello(hello) => Err(ClientError::Nonsense(format!(
                "version {} instead of {VERSION}",
                hello.version
            ))),
            _ => Err(ClientError::Nonsense("no hello".to_owned())),
        }
    }

    fn reach(path: &Path, pid: Option<u32>) -> Result<Self, ClientError> {
        let options = ConnectOptions::new().name(path.to_fs_name::<GenericFilePath>()?);
        let stream: Stream = options
            .wait_mode(ConnectWaitMode::Timeout(PATIENCE))
            .connect_sync_as()?;
        stream.set_send_timeout(Some(PATIENCE))?;
        let peer = stream.peer_creds()?;
        let peer_pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
        let wrong_pid = pid.is_some() && pid != peer_pid;
        if wrong_pid || peer.euid() != Some(nix::unistd::Uid::effective().as_raw()) {
            return Err(ClientError::Refused(format!(
                "another process (id {}) has put itself in the session's place; end that program",
                peer_pid.unwrap_or(0)
            )));
        }
        let hello = Hello {
            re: 0,
            version: VERSION,
            session: String::new(),
            pid: 0,
            command: Vec::new(),
            terminal: None,
            halted: false,
            denies_rest: false,
            may_save: false,
        };
        Ok(Self {
            stream,
            lines: Lines::new(MAX_MESSAGE),
            hello,
            last_id: 0,
            waiting: VecDeque::new(),
        })
    }

    /// What the session said of itself.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Sends a request and waits for its reply. Other messages that come meanwhile are kept for
    /// [`Self::next`].
    ///
    /// # Errors
    /// The session refused, has gone or does not answer.
    pub fn call(&mut self, call: Call) -> Result<Message, ClientError> {
        let id = self.send(vec![call])?;
        self.reply(id)
    }

    /// Sends requests; gives the last one's number.
    fn send(&mut self, calls: Vec<Call>) -> Result<u64, ClientError> {
        let mut lines = Vec::new();
        for call in calls {
            self.last_id += 1;
            let id = self.last_id;
            serde_json::to_writer(&mut lines, &Request { id, call }).map_err(io::Error::from)?;
            lines.push(b'\n');
        }
        if let Err(error) = (&self.stream).write_all(&lines) {
            // A session that refuses us says why before it hangs up.
            return Err(self.last_words().unwrap_or_else(|| error.into()));
        }
        Ok(self.last_id)
    }

    fn reply(&mut self, id: u64) -> Result<Message, ClientError> {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.receive(Some(left))?.ok_or(ClientError::Silent)?;
            match (reply_to(&message), message) {
                (Some(re), Message::Error { error, .. }) if re == id || re == 0 => {
                    return Err(ClientError::Refused(error));
                }
                (Some(re), message) if re == id => return Ok(message),
                (_, message) => self.waiting.push_back(message),
            }
        }
    }

    fn last_words(&mut self) -> Option<ClientError> {
        match self.receive(Some(Duration::ZERO)) {
            Ok(Some(Message::Error { error, .. })) => Some(ClientError::Refused(error)),
            _ => None,
        }
    }

    /// Asks for events, questions, or both.
    ///
    /// # Errors
    /// See [`Self::call`].
    pub fn subscribe(&mut self, events: bool, asks: bool) -> Result<(), ClientError> {
        let earlier = false;
        self.call(Call::Subscribe {
            events,
            earlier,
            asks,
        })
        .map(|_| ())
    }

    /// Asks for events, first those that were before, where the session is young.
    ///
    /// # Errors
    /// See [`Self::call`].
    pub fn subscribe_from_the_beginning(&mut self) -> Result<(), ClientError> {
        self.call(Call::Subscribe {
            events: true,
            earlier: true,
            asks: false,
        })
        .map(|_| ())
    }

    /// The questions that wait, oldest first.
    ///
    /// # Errors
    /// See [`Self::call`].
    pub fn pending(&mut self) -> Result<Vec<Question>, ClientError> {
        match self.call(Call::Pending)? {
            Message::Pending { questions, .. } => Ok(questions),
            _ => Err(ClientError::Nonsense("no list of questions".to_owned())),
        }
    }

    /// The live connections, oldest first.
    ///
    /// # Errors
    /// See [`Self::call`].
    pub fn flows(&mut self) -> Result<Flows, ClientError> {
        match self.call(Call::Flows)? {
            Message::Flows {
                flows,
                more,
                missing,
                ..
            } => Ok(Flows {
                flows,
                more,
                missing,
            }),
            _ => Err(ClientError::Nonsense("no list of connections".to_owned())),
        }
    }

    /// Sends a request that is answered by `done`; gives the number of calls that it settled.
    ///
    /// # Errors
    /// See [`Self::call`].
    pub fn request(&mut self, call: Call) -> Result<usize, ClientError> {
        match self.call(call)? {
            Message::Done { settled, .. } => Ok(settled),
            _ => Err(ClientError::Nonsense("a reply of another kind".to_owned())),
        }
    }

    /// The next message, waiting for it at most `timeout` (None: for as long as it takes);
    /// `Ok(None)` where none came.
    ///
    /// # Errors
    /// [`ClientError::Gone`] once the session has ended.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Message>, ClientError> {
        match self.waiting.pop_front() {
            Some(message) => Ok(Some(message)),
            None => self.receive(timeout),
        }
    }

    fn receive(&mut self, timeout: Option<Duration>) -> Result<Option<Message>, ClientError> {
        let end = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            match self.lines.buffered() {
                Some(Line::Whole(line)) => match decode(&line)? {
                    Some(message) => return Ok(Some(message)),
                    None => continue,
                },
                Some(_) => {
                    return Err(ClientError::Nonsense(format!(
                        "a line of more than {MAX_MESSAGE} bytes"
                    )));
                }
                None => {}
            }
            if !self.readable(end)? {
                return Ok(None);
            }
            if !self.lines.fill(&mut &self.stream)? {
                return Err(ClientError::Gone);
            }
        }
    }

    /// Waits until there is something to read; false at `end`.
    fn readable(&self, end: Option<Instant>) -> Result<bool, ClientError> {
        loop {
            let timeout = match end {
                None => PollTimeout::NONE,
                // Rounded up, or the last millisecond would be spent spinning.
                Some(end) => {
                    let left = end.saturating_duration_since(Instant::now());
                    let millis = left.as_nanos().div_ceil(1_000_000);
                    PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
                }
            };
            let mut fds = [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, timeout) {
                Ok(0) if end.is_none_or(|end| Instant::now() < end) => {}
                Ok(0) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(ClientError::Io(error.into())),
            }
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// What a person is told who named this session.
#[must_use]
pub fn problem(session: &Session, error: &ClientError) -> Problem {
    let instead = match error {
        ClientError::Silent => format!("continue it with `kill -CONT {}`", session.name.pid),
        _ => String::new(),
    };
    Problem {
        place: format!("session {}", session.name),
        what: error.to_string(),
        instead,
    }
}

/// A message; none where it is of a kind that a later version may have added (docs/control.md).
fn decode(line: &[u8]) -> Result<Option<Message>, ClientError> {
    let error = match serde_json::from_slice(line) {
        Ok(message) => return Ok(Some(message)),
        Err(error) => error,
    };
    match serde_json::from_slice::<Value>(line) {
        Ok(Value::Object(object)) if object.keys().all(|kind| is_news(kind, &object)) => Ok(None),
        _ => Err(ClientError::Nonsense(error.to_string())),
    }
}

fn is_news(kind: &str, object: &Map<String, Value>) -> bool {
    const KINDS: [&str; 8] = [
        "hello",
        "done",
        "pending",
        "flows",
        "error",
        "question",
        "settled",
        "answering",
    ];
    const EVENTS: [&str; 9] = [
        "started",
        "asked",
        "decided",
        "refused",
        "answered",
        "disconnected",
        "coverage",
        "ended",
        "totals",
    ];
    let event = object.get("event").and_then(|event| event.get("kind"));
    match event.and_then(Value::as_str) {
        Some(event) => !EVENTS.contains(&event),
        None => kind != "event" && !KINDS.contains(&kind),
    }
}

/// The request that a message replies to.
fn reply_to(message: &Message) -> Option<u64> {
    match message {
        Message::Hello(hello) => Some(hello.re),
        Message::Done { re, .. }
        | Message::Pending { re, .. }
        | Message::Flows { re, .. }
        | Message::Checksum { re, .. }
        | Message::Error { re, .. } => Some(*re),
        Message::Question(_)
        | Message::Settled { .. }
        | Message::Answering { .. }
        | Message::Event(_) => None,
    }
}
