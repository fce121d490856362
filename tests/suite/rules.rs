//! Rules that change while programs run, answers that end when they said they would, and a rules
//! file that several write at once.

use crate::harness::{Control, Dir, Http, Running, eventually, missing};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Connects every 10 ms and prints when, and what came of it; ends when `stop` exists.
const LOOP: &str = r"
import os, socket, sys, time
port = int(sys.argv[1])
while not os.path.exists('stop'):
    t = time.time()
    s = socket.socket()
    try: s.connect(('127.0.0.1', port)); result = 'allowed'
    except ConnectionRefusedError: result = 'refused'
    s.close()
    print(f'{t:.6f} {result}', flush=True)
    time.sleep(0.01)
";

/// What each call of one looping process came to, and when it began.
fn calls(output: &str) -> Vec<(f64, bool)> {
    output
        .lines()
        .filter_map(|line| {
            let (time, result) = line.split_once(' ')?;
            Some((time.parse().ok()?, result == "allowed"))
        })
        .collect()
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

/// A change is in force on the first call that begins this long after its command has returned.
const IN_FORCE: f64 = 0.1;

#[test]
fn a_rule_added_or_removed_while_programs_run_is_in_force_on_the_next_call_of_each() {
    if missing("python3") {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let script = dir.script("loop.py", LOOP);
    let port = server.port().to_string();
    // Nobody to ask: what no rule covers is refused.
    let loops: Vec<Running> = (0..2)
        .map(|_| {
            dir.run(
                &["--default", "ask", "--prompt", "none"],
                &["python3", &script, &port],
            )
            .spawn()
        })
        .collect();
    for running in &loops {
        running.expect_stdout("refused");
    }

    let to = server.address.to_string();
    dir.hallpass(&["rules", "add", "allow", &to]).output().ok();
    let added = now();
    std::thread::sleep(Duration::from_millis(600));
    let before_removal = now();
    dir.hallpass(&["rules", "remove", &to]).output().ok();
    let removed = now();
    std::thread::sleep(Duration::from_millis(600));
    dir.write("home/stop", "");

    for running in loops {
        let outcome = running.finish().ok();
        let calls = calls(&outcome.stdout);
        let check = |from: f64, to: f64, allowed: bool| {
            let inside: Vec<_> = calls
                .iter()
                .filter(|(time, _)| (from..to).contains(time))
                .collect();
            assert!(inside.len() > 5, "too few calls: {outcome}");
            for (time, was) in inside {
                assert_eq!(*was, allowed, "{:.3} s after", time - from);
            }
        };
        check(added + IN_FORCE, before_removal, true);
        check(removed + IN_FORCE, f64::INFINITY, false);
    }
}

/// A run whose questions a scripted client answers.
fn asking(dir: &Dir, flags: &[&str], command: &[&str]) -> (Running, Control) {
    let mut all = vec!["--prompt", "none", "--ask-timeout", "60s"];
    all.extend(flags);
    let running = dir.run(&all, command).spawn();
    let mut control = Control::connect(dir);
    control.subscribe();
    (running, control)
}

fn answer(control: &mut Control, question: &Value, verdict: &str, duration: &str) -> Value {
    let reply = control.request(json!({
        "do": "answer", "question": question["id"], "verdict": verdict, "for": duration,
    }));
    assert!(reply.get("done").is_some(), "{reply}");
    reply
}

#[test]
fn an_answer_for_two_seconds_ends_after_two_seconds() {
    if missing("python3") {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let script = dir.script("loop.py", LOOP);
    let port = server.port().to_string();
    let (running, mut control) = asking(&dir, &[], &["python3", &script, &port]);
    let question = control.question();
    answer(&mut control, &question, "allow", "2s");
    let answered = Instant::now();
    let again = control.wait_for("question", |new| new["id"] != question["id"]);
    let took = answered.elapsed();
    assert!(
        (Duration::from_millis(1900)..Duration::from_millis(2500)).contains(&took),
        "asked again after {took:?}"
    );
    assert!(calls(&running.stdout()).iter().all(|(_, allowed)| *allowed));
    dir.write("home/stop", "");
    answer(&mut control, &again, "deny", "once");
    running.finish().ok();
}

#[test]
fn an_answer_for_this_run_holds_in_it_and_ends_with_it() {
    let (dir, server) = (Dir::new(), Http::v4());
    let script = format!("curl -s {0}; curl -s {0}; curl -s {0}", server.url());
    for _ in 0..2 {
        let (running, mut control) = asking(&dir, &[], &["sh", "-c", &script]);
        let question = control.question();
        answer(&mut control, &question, "allow", "run");
        let outcome = running.finish().ok();
        assert_eq!(outcome.stdout.matches("page from").count(), 3, "{outcome}");
        dir.expect_nothing_left();
    }
    assert!(!dir.rules_file().exists(), "saved although for this run");
}

#[test]
fn an_answer_for_good_is_honoured_by_the_next_run_for_the_same_program() {
    let (dir, server) = (Dir::new(), Http::v4());
    let url = server.url();
    let (running, mut control) = asking(&dir, &[], &["curl", "-s", &url]);
    let question = control.question();
    assert_eq!(question["may_save"], true);
    answer(&mut control, &question, "allow", "always");
    running.finish().ok();

    let saved: Value = serde_json::from_slice(&std::fs::read(dir.rules_file()).unwrap()).unwrap();
    assert_eq!(saved["rules"][0]["do"], "allow", "{saved}");
    let app = saved["rules"][0]["app"].as_str().unwrap_or_default();
    assert!(app.contains("/usr/bin/curl"), "{saved}");

    // The next run asks nobody for curl, and still asks for another program.
    dir.run(&["--prompt", "none"], &["curl", "-s", &url])
        .output()
        .ok()
        .prints("page from");
    dir.run(&["--prompt", "none"], &["wget", "-qO-", "-t1", &url])
        .output()
        .failed();
}

#[test]
fn an_answer_for_good_can_be_read_again_whatever_its_program_is_called() {
    for name in ["cafe\u{301}", "blank ", "a:b*\n\\"] {
        let (dir, server) = (Dir::new(), Http::v4());
        let curl = dir.path(name);
        std::fs::copy("/usr/bin/curl", &curl).unwrap();
        let command = [curl.to_str().unwrap(), "-s", &server.url()];
        let (running, mut control) = asking(&dir, &[], &command);
        let question = control.question();
        answer(&mut control, &question, "allow", "always");
        running.finish().ok();
        dir.run(&["--prompt", "none"], &command).output().ok();
    }
}

/// Nothing but the name that a program gives itself says who it is then.
#[test]
fn an_answer_for_good_is_none_for_a_program_that_nobody_sees() {
    if missing("python3") {
        return;
    }
    // Where its path is longer than any that the kernel tells.
    let deep = r#"
import os, shutil, sys
for _ in range(25):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
shutil.copy("/usr/bin/curl", "user:a*")
os.execv("./user:a*", ["curl", "-s", sys.argv[1]])
"#;
    let (dir, server) = (Dir::new(), Http::v4());
    let command = ["python3", "-c", deep, &server.url()];
    let (running, mut control) = asking(&dir, &[], &command);
    let question = control.question();
    let app = &question["app"]["exe"];
    assert_eq!(app, "user:a* (executable not visible)", "{question}");
    assert_eq!(question["may_save"], false, "{question}");
    let reply = control.request(json!({
        "do": "answer", "question": question["id"], "verdict": "allow", "for": "always",
    }));
    assert!(reply.to_string().contains("not visible"), "{reply}");
    answer(&mut control, &question, "allow", "run");
    running.finish().ok().prints("page from");
    assert!(!dir.rules_file().exists());
}

#[test]
fn a_refusal_for_good_is_honoured_by_the_next_run() {
    let (dir, server) = (Dir::new(), Http::v4());
    let url = server.url();
    let (running, mut control) = asking(&dir, &[], &["curl", "-s", &url]);
    let question = control.question();
    answer(&mut control, &question, "deny", "always");
    running.finish().code(7);
    dir.run(
        &["--default", "allow", "--prompt", "none"],
        &["curl", "-s", &url],
    )
    .output()
    .code(7);
    assert_eq!(server.connections(), 0);
}

#[test]
fn hermetic_runs_leave_saved_rules_out_unless_told_and_save_nothing() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (url, to) = (server.url(), server.address.to_string());
    dir.hallpass(&["rules", "add", "allow", &to]).output().ok();
    let curl = ["curl", "-s", &url];
    dir.run(&["--default", "deny"], &curl).output().code(7);
    assert_eq!(server.connections(), 0);
    dir.run(&["--default", "deny", "--user-rules"], &curl)
        .output()
        .ok();

    let (running, mut control) = asking(&dir, &["--default", "deny", "--ask", "@loopback"], &curl);
    let question = control.question();
    assert_eq!(question["may_save"], false);
    let reply = control.request(json!({
        "do": "answer", "question": question["id"], "verdict": "allow", "for": "always",
    }));
    assert!(reply.get("error").is_some(), "{reply}");
    answer(&mut control, &question, "allow", "once");
    running.finish().ok();
}

#[test]
fn two_sessions_and_a_shell_that_write_at_once_lose_no_rule() {
    if missing("python3") {
        return;
    }
    const EACH: u16 = 12;
    let dir = Dir::new();
    // Every port is a question of its own, answered for good, in two sessions at a time.
    let script = dir.script(
        "ports.py",
        r"
import socket, sys
for port in range(int(sys.argv[1]), int(sys.argv[1]) + int(sys.argv[2])):
    s = socket.socket()
    try: s.connect(('127.0.0.1', port))
    except OSError: pass
    s.close()
",
    );
    let sessions: Vec<_> = [21000_u16, 22000]
        .into_iter()
        .map(|from| {
            dir.run(
                &["--prompt", "none", "--ask-timeout", "60s"],
                &["python3", &script, &from.to_string(), &EACH.to_string()],
            )
            .spawn()
        })
        .collect();
    let paths = eventually("both sessions", || {
        let paths = dir.sessions();
        let ready = paths.len() == 2 && paths.iter().all(|path| path.join("control").exists());
        ready.then_some(paths)
    });
    std::thread::scope(|scope| {
        for path in &paths {
            scope.spawn(move || {
                let mut control = Control::raw(path);
                control.request(json!({"do": "hello", "version": 1, "client": "suite"}));
                control.subscribe();
                let mut answered = 0;
                for _ in 0..EACH {
                    let question = control.wait_for("question", |question| {
                        question["id"].as_u64() > Some(answered)
                    });
                    answered = question["id"].as_u64().unwrap();
                    control.request(json!({
                        "do": "answer", "question": answered, "verdict": "deny",
                        "for": "always", "scope": "port",
                    }));
                }
            });
        }
        scope.spawn(|| {
            for i in 0..EACH {
                dir.hallpass(&["rules", "add", "allow", &format!("10.9.8.{i}:443")])
                    .output()
                    .ok();
            }
        });
    });
    for session in sessions {
        session.finish().ok();
    }
    let saved: Value = serde_json::from_slice(&std::fs::read(dir.rules_file()).unwrap()).unwrap();
    let text = saved.to_string();
    for i in 0..EACH {
        for to in [
            format!("127.0.0.1:{}", 21000 + i),
            format!("127.0.0.1:{}", 22000 + i),
            format!("10.9.8.{i}:443"),
        ] {
            assert!(text.contains(&to), "{to} was lost: {text}");
        }
    }
}

#[test]
fn a_command_line_edit_is_told_to_running_sessions_only_of_this_user_directory() {
    // `rules add` where no session runs only writes the file.
    let dir = Dir::new();
    dir.hallpass(&["rules", "add", "allow", "example.com:443"])
        .output()
        .ok();
    dir.hallpass(&["rules", "list"])
        .output()
        .ok()
        .prints("example.com:443");
    dir.hallpass(&["rules", "remove", "example.com:443"])
        .output()
        .ok();
    let list = dir.hallpass(&["rules", "list"]).output().ok();
    assert!(!list.stdout.contains("example.com"), "{list}");
}

#[test]
fn the_layers_decide_answers_before_flags_before_policy_before_saved_rules() {
    let (dir, server) = (Dir::new(), Http::v4());
    let (url, to) = (server.url(), server.address.to_string());
    let curl = ["curl", "-s", &url];
    let policy = dir.write(
        "policy.json",
        json!({"version": 1, "rules": [{"do": "deny", "to": [to]}]}).to_string(),
    );
    let policy = policy.to_str().unwrap();
    dir.hallpass(&["rules", "add", "allow", &to]).output().ok();
    // The policy's refusal stands before the saved permission, even a less specific one.
    dir.run(&["--policy", policy, "--user-rules"], &curl)
        .output()
        .code(7);
    // The flag stands before both.
    dir.run(&["--policy", policy, "--allow", "@loopback"], &curl)
        .output()
        .ok();
    assert_eq!(server.connections(), 1);
}
