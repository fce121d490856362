//! One client of the control socket, from its first line to its last.

use super::controlled::{Controlled, Wants};
use super::fitting::encode;
use super::lines::{Line, Lines};
use super::outbox::Outbox;
use super::peer;
use super::protocol::{Call, Flows, Hello, MAX_LINE, Message, QuestionId, Request, VERSION};
use super::request::{Malformed, parse};
use crate::checksum;
use crate::engine::ClientId;
use crate::escape::escape;
use interprocess::local_socket::traits::Stream as _;
use interprocess::os::unix::uds_local_socket::Stream;
use std::io::Write;
use std::net::Shutdown;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

/// How long a client may take to introduce itself.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// How long a client may take nothing of what is sent to it.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// The same, once it has ended its side or has been told to go.
const LAST_WRITE_WITHIN: Duration = Duration::from_secs(1);
/// How long events gather after some have been written: waking this thread for each of
/// thousands would cost the decisions more than the events do. Nobody sees the difference.
const GATHER: Duration = Duration::from_millis(5);
/// Longest name of a client that others get to see, in characters.
const MAX_NAME: usize = 64;

/// A connected client.
pub(super) struct Connection {
    stream: Stream,
    outbox: Outbox,
}

/// What the session knows of a client that has introduced itself.
struct Member {
    id: ClientId,
    name: String,
    subscribed: bool,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            outbox: Outbox::default(),
        }
    }

    /// Says why not, and ends it.
    pub(super) fn refuse(&self, error: String) {
        let _ = self.stream.set_send_timeout(Some(LAST_WRITE_WITHIN));
        let _ = send(&self.stream, vec![Message::Error { re: 0, error }]);
        self.shutdown(Shutdown::Both);
    }

    /// Wakes the threads that wait for this client.
    pub(super) fn shutdown(&self, how: Shutdown) {
        let _ = self.stream.inner().shutdown(how);
    }

    /// Serves the client until it leaves or has to.
    pub(super) fn serve<C: Controlled>(self: &Arc<Self>, session: &C, session_pid: u32) {
        if let Err(why) = peer::check(&self.stream, session_pid) {
            self.refuse(why);
            return;
        }
        let _ = self.stream.set_recv_timeout(Some(HELLO_WITHIN));
        let _ = self.stream.set_send_timeout(Some(WRITE_WITHIN));
        let this = Arc::clone(self);
        let writer = Builder::new()
            .name("control-write".to_owned())
            .spawn(move || this.write());
        let Ok(writer) = writer else {
            self.refuse("no thread could be started for you; try again".to_owned());
            return;
        };
        let mut member = None;
        self.read(session, &mut member);
        if let Some(member) = member {
            session.unsubscribe(member.id);
        }
        let _ = self.stream.set_send_timeout(Some(LAST_WRITE_WITHIN));
        self.outbox.close();
        let _ = writer.join();
        self.shutdown(Shutdown::Both);
    }

    fn write(&self) {
        loop {
            let batch = self.outbox.take();
            let only_events = batch
                .iter()
                .all(|message| matches!(message, Message::Event(_)));
            if batch.is_empty() || send(&self.stream, batch).is_err() {
                break;
            }
            if only_events {
                self.outbox.gather(GATHER);
            }
        }
        self.outbox.close();
        // Also where it was closed because the client fell behind: wakes the reader.
        self.shutdown(Shutdown::Both);
    }

    fn read<C: Controlled>(self: &Arc<Self>, session: &C, member: &mut Option<Member>) {
        let mut lines = Lines::new(MAX_LINE);
        loop {
            let flow = match lines.next(&mut &self.stream) {
                Ok(Line::Whole(line)) => self.line(session, member, &line),
                Ok(Line::TooLong) => self.fatal(
                    0,
                    format!("a line is longer than {MAX_LINE} bytes; send one JSON object on each"),
                ),
                Ok(Line::End) => return,
                Err(error) if is_timeout(&error) && member.is_none() => self.fatal(
                    0,
                    format!("no hello within {} seconds", HELLO_WITHIN.as_secs()),
                ),
                Err(_) => return,
            };
            if flow.is_break() {
                return;
            }
        }
    }

    fn line<C: Controlled>(
        self: &Arc<Self>,
        session: &C,
        member: &mut Option<Member>,
        line: &[u8],
    ) -> ControlFlow<()> {
        match (parse(line), member) {
            (Err(Malformed::NotAnObject(error)), _) => self.fatal(0, error),
            (Err(Malformed::NotACall { re, error }), Some(_)) => {
                self.say(Message::Error { re, error })
            }
            (Err(Malformed::NotACall { re, error }), None) => self.fatal(re, error),
            (Ok(request), Some(member)) => self.request(session, member, request),
            (Ok(request), empty) => self.hello(session, empty, request),
        }
    }

    fn hello<C: Controlled>(
        self: &Arc<Self>,
        session: &C,
        member: &mut Option<Member>,
        request: Request,
    ) -> ControlFlow<()> {
        let Request { id: re, call } = request;
        let Call::Hello { version, client } = call else {
            return self.fatal(re, format!(r#"say hello first: {{"id":1,"do":"hello","version":{VERSION},"client":"NAME"}}"#));
        };
        if version != VERSION {
            return self.fatal(re, format!("this session speaks version {VERSION} of the protocol, you version {version}; use the same version of hallpass"));
        }
        let name = escape(&client, MAX_NAME);
        let id = session.subscribe(Wants::default(), &name, self.outlet());
        *member = Some(Member {
            id,
            name,
            subscribed: false,
        });
        let _ = self.stream.set_recv_timeout(None);
        let about = session.about();
        self.say(Message::Hello(Hello {
            re,
            version: VERSION,
            session: about.session,
            pid: about.pid,
            command: about.command,
            terminal: about.terminal,
            halted: about.halted,
            denies_rest: about.denies_rest,
            may_save: about.may_save,
        }))
    }

    fn request<C: Controlled>(
        self: &Arc<Self>,
        session: &C,
        member: &mut Member,
        request: Request,
    ) -> ControlFlow<()> {
        let Request { id: re, call } = request;
        let done = |settled| Message::Done { re, settled };
        let result = match call {
            Call::Hello { .. } => Err("you have said hello already".to_owned()),
            Call::Subscribe { .. } if member.subscribed => {
                Err("you have subscribed already; connect again to change it".to_owned())
            }
            Call::Subscribe {
                earlier: true,
                events: false,
                ..
            } => Err("`earlier` is about events; add \"events\":true".to_owned()),
            Call::Subscribe {
                events,
                earlier,
                asks,
            } => {
                let wants = Wants {
                    events,
                    earlier,
                    asks,
                };
                // The reply comes first, then what was subscribed to.
                let _ = self.say(done(0));
                let before = member.id;
                member.id = session.subscribe(wants, &member.name, self.outlet());
                member.subscribed = true;
                session.unsubscribe(before);
                return ControlFlow::Continue(());
            }
            Call::Pending => Ok(Message::Pending {
                re,
                questions: session.pending(),
                more: 0,
            }),
            Call::Checksum { question } => checksum(session, re, question),
            Call::Answer { question, answer } => {
                session.answer(member.id, question, answer).map(done)
            }
            Call::AnswerTo {
                question,
                verdict,
                duration,
                to,
            } => session
                .answer_to(member.id, question, verdict, duration, &to)
                .map(done),
            Call::Dismiss { question } => session.dismiss(member.id, question).map(done),
            Call::Touch { question } => session.touch(member.id, question).map(|()| done(0)),
            Call::RulesChanged => session.rules_changed().map(|()| done(0)),
            Call::Halt => {
                session.halt();
                Ok(done(0))
            }
            Call::DenyRest => Ok(done(session.deny_rest(member.id))),
            Call::Release => {
                session.release();
                Ok(done(0))
            }
            Call::Flows => {
                let Flows {
                    flows,
                    more,
                    missing,
                } = session.flows().bounded();
                Ok(Message::Flows {
                    re,
                    flows,
                    more,
                    missing,
                })
            }
            Call::End { flow, reset, deny } => session.end(member.id, flow, reset, deny).map(done),
        };
        self.say(result.unwrap_or_else(|error| Message::Error { re, error }))
    }

    fn outlet(self: &Arc<Self>) -> super::Outlet {
        let this = Arc::clone(self);
        Box::new(move |message| this.say(message).is_continue())
    }

    fn say(&self, message: Message) -> ControlFlow<()> {
        if self.outbox.push(message) {
            return ControlFlow::Continue(());
        }
        // Too slow, or gone: whoever waits for it in a read or a write stops waiting.
        self.shutdown(Shutdown::Both);
        ControlFlow::Break(())
    }

    /// The last thing the client hears.
    fn fatal(&self, re: u64, error: String) -> ControlFlow<()> {
        let _ = self.say(Message::Error { re, error });
        ControlFlow::Break(())
    }
}

/// In this client's own thread: whoever else talks to the session does not wait for it.
fn checksum<C: Controlled>(session: &C, re: u64, question: QuestionId) -> Result<Message, String> {
    let mut waiting = session.pending().into_iter();
    let asked = waiting.find(|asked| asked.id == question);
    let asked = asked.ok_or_else(|| {
        format!("question {question} is gone: it was answered, or its callers are")
    })?;
    let subject = &asked.app.subject;
    let files = checksum::of(asked.pid, &subject.exe, subject.script.as_deref());
    Ok(Message::Checksum { re, files })
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
    )
}

/// Writes messages as lines.
fn send(mut stream: &Stream, messages: Vec<Message>) -> std::io::Result<()> {
    let mut lines = Vec::new();
    for message in messages {
        lines.append(&mut encode(message)?);
    }
    stream.write_all(&lines)
}
