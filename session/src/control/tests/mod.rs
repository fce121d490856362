//! The server against clients that are honest ([`honest`]), clumsy, slow and hostile
//! ([`hostile`]), and the client against impostors ([`impostors`]).

mod honest;
mod hostile;
mod impostors;

use super::client::{Client, ClientError};
use super::protocol::{
    Answer, Call, Duration as For, FlowId, Flows, Message, Question, QuestionId, Scope,
};
use super::server::{ControlServer, MAX_CLIENTS, Serving};
use super::{About, Controlled, Outlet, Wants};
use crate::engine::ClientId;
use crate::event::{Event, Kind};
use crate::verdict::Verdict;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A session that writes down what it is told.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    calls: Vec<String>,
    clients: HashMap<ClientId, Outlet>,
    last: ClientId,
}

impl Fake {
    fn tell(&self, call: impl Into<String>) {
        self.0.lock().unwrap().calls.push(call.into());
    }

    fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().calls.clone()
    }

    fn clients(&self) -> usize {
        self.0.lock().unwrap().clients.len()
    }

    /// Sends an event to everybody; the number of those that took it.
    fn publish(&self, text: &str) -> usize {
        let kind = Kind::Coverage {
            text: text.to_owned(),
        };
        let event = Event {
            v: 1,
            seq: 1,
            time: String::new(),
            session: "7-0000000a".to_owned(),
            kind,
        };
        let told = self.0.lock().unwrap();
        told.clients
            .values()
            .filter(|out| out(Message::Event(Box::new(event.clone()))))
            .count()
    }
}

impl Controlled for Fake {
    fn about(&self) -> About {
        About {
            session: "7-0000000a".to_owned(),
            pid: 7,
            command: vec!["curl".to_owned()],
            terminal: Some("pts/3".to_owned()),
            halted: false,
            denies_rest: false,
            may_save: true,
        }
    }
    fn subscribe(&self, wants: Wants, client: &str, out: Outlet) -> ClientId {
        let Wants { events, asks, .. } = wants;
        self.tell(format!("subscribe {events} {asks} {client}"));
        let mut told = self.0.lock().unwrap();
        told.last += 1;
        let id = told.last;
        told.clients.insert(id, out);
        id
    }
    fn unsubscribe(&self, client: ClientId) {
        self.tell(format!("unsubscribe {client}"));
        self.0.lock().unwrap().clients.remove(&client);
    }
    fn pending(&self) -> Vec<Question> {
        Vec::new()
    }
    fn answer(
        &self,
        client: ClientId,
        question: QuestionId,
        answer: Answer,
    ) -> Result<usize, String> {
        self.tell(format!("answer {client} {question} {answer:?}"));
        if question == 1 {
            Ok(3)
        } else {
            Err(format!("there is no question {question}"))
        }
    }
    fn answer_to(
        &self,
        client: ClientId,
        question: QuestionId,
        verdict: Verdict,
        duration: For,
        to: &[String],
    ) -> Result<usize, String> {
        self.tell(format!(
            "answer_to {client} {question} {verdict:?} {duration} {}",
            to.join(" ")
        ));
        Ok(1)
    }
    fn dismiss(&self, _: ClientId, question: QuestionId) -> Result<usize, String> {
        self.tell(format!("dismiss {question}"));
        Ok(1)
    }
    fn touch(&self, _: ClientId, question: QuestionId) -> Result<(), String> {
        self.tell(format!("touch {question}"));
        Ok(())
    }
    fn rules_changed(&self) -> Result<(), String> {
        self.tell("rules_changed");
        Err("rules.json:1:1: is empty".to_owned())
    }
    fn halt(&self) {
        self.tell("halt");
    }
    fn deny_rest(&self, client: ClientId) -> usize {
        self.tell(format!("deny_rest {client}"));
        2
    }
    fn release(&self) {
        self.tell("release");
    }
    fn flows(&self) -> Flows {
        self.tell("flows");
        Flows {
            missing: vec!["what is far".to_owned()],
            ..Flows::default()
        }
    }
    fn end(&self, _: ClientId, flow: FlowId, reset: bool, deny: bool) -> Result<usize, String> {
        self.tell(format!("end {flow} {reset} {deny}"));
        Err(format!("there is no connection {flow}"))
    }
}

struct Stage {
    session: Fake,
    path: PathBuf,
    serving: Option<Serving>,
}

/// No process has this id, so nobody descends from it.
const NOBODY: u32 = 4_194_305;

impl Stage {
    fn new() -> Self {
        Self::for_session(NOBODY)
    }

    fn for_session(session_pid: u32) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("hallpass-ctl-{}-{number}", std::process::id()));
        let session = Fake::default();
        let server = ControlServer::bind(&path, session_pid).unwrap();
        let serving = Some(server.serve(session.clone()).unwrap());
        Self {
            session,
            path,
            serving,
        }
    }

    fn client(&self) -> Client {
        Client::connect_to(&self.path, Some(std::process::id()), "test").unwrap()
    }

    fn raw(&self) -> Raw {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Raw(BufReader::new(stream))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.finish(Duration::from_secs(1));
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A client without manners.
struct Raw(BufReader<UnixStream>);

impl Raw {
    fn send(&mut self, text: &str) -> &mut Self {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
        self
    }

    fn hello(&mut self) -> &mut Self {
        self.send("{\"id\":1,\"do\":\"hello\",\"version\":1,\"client\":\"raw\"}\n");
        let line = self.line();
        assert!(line.starts_with("{\"hello\":"), "{line}");
        self
    }

    /// The next line; empty at the end of the stream.
    fn line(&mut self) -> String {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(_) => line,
            // The server hung up with bytes of ours unread.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => String::new(),
            Err(error) => panic!("{error}"),
        }
    }

    /// One error that holds `part`, and then the end.
    fn ends_with(&mut self, part: &str) {
        let line = self.line();
        assert!(
            line.starts_with("{\"error\":") && line.contains(part),
            "{line}"
        );
        assert_eq!(self.line(), "", "more than one line");
    }
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
