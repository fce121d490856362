//! docs/control.md is the protocol: its example works, and its messages are what is spoken.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy.toml allows these in tests; helpers of tests it does not recognise"
)]

use hallpass_policy::{Environment, Policy, Protocol, Subject};
use hallpass_session::control::protocol::{Message, Request, Scope};
use hallpass_session::control::server::ControlServer;
use hallpass_session::core::{Asked, Config, Core};
use hallpass_session::event::{FlowLine, Kind};
use hallpass_session::flow::{App, Flow, Name};
use hallpass_session::verdict::{Fallback, Source, Verdict};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

const DOC: &str = include_str!("../../docs/control.md");

/// The code blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let parts = DOC.split("\n```").map(str::to_owned).collect::<Vec<_>>();
    let wanted = parts
        .iter()
        .filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n'));
    wanted.map(str::to_owned).collect()
}

/// JSON objects of the page: whole lines in blocks, and what stands in backticks in tables.
fn objects() -> Vec<String> {
    let lines = blocks("json").join("\n");
    let mut all: Vec<String> = lines.lines().map(str::to_owned).collect();
    all.extend(
        DOC.split('`')
            .filter(|code| code.starts_with("{\""))
            .map(str::to_owned),
    );
    all.into_iter()
        .filter(|line| line.starts_with('{'))
        .collect()
}

#[test]
fn every_object_on_the_page_is_spoken_exactly_so() {
    let (mut requests, mut messages) = (Vec::new(), Vec::new());
    for line in objects() {
        let written: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if written.get("id").is_some() {
            let request: Request =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let spoken = serde_json::to_value(&request).unwrap();
            assert_eq!(spoken, written, "the page leaves out or invents a field");
            requests.push(written["do"].as_str().unwrap().to_owned());
        } else {
            let message: Message =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let spoken = serde_json::to_value(&message).unwrap();
            assert_eq!(spoken, written, "the page leaves out or invents a field");
            messages.push(written.as_object().unwrap().keys().next().unwrap().clone());
        }
    }
    for request in [
        "hello",
        "subscribe",
        "pending",
        "checksum",
        "answer",
        "answer-to",
        "dismiss",
        "touch",
        "rules-changed",
        "halt",
        "deny-rest",
        "release",
        "flows",
        "end",
    ] {
        assert!(
            requests.iter().any(|known| known == request),
            "no {request} on the page"
        );
    }
    for message in [
        "hello", "done", "pending", "checksum", "flows", "error", "question", "settled", "event",
    ] {
        assert!(
            messages.iter().any(|known| known == message),
            "no {message} on the page"
        );
    }
}

/// "The flow" on the page.
const FLOW: [&str; 6] = ["pid", "app", "proto", "address", "port", "names"];

#[test]
fn every_kind_of_event_and_every_reason_is_on_the_page() {
    let kinds = [
        Kind::Started {
            command: Vec::new(),
        },
        Kind::Coverage {
            text: String::new(),
        },
        Kind::Ended { status: 0 },
        Kind::Disconnected {
            flow: FlowLine::of(&flow("10.0.0.1", "a.test")),
            by: String::new(),
            reset: false,
            rule: None,
        },
        Kind::Totals {
            allowed: 0,
            denied: 0,
        },
        Kind::Refused {
            pid: 1,
            app: String::new(),
            package: None,
            step: None,
            what: String::new(),
            source: Source::Default,
        },
        Kind::Answered {
            question: 1,
            verdict: None,
            by: String::new(),
            rule: None,
            settled: 0,
        },
    ];
    for kind in kinds {
        let value = serde_json::to_value(&kind).unwrap();
        let name = value["kind"].as_str().unwrap();
        let row = DOC
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("no row for {name}"));
        for field in value
            .as_object()
            .unwrap()
            .keys()
            .filter(|field| *field != "kind" && !FLOW.contains(&field.as_str()))
        {
            assert!(
                row.contains(&format!("`{field}`")),
                "{name} has a field {field}"
            );
        }
    }
    let reasons = [
        Fallback::NobodyToAsk,
        Fallback::Timeout,
        Fallback::Dismissed,
        Fallback::TooManyWaiting,
        Fallback::BadFrame,
        Fallback::NotOurs,
        Fallback::UnknownFamily,
        Fallback::SessionEnding,
        Fallback::RunTimeout,
    ];
    for reason in reasons {
        let name = serde_json::to_value(reason).unwrap();
        assert!(
            DOC.contains(&format!("`{}`", name.as_str().unwrap())),
            "{name} is not on the page"
        );
    }
    for scope in [
        Scope::Port,
        Scope::Host,
        Scope::Subnet,
        Scope::Domain,
        Scope::Any,
    ] {
        assert!(DOC.contains(&format!("`{scope}`")));
    }
}

fn flow(address: &str, name: &str) -> Flow {
    let subject = Subject {
        exe: "/usr/bin/curl".to_owned(),
        name: "curl".to_owned(),
        ..Subject::default()
    };
    let app = App {
        subject,
        argv: vec!["curl".to_owned()],
        cwd: "/".to_owned(),
        step: None,
        uid: 0,
    };
    Flow {
        pid: 4712,
        app: Arc::new(app),
        protocol: Protocol::Tcp,
        address: address.parse().unwrap(),
        scope_id: 0,
        port: 80,
        names: vec![Name::claimed(name.to_owned())],
        runs: Arc::default(),
    }
}

struct Scratch(PathBuf);

impl Scratch {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn python() -> Option<Command> {
    let mut command = Command::new("python3");
    command
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .ok()?;
    Some(Command::new("python3"))
}

/// A session with nothing but an engine, and its control socket.
fn session(path: &Path) -> (Core, hallpass_session::control::server::Serving) {
    let core = Core::new(Config {
        session: "4711-0badcafe".to_owned(),
        command: vec!["curl".to_owned()],
        policy: Policy::new(),
        environment: Environment::default(),
        saved: None,
        ask_timeout: None,
        audit: false,
        client_expected_within: Some(Duration::from_secs(60)),
        hold: hallpass_session::hold::Hold::Block,
        sinks: Vec::new(),
        page: None,
    });
    // No process has this id, so the example does not descend from it.
    let serving = ControlServer::bind(path, 4_194_305)
        .unwrap()
        .serve(core.clone())
        .unwrap();
    (core, serving)
}

#[test]
fn the_example_answers_questions() {
    let Some(mut python) = python() else {
        println!("skipped: there is no python3");
        return;
    };
    let scratch =
        Scratch(std::env::temp_dir().join(format!("hallpass-doc-{}", std::process::id())));
    std::fs::create_dir(&scratch.0).unwrap();
    let example = blocks("python");
    assert_eq!(example.len(), 1);
    assert!(
        example[0].lines().count() <= 20,
        "the page says how little it takes"
    );
    std::fs::write(scratch.path("client.py"), &example[0]).unwrap();
    let (core, serving) = session(&scratch.path("control"));

    // One question waits before the client comes, one comes while it is there.
    let (verdicts, settled) = channel();
    let reply = |address: &'static str| {
        let verdicts = verdicts.clone();
        move |verdict: Verdict, _: &_| verdicts.send((address, verdict)).unwrap()
    };
    assert!(matches!(
        core.ask(flow("127.0.0.1", "here.test"), reply("127.0.0.1")),
        Asked::Held(_)
    ));
    let mut client = python
        .args([scratch.path("client.py"), scratch.path("control")])
        .stdout(Stdio::piped())
        .env("PYTHONUNBUFFERED", "1")
        .spawn()
        .unwrap();
    let (said, output) = channel();
    let stdout = BufReader::new(client.stdout.take().unwrap());
    std::thread::spawn(move || stdout.lines().try_for_each(|line| said.send(line.unwrap())));
    let wait = Duration::from_secs(20);
    assert_eq!(
        output.recv_timeout(wait).unwrap(),
        "curl 127.0.0.1 80 allow"
    );
    assert_eq!(
        settled.recv_timeout(wait).unwrap(),
        ("127.0.0.1", Verdict::Allow)
    );
    let asked = core.ask(flow("10.0.0.7", "there.test"), reply("10.0.0.7"));
    assert!(matches!(asked, Asked::Held(_)), "{asked:?}");
    assert_eq!(output.recv_timeout(wait).unwrap(), "curl 10.0.0.7 80 deny");
    assert_eq!(
        settled.recv_timeout(wait).unwrap(),
        ("10.0.0.7", Verdict::Deny)
    );

    serving.finish(Duration::from_secs(5));
    assert!(
        client.wait().unwrap().success(),
        "the end of the session is the end of the client"
    );
}
