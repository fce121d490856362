//! The shell commands that answer, watch and halt a session from another terminal.

use crate::harness::{Control, Dir, Http, Running, eventually};
use serde_json::Value;

/// A run whose questions wait for `hallpass answer`.
fn asking(dir: &Dir, command: &[&str]) -> Running {
    dir.run(
        &[
            "--default",
            "ask",
            "--prompt",
            "none",
            "--ask-timeout",
            "60s",
        ],
        command,
    )
    .spawn()
}

/// The name of the one session.
fn session_name(dir: &Dir) -> String {
    let session = dir.session();
    session.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Waits until `hallpass pending` lists `count` questions; gives its output.
#[track_caller]
fn pending(dir: &Dir, text: &str) -> String {
    eventually(&format!("a pending question with {text:?}"), || {
        let outcome = dir.hallpass(&["pending"]).output().ok();
        outcome.stdout.contains(text).then_some(outcome.stdout)
    })
}

#[test]
fn pending_shows_program_command_line_address_and_port() {
    let (dir, server) = (Dir::new(), Http::v4());
    let running = asking(&dir, &["curl", "-4", "-sS", &server.url_as("localhost")]);
    let list = pending(&dir, &server.port().to_string());
    for text in ["curl", "-sS", "localhost", "127.0.0.1"] {
        assert!(list.contains(text), "no {text:?} in {list}");
    }
    dir.hallpass(&["answer", "deny"]).output().ok();
    let outcome = running.finish().code(7);
    let lines = outcome
        .stderr
        .matches("waits for an answer: see `hallpass pending`");
    assert_eq!(lines.count(), 1, "{outcome}");
}

#[test]
fn answer_allow_releases_the_call() {
    let (dir, server) = (Dir::new(), Http::v4());
    let running = asking(&dir, &["curl", "-sS", &server.url()]);
    pending(&dir, &server.port().to_string());
    assert_eq!(server.connections(), 0);
    dir.hallpass(&["answer", "allow"]).output().ok();
    running.finish().ok().prints("page from");
}

#[test]
fn the_client_in_the_documentation_lists_a_question_and_answers_it() {
    let (dir, server) = (Dir::new(), Http::v4());
    let client = include_str!("../../docs/examples/answer.py");
    let client = dir.script("answer.py", client);
    let running = asking(&dir, &["curl", "-sS", &server.url()]);
    let port = server.port();
    pending(&dir, &port.to_string());
    let name = format!("{}:1", session_name(&dir));
    let list = dir.bare(&["python3", &client]).output().ok();
    list.prints(&format!("{name} curl 127.0.0.1 {port}\n"));

    let answer = |question: &str| dir.bare(&["python3", &client, question, "allow"]).output();
    answer(&format!("{name}7")).code(1).says("question 17");
    assert_eq!(server.connections(), 0);
    answer(&name).ok().prints("1 settled");
    running.finish().ok().prints("page from");
    answer(&name).code(1).says("no such session runs");
}

#[test]
fn answer_deny_refuses_the_call() {
    let (dir, server) = (Dir::new(), Http::v4());
    let running = asking(&dir, &["curl", "-sS", &server.url()]);
    pending(&dir, &server.port().to_string());
    dir.hallpass(&["answer", "deny"]).output().ok();
    running.finish().code(7).says("connect");
    assert_eq!(server.connections(), 0);
}

#[test]
fn answer_without_an_id_needs_exactly_one_question() {
    let (dir, one, two) = (Dir::new(), Http::v4(), Http::v4());
    dir.hallpass(&["answer", "allow"]).output().code(125);
    let script = format!("curl -s {} & curl -s {}; wait", one.url(), two.url());
    let running = asking(&dir, &["sh", "-c", &script]);
    pending(&dir, &one.port().to_string());
    let list = pending(&dir, &two.port().to_string());
    let outcome = dir.hallpass(&["answer", "allow"]).output().code(125);
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    for server in [&one, &two] {
        assert!(said.contains(&server.port().to_string()), "{outcome}");
        assert_eq!(server.connections(), 0);
    }
    // The ids that pending lists are what answer takes.
    let session = session_name(&dir);
    for number in 1..=2 {
        let id = format!("{session}:{number}");
        assert!(list.contains(&id), "no {id} in {list}");
        dir.hallpass(&["answer", &id, "allow", "--scope", "port"])
            .output()
            .ok();
    }
    running.finish().ok();
    dir.hallpass(&["answer", "99999-00000000:1", "allow"])
        .output()
        .code(125);
}

#[test]
fn the_first_answer_wins_and_the_others_see_it_settled() {
    let (dir, server) = (Dir::new(), Http::v4());
    let script = format!("curl -sS {}; sleep 2", server.url());
    let running = asking(&dir, &["sh", "-c", &script]);
    let (mut one, mut two) = (Control::connect(&dir), Control::connect(&dir));
    one.subscribe();
    two.subscribe();
    let question = one.question();
    assert_eq!(two.question()["id"], question["id"]);
    one.answer(&question, "allow");
    let settled = two.wait_for("settled", |settled| settled["question"] == question["id"]);
    assert_eq!(settled["verdict"], "allow");
    assert_eq!(settled["source"]["by"], "suite", "{settled}");
    let late = two.answer(&question, "deny");
    assert!(late.get("error").is_some(), "{late}");
    running.finish().ok().prints("page from");
}

#[test]
fn equal_calls_are_one_question_and_one_answer() {
    let (dir, server) = (Dir::new(), Http::v4());
    let url = server.url();
    let script = format!("for i in 1 2 3 4 5; do curl -s {url} & done; wait");
    let running = asking(&dir, &["sh", "-c", &script]);
    let mut control = Control::connect(&dir);
    control.subscribe();
    let question = control.wait_for("question", |question| question["waiting"] == 5);
    let reply = control.answer(&question, "allow");
    assert_eq!(reply["done"]["settled"], 5, "{reply}");
    let outcome = running.finish().ok();
    assert_eq!(outcome.stdout.matches("page from").count(), 5);
    assert_eq!(server.connections(), 5);
}

#[test]
fn once_settles_what_waits_now_and_the_next_call_asks_again() {
    let (dir, server) = (Dir::new(), Http::v4());
    let script = format!("curl -s {0}; curl -s {0}; echo second $?", server.url());
    let running = asking(&dir, &["sh", "-c", &script]);
    pending(&dir, &server.port().to_string());
    dir.hallpass(&["answer", "allow", "--for", "once"])
        .output()
        .ok();
    running.expect_stdout("page from");
    pending(&dir, &server.port().to_string());
    dir.hallpass(&["answer", "deny", "--for", "once"])
        .output()
        .ok();
    running.finish().ok().prints("second 7");
    assert_eq!(server.connections(), 1);
}

#[test]
fn events_as_json_tell_what_was_asked_answered_and_decided() {
    let (dir, server) = (Dir::new(), Http::v4());
    let running = asking(&dir, &["curl", "-sS", &server.url()]);
    pending(&dir, &server.port().to_string());
    let events = dir
        .hallpass(&["events", "--json", &session_name(&dir)])
        .spawn();
    // Events are sent from the time of subscription; there is nothing to see that it has begun.
    std::thread::sleep(std::time::Duration::from_millis(500));
    dir.hallpass(&["answer", "allow"]).output().ok();
    running.finish().ok();
    let outcome = events.finish().ok();
    let lines: Vec<Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let decided = lines
        .iter()
        .find(|event| event["kind"] == "decided")
        .unwrap_or_else(|| panic!("no decision: {outcome}"));
    assert_eq!(decided["verdict"], "allow");
    assert_eq!(decided["port"], server.port());
    assert_eq!(decided["address"], "127.0.0.1");
    assert!(lines.iter().any(|event| event["kind"] == "answered"));
    let totals = lines.last().unwrap();
    assert_eq!(totals["kind"], "totals", "{outcome}");
    assert_eq!(totals["allowed"], 1);
    let seqs: Vec<u64> = lines
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
}

#[test]
fn the_log_has_the_events_and_is_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, server) = (Dir::new(), Http::v4());
    dir.run(&["--default", "allow"], &["curl", "-s", &server.url()])
        .output()
        .ok();
    dir.expect_nothing_left();
    let logs: Vec<_> = std::fs::read_dir(dir.path("state/hallpass"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect();
    assert_eq!(logs.len(), 1, "{logs:?}");
    let mode = std::fs::metadata(&logs[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&logs[0]).unwrap();
    let kinds: Vec<String> = text
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["kind"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(kinds.first().map(String::as_str), Some("started"), "{text}");
    assert_eq!(kinds.last().map(String::as_str), Some("totals"), "{text}");
    assert!(kinds.iter().any(|kind| kind == "decided"), "{text}");
}

#[test]
fn halt_holds_every_call_until_release() {
    let (dir, server) = (Dir::new(), Http::v4());
    let script = format!(
        "echo ready; while ! [ -e go ]; do sleep 0.05; done; curl -s {}",
        server.url()
    );
    let mut running = dir
        .run(&["--default", "allow"], &["sh", "-c", &script])
        .spawn();
    running.expect_stdout("ready");
    // By name: commands also see sessions without an XDG_RUNTIME_DIR, the developer's own.
    let session = session_name(&dir);
    dir.hallpass(&["halt", &session]).output().ok();
    dir.write("home/go", "");
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(running.is_running());
    assert_eq!(server.connections(), 0);
    let outcome = dir.hallpass(&["pending"]).output().ok();
    outcome.says(&format!("{session} is halted"));
    dir.hallpass(&["release", &session]).output().ok();
    running.finish().ok().prints("page from");
}

#[test]
fn events_wait_for_the_first_session_and_end_with_the_last() {
    let (dir, server) = (Dir::new(), Http::v4());
    let events = dir.hallpass(&["events"]).spawn();
    std::thread::sleep(std::time::Duration::from_millis(700));
    let flags = ["--default", "allow", "--prompt", "none"];
    let command = ["sh", "-c", "curl -sS $0; sleep 1", &server.url()];
    dir.run(&flags, &command).output().ok();
    let outcome = events.finish().ok();
    let outcome = outcome.says("nothing runs under hallpass yet");
    // The call was over before anybody could have found the session.
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    for (line, text) in lines.iter().zip(["start", "curl", "end", "total"]) {
        assert!(line.contains(text), "{lines:?}");
    }
}

#[test]
fn commands_for_a_session_that_is_not_there_say_so() {
    let dir = Dir::new();
    dir.hallpass(&["pending"]).output().ok();
    for command in ["halt", "release", "events", "flows"] {
        dir.hallpass(&[command, "99999-00000000"])
            .output()
            .code(125)
            .says("99999-00000000");
    }
}

#[test]
fn completions_and_manual_pages_are_of_this_command_line() {
    let dir = Dir::new();
    let bash = dir.hallpass(&["completions", "bash"]).output().ok();
    dir.write("home/hallpass.bash", &bash.stdout);
    let script = "source ./hallpass.bash
        complete_() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            _hallpass hallpass \"${!#}\" \"${@:$#-1:1}\"; echo \"${COMPREPLY[@]}\"; }
        complete_ hallpass ru; complete_ hallpass run --fail; complete_ hallpass run --prompt ''";
    let lines = dir.bare(&["bash", "-c", script]).output().ok();
    lines.prints("run rules\n--fail-on-block\nauto gui tty none\n");

    dir.hallpass(&["man", "share/man1"]).output().ok();
    let page = std::fs::read_to_string(dir.path("home/share/man1/hallpass-run.1")).unwrap();
    assert!(page.contains(r"\fB\-\-fail\-on\-block\fR"), "{page}");
    assert!(dir.path("home/share/man1/hallpass.1").exists());
    let outcome = dir.hallpass(&["man", "hallpass.bash/man1"]).output();
    outcome
        .code(125)
        .says("hallpass.bash/man1: cannot write to it");
}

#[test]
fn a_program_without_run_is_told_how_to_be_started() {
    let dir = Dir::new();
    let outcome = dir.hallpass(&["curl", "http://example.com/"]).output();
    outcome.code(125).says("hallpass run -- CMD");
}

#[test]
fn inside_a_session_the_commands_say_why_they_do_nothing() {
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    for guard in ["on", "off"] {
        let dir = Dir::new();
        let flags = ["--default=deny", &format!("--guard={guard}")];
        for command in ["pending", "flows", "halt", "events", "deny-rest"] {
            let outcome = dir.run(&flags, &[hallpass, command]).output().code(125);
            outcome.says("cannot control their own session; use another terminal");
        }
    }
}
