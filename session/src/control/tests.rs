//! The server against clients that are honest, clumsy, slow and hostile.

use super::client::{Client, ClientError};
use super::protocol::{Answer, Call, Duration as For, Message, Question, QuestionId, Scope};
use super::server::{ControlServer, MAX_CLIENTS, Serving};
use super::{About, Controlled, Outlet};
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
            halted: false,
            may_save: true,
        }
    }
    fn subscribe(&self, events: bool, asks: bool, client: &str, out: Outlet) -> ClientId {
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
    fn release(&self) {
        self.tell("release");
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

#[test]
fn requests_arrive_and_replies_come_back() {
    let stage = Stage::new();
    let mut client = stage.client();
    assert_eq!(
        (client.hello().session.as_str(), client.hello().pid),
        ("7-0000000a", 7)
    );
    assert_eq!(client.pending().unwrap(), []);
    let answer = Answer {
        verdict: Verdict::Allow,
        duration: For::Run,
        scope: Scope::Host,
    };
    assert_eq!(
        client
            .request(Call::Answer {
                question: 1,
                answer: answer.clone()
            })
            .unwrap(),
        3
    );
    let own = Call::AnswerTo {
        question: 1,
        verdict: Verdict::Deny,
        duration: For::Always,
        to: vec!["*.test".to_owned(), "10.0.0.0/8".to_owned()],
    };
    assert_eq!(client.request(own).unwrap(), 1);
    let error = client
        .request(Call::Answer {
            question: 2,
            answer,
        })
        .unwrap_err();
    assert!(
        matches!(&error, ClientError::Refused(text) if text == "there is no question 2"),
        "{error}"
    );
    assert_eq!(client.request(Call::Dismiss { question: 1 }).unwrap(), 1);
    client.request(Call::Touch { question: 1 }).unwrap();
    client.request(Call::Halt).unwrap();
    client.request(Call::Release).unwrap();
    assert!(
        client
            .request(Call::RulesChanged)
            .unwrap_err()
            .to_string()
            .contains("is empty")
    );
    let calls = stage.session.calls().join(" | ");
    assert!(
        calls.contains("dismiss 1 | touch 1 | halt | release | rules_changed"),
        "{calls}"
    );
}

#[test]
fn a_subscriber_gets_events_between_replies_and_in_order() {
    let stage = Stage::new();
    let mut client = stage.client();
    client.subscribe(true, true).unwrap();
    until("subscribed", || {
        stage.session.calls().contains(&"unsubscribe 1".to_owned())
    });
    for number in 0..100 {
        assert_eq!(stage.session.publish(&number.to_string()), 1);
    }
    client.request(Call::Halt).unwrap();
    for number in 0..100 {
        let message = client.next(Some(Duration::from_secs(10))).unwrap().unwrap();
        assert!(
            matches!(message, Message::Event(event) if event.kind == Kind::Coverage { text: number.to_string() })
        );
    }
    assert_eq!(client.next(Some(Duration::from_millis(30))).unwrap(), None);
    assert!(
        client
            .subscribe(true, false)
            .unwrap_err()
            .to_string()
            .contains("already")
    );
    assert!(
        stage
            .session
            .calls()
            .contains(&"subscribe true true test".to_owned())
    );
}

#[test]
fn a_client_that_vanishes_is_unsubscribed() {
    let stage = Stage::new();
    let mut client = stage.client();
    client.subscribe(false, true).unwrap();
    drop(client);
    until("unsubscribed", || stage.session.clients() == 0);
}

#[test]
fn a_client_that_ends_its_side_still_gets_its_replies() {
    let stage = Stage::new();
    let mut raw = stage.raw();
    raw.send("{\"id\":1,\"do\":\"hello\",\"version\":1,\"client\":\"nc\"}\n{\"id\":2,\"do\":\"halt\"}\n{\"id\":3,\"do\":\"release\"}");
    raw.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    let mut all = String::new();
    raw.0.read_to_string(&mut all).unwrap();
    assert_eq!(all.lines().count(), 3, "{all}");
    assert!(stage.session.calls().ends_with(&[
        "halt".to_owned(),
        "release".to_owned(),
        "unsubscribe 1".to_owned()
    ]));
}

#[test]
fn the_first_line_must_be_a_hello_of_this_version() {
    let stage = Stage::new();
    stage
        .raw()
        .send("{\"id\":1,\"do\":\"halt\"}\n")
        .ends_with("say hello first");
    stage
        .raw()
        .send("{\"id\":1,\"do\":\"hello\",\"version\":2,\"client\":\"x\"}\n")
        .ends_with("version 1");
    stage
        .raw()
        .send("{\"id\":1,\"do\":\"hello\"}\n")
        .ends_with("missing field");
    let mut raw = stage.raw();
    raw.hello()
        .send("{\"id\":2,\"do\":\"hello\",\"version\":1,\"client\":\"x\"}\n");
    assert!(raw.line().contains("already"));
    assert!(!stage.session.calls().contains(&"halt".to_owned()));
}

#[test]
fn garbage_gets_one_error_and_the_end() {
    let stage = Stage::new();
    let deep = format!("{}\n", r#"{"id":"#.repeat(40_000));
    for garbage in [
        "GET / HTTP/1.1\r\n",
        "[1,2]\n",
        "\n",
        "\0\0\0\n",
        "{\"id\":1\n",
        &deep,
    ] {
        stage.raw().send(garbage).ends_with("not a JSON object");
        stage
            .raw()
            .hello()
            .send(garbage)
            .ends_with("not a JSON object");
    }
    until("all gone", || stage.session.clients() == 0);
}

#[test]
fn a_wrong_request_is_an_error_and_the_connection_stays() {
    let stage = Stage::new();
    let mut raw = stage.raw();
    raw.hello().send("{\"id\":2,\"do\":\"explode\"}\n{\"do\":\"halt\"}\n{\"id\":3,\"do\":\"halt\",\"x\":1}\n{\"id\":4,\"do\":\"release\"}\n");
    assert!(raw.line().contains("unknown variant `explode`"));
    assert!(raw.line().contains("`id` is missing"));
    assert!(raw.line().contains("`x` is no field"));
    assert_eq!(raw.line(), "{\"done\":{\"re\":4,\"settled\":0}}\n");
    assert!(!stage.session.calls().contains(&"halt".to_owned()));
}

#[test]
fn an_endless_line_is_cut_off() {
    let stage = Stage::new();
    for hello in [false, true] {
        let mut raw = stage.raw();
        if hello {
            raw.hello();
        }
        let piece = "x".repeat(64 * 1024);
        let mut sent = 0;
        while raw.0.get_mut().write_all(piece.as_bytes()).is_ok() {
            sent += piece.len();
            assert!(sent < 64 * 1024 * 1024, "it is read on and on");
        }
        raw.ends_with("longer than");
    }
}

#[test]
fn a_client_s_name_is_escaped_and_bounded() {
    let stage = Stage::new();
    let long = "x".repeat(1000);
    for (name, shown) in [
        ("a\\u001b[2J\\u202e", r"a\u{1b}[2J\u{202e}"),
        (long.as_str(), "xxx…"),
    ] {
        stage
            .raw()
            .send(&format!(
                "{{\"id\":1,\"do\":\"hello\",\"version\":1,\"client\":\"{name}\"}}\n"
            ))
            .line();
        assert!(
            stage
                .session
                .calls()
                .iter()
                .any(|call| call.ends_with(shown)),
            "{:?}",
            stage.session.calls()
        );
    }
}

#[test]
fn the_65th_client_is_told_so_and_places_are_freed() {
    let stage = Stage::new();
    let mut clients: Vec<Client> = (0..MAX_CLIENTS).map(|_| stage.client()).collect();
    let refusal = Client::connect_to(&stage.path, None, "one more")
        .err()
        .unwrap();
    assert!(refusal.to_string().contains("64 clients"), "{refusal}");
    clients.pop();
    until("a free place", || {
        Client::connect_to(&stage.path, None, "again").is_ok()
    });
    assert!(
        clients
            .iter_mut()
            .all(|client| client.request(Call::Release).is_ok())
    );
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_delays_nobody() {
    let stage = Stage::new();
    let mut slow = stage.raw();
    slow.hello()
        .send("{\"id\":2,\"do\":\"subscribe\",\"events\":true}\n");
    assert!(slow.line().contains("done"));
    until("subscribed", || stage.session.clients() == 1);
    let text = "x".repeat(200);
    let mut longest = Duration::ZERO;
    let mut published = 0;
    while stage.session.clients() == 1 {
        let start = Instant::now();
        stage.session.publish(&text);
        longest = longest.max(start.elapsed());
        published += 1;
        assert!(published < 1_000_000, "it is never dropped");
    }
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    // Others are served, and the slow one finds the end of the stream.
    stage.client().request(Call::Halt).unwrap();
    let mut rest = Vec::new();
    let _ = slow.0.read_to_end(&mut rest);
    assert!(rest.len() < 16 * 1024 * 1024);
}

#[test]
fn a_client_that_asks_and_never_reads_is_dropped() {
    let stage = Stage::new();
    let mut raw = stage.raw();
    raw.hello();
    let request = "{\"id\":2,\"do\":\"nonsense\"}\n".repeat(1000);
    let end = Instant::now() + Duration::from_secs(60);
    while raw.0.get_mut().write_all(request.as_bytes()).is_ok() {
        assert!(Instant::now() < end, "it is never dropped");
    }
    until("dropped", || stage.session.clients() == 0);
}

#[test]
fn a_process_of_the_session_is_refused() {
    let stage = Stage::for_session(std::os::unix::process::parent_id());
    let refusal = Client::connect_to(&stage.path, None, "target")
        .err()
        .unwrap();
    assert!(
        refusal.to_string().contains("another terminal"),
        "{refusal}"
    );
    assert_eq!(stage.session.calls(), [""; 0]);
}

#[test]
fn a_socket_that_is_not_the_session_s_is_not_believed() {
    let stage = Stage::new();
    let refusal = Client::connect_to(&stage.path, Some(1), "shell")
        .err()
        .unwrap();
    assert!(
        refusal.to_string().contains("in the session's place"),
        "{refusal}"
    );
}

#[test]
fn at_the_end_clients_get_what_was_said_and_then_the_end() {
    let mut stage = Stage::new();
    let mut client = stage.client();
    client.subscribe(true, false).unwrap();
    let mut stopped = stage.raw();
    stopped.hello();
    until("subscribed", || {
        stage.session.calls().contains(&"unsubscribe 1".to_owned())
    });
    for number in 0..1000 {
        stage.session.publish(&number.to_string());
    }
    let serving = stage.serving.take().unwrap();
    let finish = std::thread::spawn(move || {
        let start = Instant::now();
        serving.finish(Duration::from_secs(5));
        start.elapsed()
    });
    let mut received = 0;
    let end = loop {
        match client.next(Some(Duration::from_secs(5))) {
            Ok(Some(Message::Event(_))) => received += 1,
            other => break other,
        }
    };
    assert!(
        finish.join().unwrap() < Duration::from_secs(4),
        "an idle client is waited for"
    );
    assert!(matches!(end, Err(ClientError::Gone)), "{end:?}");
    assert_eq!(received, 1000);
    assert_eq!(stage.session.clients(), 0);
    assert!(Client::connect_to(&stage.path, None, "late").is_err());
}
