//! A held call outlives nothing that should have decided it: whatever happens to the session, it
//! is refused in time, and never passed.

use crate::harness::{Control, Dir, Http, Running};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// A curl whose call is held; the shell around it says how it ended.
struct Held {
    dir: Dir,
    server: Http,
    running: Running,
    control: Control,
    question: serde_json::Value,
}

/// DESIGN §2: five seconds of silence refuse in the hook; one more for a busy machine.
const REFUSED_WITHIN: Duration = Duration::from_secs(6);

fn held() -> Held {
    held_then("true")
}

/// The same; the shell ends with `last`.
fn held_then(last: &str) -> Held {
    held_with(&[], last)
}

fn held_with(flags: &[&str], last: &str) -> Held {
    let (dir, server) = (Dir::new(), Http::v4());
    let script = format!("curl -sS {}; echo curl ended with $?; {last}", server.url());
    let mut all = flags.to_vec();
    all.extend(["--default=ask", "--prompt=none", "--ask-timeout=60s"]);
    let running = dir.run(&all, &["sh", "-c", &script]).spawn();
    let mut control = Control::connect(&dir);
    control.subscribe();
    let question = control.question();
    Held {
        dir,
        server,
        running,
        control,
        question,
    }
}

impl Held {
    fn curl(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.question["pid"].as_i64().unwrap()).unwrap())
    }
}

#[test]
fn a_call_held_by_a_session_that_is_killed_is_refused() {
    for guard in ["--guard=on", "--guard=off"] {
        let held = held_with(&[guard], "true");
        let start = Instant::now();
        kill(Pid::from_raw(held.dir.session_pid()), Signal::SIGKILL).unwrap();
        held.running.expect_stdout("curl ended with 7");
        assert!(start.elapsed() < REFUSED_WITHIN, "{:?}", start.elapsed());
        assert_eq!(held.server.connections(), 0);
    }
}

#[test]
fn calls_made_after_the_session_was_killed_are_refused() {
    for guard in ["--guard=on", "--guard=off"] {
        let (dir, server) = (Dir::new(), Http::v4());
        let script = format!(
            "echo ready; read line; curl -s {}; echo curl ended with $?",
            server.url()
        );
        let script = format!("{{ sleep 1; echo; }} | {{ {script}; }}");
        // Everything is allowed, so only the session's death can refuse it.
        let flags = [guard, "--default", "allow"];
        let running = dir.run(&flags, &["sh", "-c", &script]).spawn();
        running.expect_stdout("ready");
        kill(Pid::from_raw(dir.session_pid()), Signal::SIGKILL).unwrap();
        running.expect_stdout("curl ended with 7");
        assert_eq!(server.connections(), 0);
    }
}

#[test]
fn a_call_held_by_a_session_that_is_stopped_is_refused_by_the_hook() {
    let held = held_with(&["--guard=off"], "true");
    let session = Pid::from_raw(held.dir.session_pid());
    let start = Instant::now();
    kill(session, Signal::SIGSTOP).unwrap();
    held.running.expect_stdout("curl ended with 7");
    let took = start.elapsed();
    kill(session, Signal::SIGCONT).unwrap();
    assert!(took < REFUSED_WITHIN, "{took:?}");
    assert_eq!(held.server.connections(), 0);
    held.running.finish().ok();
    held.dir.expect_nothing_left();
}

#[test]
fn a_session_that_stumbles_for_two_seconds_refuses_nothing() {
    let mut held = held();
    let session = Pid::from_raw(held.dir.session_pid());
    kill(session, Signal::SIGSTOP).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    kill(session, Signal::SIGCONT).unwrap();
    held.control.answer(&held.question, "allow");
    held.running.finish().ok().prints("curl ended with 0");
    assert_eq!(held.server.connections(), 1);
}

#[test]
fn a_target_that_was_stopped_and_continued_is_not_refused_for_it() {
    let mut held = held();
    kill(held.curl(), Signal::SIGSTOP).unwrap();
    std::thread::sleep(Duration::from_secs(7));
    kill(held.curl(), Signal::SIGCONT).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    held.control.answer(&held.question, "allow");
    held.running.finish().ok().prints("curl ended with 0");
    assert_eq!(held.server.connections(), 1);
}

#[test]
fn a_call_answered_while_its_target_was_stopped_goes_on_when_that_does() {
    let mut held = held();
    kill(held.curl(), Signal::SIGSTOP).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    held.control.answer(&held.question, "allow");
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(held.server.connections(), 0);
    kill(held.curl(), Signal::SIGCONT).unwrap();
    held.running.finish().ok().prints("curl ended with 0");
    assert_eq!(held.server.connections(), 1);
}

#[test]
fn a_question_leaves_when_its_caller_dies() {
    let mut held = held_then("sleep 3");
    kill(held.curl(), Signal::SIGKILL).unwrap();
    let id = held.question["id"].clone();
    let settled = held
        .control
        .wait_for("settled", |settled| settled["question"] == id);
    assert_eq!(settled["verdict"], serde_json::Value::Null, "{settled}");
    held.running.finish().ok().prints("curl ended with 137");
    assert_eq!(held.server.connections(), 0);
}

#[test]
fn a_held_call_that_a_signal_ends_reaches_nobody() {
    let held = held();
    kill(held.curl(), Signal::SIGTERM).unwrap();
    held.running.finish().ok().prints("curl ended with 143");
    assert_eq!(held.server.connections(), 0);
    held.dir.expect_nothing_left();
}
