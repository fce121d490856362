use super::AskServer;
use crate::control::protocol::{Answer, Duration as For, Scope};
use crate::control::{Controlled, Wants};
use crate::core::Core;
use crate::event::{Event, Kind};
use crate::verdict::{Fallback, Source, Verdict};
use hallpass_policy::Action;
use hallpass_wire::{Address, Ask, Call, NameReport, Protocol, REPLY_LEN, Reply, Request};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A served ask socket; callers are this test's own connections.
struct Served {
    core: Core,
    dir: PathBuf,
    events: Arc<Mutex<Vec<Event>>>,
    stopper: super::Stopper,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// 10.0.0.1 is allowed, 10.0.0.2 denied, all else asked of whoever answers for the test.
    fn start(session_pid: u32) -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("hallpass-asks-{}-{count}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir(&dir).unwrap();
        let rules = [(Action::Allow, "10.0.0.1"), (Action::Deny, "10.0.0.2")];
        let (core, events) = Core::for_tests(&rules);
        core.subscribe(Wants::ASKS, "test", Box::new(|_| true));
        let listener = UnixListener::bind(dir.join("ask")).unwrap();
        let server = AskServer::new(core.clone(), session_pid, 0, vec![listener]).unwrap();
        let stopper = server.stopper();
        let clock = core.clone();
        std::thread::spawn(move || clock.run_clock());
        let thread = std::thread::spawn(move || server.run().unwrap());
        Self {
            core,
            dir,
            events,
            stopper,
            thread: Some(thread),
        }
    }

    /// This test process is a target: its parent plays the session.
    fn ours() -> Self {
        Self::start(std::os::unix::process::parent_id())
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.dir.join("ask")).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    fn ask(&self, address: [u8; 4]) -> UnixStream {
        let mut stream = self.connect();
        stream.write_all(&ask(address).encode()).unwrap();
        stream
    }

    fn fallbacks(&self) -> Vec<Fallback> {
        let events = self.events.lock().unwrap();
        let reasons = events.iter().filter_map(|event| match &event.kind {
            Kind::Refused {
                source: Source::Fallback { reason },
                ..
            } => Some(*reason),
            _ => None,
        });
        reasons.collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.core.shut_down(Fallback::SessionEnding);
        self.stopper.stop();
        self.thread.take().unwrap().join().unwrap();
        std::fs::remove_dir_all(&self.dir).unwrap();
    }
}

fn ask(address: [u8; 4]) -> Request {
    Request::Ask(Ask {
        call: Call::Connect,
        protocol: Protocol::Tcp,
        address: Address::V4(address),
        port: 80,
        resumed: false,
    })
}

fn reply(stream: &mut UnixStream) -> Reply {
    let mut frame = [0; REPLY_LEN];
    stream.read_exact(&mut frame).unwrap();
    Reply::decode(&frame).unwrap()
}

/// What comes after any number of keep-alives, and that nothing comes after it.
fn last_word(mut stream: UnixStream) -> Reply {
    let last = loop {
        match reply(&mut stream) {
            Reply::Held => {}
            last => break last,
        }
    };
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    last
}

fn is_allowed(reply: Reply) -> bool {
    match reply {
        Reply::Verdict { allow, .. } => allow,
        other => panic!("no verdict: {other:?}"),
    }
}

fn wait_until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < deadline, "it did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_rule_answers_at_once() {
    let served = Served::ours();
    assert!(is_allowed(last_word(served.ask([10, 0, 0, 1]))));
    assert!(!is_allowed(last_word(served.ask([10, 0, 0, 2]))));
    assert_eq!(
        (served.core.totals().allowed, served.core.totals().denied),
        (1, 1)
    );
}

#[test]
fn a_held_caller_hears_so_each_second_until_its_verdict() {
    let served = Served::ours();
    let mut stream = served.ask([192, 0, 2, 1]);
    assert_eq!(reply(&mut stream), Reply::Held);
    assert_eq!(reply(&mut stream), Reply::Held);
    assert_eq!(reply(&mut stream), Reply::Held);
    let answer = Answer {
        verdict: Verdict::Allow,
        duration: For::Once,
        scope: Scope::Port,
    };
    let client = served
        .core
        .subscribe(Wants::default(), "shell", Box::new(|_| true));
    assert_eq!(served.core.answer(client, 1, answer), Ok(1));
    assert!(is_allowed(last_word(stream)));
}

#[test]
fn a_question_shows_the_caller_and_the_name_it_looked_up() {
    let served = Served::ours();
    let mut report = NameReport::new(b"Printer.TEST.").unwrap();
    report.push(Address::V4([192, 0, 2, 9]));
    let mut stream = served.connect();
    stream.write_all(&Request::Names(report).encode()).unwrap();
    assert_eq!(last_word(stream), Reply::Noted);
    let _held = served.ask([192, 0, 2, 9]);
    wait_until(|| !served.core.pending().is_empty());
    let question = &served.core.pending()[0];
    assert_eq!(question.names[0].name, "printer.test");
    assert_eq!(question.pid, std::process::id());
    let exe = std::env::current_exe().unwrap();
    assert_eq!(question.app.subject.exe, exe.to_str().unwrap());
}

#[test]
fn a_caller_that_goes_away_takes_its_question_along() {
    let served = Served::ours();
    let stream = served.ask([192, 0, 2, 1]);
    wait_until(|| !served.core.pending().is_empty());
    drop(stream);
    wait_until(|| served.core.pending().is_empty());
    assert_eq!(served.core.totals(), crate::engine::Totals::default());
}

#[test]
fn a_stranger_is_refused_by_name() {
    let mut child = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .unwrap();
    let served = Served::start(child.id());
    assert!(!is_allowed(last_word(served.ask([10, 0, 0, 1]))));
    assert_eq!(served.fallbacks(), [Fallback::NotOurs]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_no_frame_is_refused_by_name_and_others_go_on() {
    let served = Served::ours();
    let len = ask([10, 0, 0, 1]).encode().len();
    let mut wrong_version = ask([10, 0, 0, 1]).encode();
    wrong_version[4] = 0xff;
    for frame in [vec![0xff; len], vec![0; len], wrong_version.to_vec()] {
        let mut stream = served.connect();
        stream.write_all(&frame).unwrap();
        assert!(!is_allowed(last_word(stream)));
    }
    assert_eq!(served.fallbacks(), [Fallback::BadFrame; 3]);
    assert!(is_allowed(last_word(served.ask([10, 0, 0, 1]))));
}

#[test]
fn a_caller_that_says_more_than_one_request_is_refused() {
    let served = Served::ours();
    let mut stream = served.ask([192, 0, 2, 1]);
    assert_eq!(reply(&mut stream), Reply::Held);
    stream.write_all(&ask([10, 0, 0, 1]).encode()).unwrap();
    wait_until(|| served.fallbacks() == [Fallback::BadFrame]);
    wait_until(|| served.core.pending().is_empty());
}

#[test]
fn half_a_frame_is_refused_in_the_end_and_delays_nobody() {
    let served = Served::ours();
    let mut half = served.connect();
    half.write_all(&ask([10, 0, 0, 1]).encode()[..20]).unwrap();
    assert!(is_allowed(last_word(served.ask([10, 0, 0, 1]))));
    let mut frame = Vec::new();
    half.read_to_end(&mut frame).unwrap();
    let verdict = Reply::decode(frame.as_slice().try_into().unwrap()).unwrap();
    assert!(!is_allowed(verdict));
    assert_eq!(served.fallbacks(), [Fallback::BadFrame]);
}

#[test]
fn hundreds_of_callers_wait_at_once_and_one_answer_settles_them() {
    let served = Served::ours();
    let callers: Vec<UnixStream> = (0..400).map(|_| served.ask([192, 0, 2, 1])).collect();
    wait_until(|| {
        served
            .core
            .pending()
            .first()
            .is_some_and(|q| q.waiting == 400)
    });
    let answer = Answer {
        verdict: Verdict::Allow,
        duration: For::Run,
        scope: Scope::Host,
    };
    let client = served
        .core
        .subscribe(Wants::default(), "shell", Box::new(|_| true));
    assert_eq!(served.core.answer(client, 1, answer), Ok(400));
    for caller in callers {
        assert!(is_allowed(last_word(caller)));
    }
}

#[test]
fn the_end_of_the_session_refuses_who_waits() {
    let served = Served::ours();
    let mut stream = served.ask([192, 0, 2, 1]);
    assert_eq!(reply(&mut stream), Reply::Held);
    drop(served);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    // Either the verdict still reached it, or the end of file did: both refuse.
    if let Ok(frame) = rest.as_slice().try_into() {
        assert!(!is_allowed(Reply::decode(frame).unwrap()));
    }
}
