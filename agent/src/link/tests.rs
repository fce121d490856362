//! Real sessions' sockets, found and followed.

use super::instance;
use super::{Links, Listener};
use crate::model::{Command, Report};
use hallpass_policy::{Action, Environment, Policy, Protocol, Subject};
use hallpass_session::control::protocol::{Answer, Call, Duration, Message, Scope};
use hallpass_session::control::server::ControlServer;
use hallpass_session::core::{Asked, Config, Core};
use hallpass_session::flow::{App, Flow};
use hallpass_session::runtime_dir::RuntimeDir;
use hallpass_session::verdict::Verdict;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
/// No process has this id: the session must not take the test, its own process, for a target.
const NOBODY: u32 = u32::MAX;

/// A directory of the test's own, removed with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hallpass-agent-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut builder = std::fs::DirBuilder::new();
        builder.mode(0o700).create(&path).unwrap();
        Self(path)
    }

    fn bases(&self) -> Vec<PathBuf> {
        vec![self.0.join("hallpass")]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn flow(address: [u8; 4]) -> Flow {
    Flow {
        pid: 42,
        app: Arc::new(App {
            subject: Subject {
                exe: "/usr/bin/curl".to_owned(),
                name: "curl".to_owned(),
                ..Subject::default()
            },
            argv: Vec::new(),
            cwd: "/".to_owned(),
            step: None,
            uid: 0,
        }),
        protocol: Protocol::Tcp,
        address: address.into(),
        scope_id: 0,
        port: 80,
        names: Vec::new(),
        runs: Arc::default(),
    }
}

fn links(scratch: &Scratch) -> (Links, Receiver<Report>) {
    let (sender, reports) = channel();
    let sender = Mutex::new(sender);
    let listener: Listener = Arc::new(move |report| {
        let _ = sender.lock().unwrap().send(report);
    });
    (Links::start(scratch.bases(), listener).unwrap(), reports)
}

fn wait_for<T>(reports: &Receiver<Report>, wanted: impl Fn(Report) -> Option<T>) -> T {
    loop {
        let report = reports.recv_timeout(PATIENCE).expect("never came");
        if let Some(found) = wanted(report) {
            return found;
        }
    }
}

#[test]
fn a_session_is_found_followed_answered_and_missed() {
    let scratch = Scratch::new();
    let (links, reports) = links(&scratch);

    let dir = RuntimeDir::create(&scratch.bases()).unwrap();
    let name = dir.name().to_string();
    let mut policy = Policy::new();
    policy.set_default(Action::Ask);
    let core = Core::new(Config {
        session: name.clone(),
        command: vec!["make".to_owned()],
        policy,
        environment: Environment::default(),
        saved: None,
        ask_timeout: None,
        audit: false,
        client_expected_within: Some(PATIENCE),
        hold: hallpass_session::hold::Hold::Block,
        page: None,
        sinks: Vec::new(),
    });
    let server = ControlServer::bind(&dir.control_socket(), NOBODY).unwrap();
    let serving = server.serve(core.clone()).unwrap();

    let hello = wait_for(&reports, |report| match report {
        Report::Joined(hello) => Some(hello),
        _ => None,
    });
    assert_eq!(
        (hello.session, hello.command),
        (name.clone(), vec!["make".to_owned()])
    );

    let (verdicts, verdict) = channel();
    let asked = core.ask(flow([10, 0, 0, 1]), move |verdict, _| {
        let _ = verdicts.send(verdict);
    });
    assert!(matches!(asked, Asked::Held(_)));
    let question = wait_for(&reports, |report| match report {
        Report::Said(_, Message::Question(question)) => Some(question),
        _ => None,
    });
    let answer = Answer {
        verdict: Verdict::Allow,
        duration: Duration::Run,
        scope: Scope::Host,
    };
    links.send(Command {
        session: name.clone(),
        ticket: 5,
        call: Call::Answer {
            question: question.id,
            answer,
        },
    });
    assert_eq!(verdict.recv_timeout(PATIENCE), Ok(Verdict::Allow));
    let replied = wait_for(&reports, |report| match report {
        Report::Replied(ticket, result) => Some((ticket, result)),
        _ => None,
    });
    assert_eq!(replied, (5, Ok(1)));

    // Connections are asked for, and the list is all that comes.
    links.send(Command {
        session: name.clone(),
        ticket: 7,
        call: Call::Flows,
    });
    wait_for(&reports, |report| match report {
        Report::Said(_, Message::Flows { .. }) => Some(()),
        Report::Replied(7, result) => panic!("{result:?}"),
        _ => None,
    });
    links.send(Command {
        session: name.clone(),
        ticket: 8,
        call: Call::End {
            flow: 99,
            reset: false,
            deny: false,
        },
    });
    let refused = wait_for(&reports, |report| match report {
        Report::Replied(8, result) => Some(result),
        _ => None,
    });
    assert!(refused.unwrap_err().contains("no connection 99"));

    serving.finish(PATIENCE);
    drop(dir);
    wait_for(&reports, |report| {
        (report == Report::Left(name.clone())).then_some(())
    });
    links.send(Command {
        session: name,
        ticket: 6,
        call: Call::Halt,
    });
    let refused = wait_for(&reports, |report| match report {
        Report::Replied(6, result) => Some(result),
        _ => None,
    });
    assert!(refused.unwrap_err().contains("has ended"));
}

#[test]
fn a_second_start_shows_the_first_where_it_is_told_to() {
    let scratch = Scratch::new();
    let first = instance::start(&scratch.bases(), true).unwrap().unwrap();
    let (sender, shown) = channel();
    std::thread::spawn(move || first.serve(move || sender.send(()).unwrap()));
    assert!(instance::start(&scratch.bases(), false).unwrap().is_none());
    assert!(shown.try_recv().is_err());
    assert!(instance::start(&scratch.bases(), true).unwrap().is_none());
    shown.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn the_place_of_one_that_is_dying_is_waited_for() {
    let scratch = Scratch::new();
    let first = instance::start(&scratch.bases(), true).unwrap().unwrap();
    let bases = scratch.bases();
    let second = std::thread::spawn(move || instance::start(&bases, false).unwrap().is_some());
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(first);
    assert!(second.join().unwrap(), "it went away though nobody replied");
    let left = scratch.bases()[0].join("agent");
    assert!(left.exists(), "a socket that was left over is no hindrance");
    assert!(instance::start(&scratch.bases(), false).unwrap().is_some());
}
