//! The long tier (`tests/run --full`): many calls, many sessions, many accidents. Each prints its
//! figures.

use crate::harness::{Control, Dir, Http, missing};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// Connects COUNT times in each of THREADS threads; prints how many were allowed and refused.
const CONNECTS: &str = r"
import socket, sys, threading, collections
port, threads, count = map(int, sys.argv[1:])
seen = collections.Counter()
lock = threading.Lock()
def connects():
    mine = collections.Counter()
    for _ in range(count):
        s = socket.socket()
        try: s.connect(('127.0.0.1', port)); mine['allowed'] += 1
        except ConnectionRefusedError: mine['refused'] += 1
        s.close()
    with lock: seen.update(mine)
threading.stack_size(256 * 1024)
all = [threading.Thread(target=connects) for _ in range(threads)]
for t in all: t.start()
for t in all: t.join()
print('allowed', seen['allowed'], 'refused', seen['refused'])
";

#[test]
#[ignore = "long: tests/run --full"]
fn full_ten_thousand_calls_are_each_decided() {
    if missing("python3") {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let script = dir.script("connects.py", CONNECTS);
    let port = server.port().to_string();
    let start = Instant::now();
    dir.run(
        &["--default", "deny", "--allow", "@loopback"],
        &["python3", &script, &port, "8", "1250"],
    )
    .spawn()
    .finish_within(Duration::from_secs(120))
    .ok()
    .prints("allowed 10000 refused 0");
    println!("10,000 calls by 8 threads in {:?}", start.elapsed());
    assert_eq!(server.connections(), 10_000);
    let start = Instant::now();
    dir.run(
        &["--default", "deny"],
        &["python3", &script, &port, "8", "1250"],
    )
    .spawn()
    .finish_within(Duration::from_secs(120))
    .ok()
    .prints("allowed 0 refused 10000")
    .says("10000 refused");
    println!("10,000 refusals in {:?}", start.elapsed());
    assert_eq!(server.connections(), 10_000);
}

#[test]
#[ignore = "long: tests/run --full"]
fn full_a_thousand_held_calls_are_one_question_and_one_answer() {
    if missing("python3") {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let script = dir.script("connects.py", CONNECTS);
    let port = server.port().to_string();
    let running = dir
        .run(
            &[
                "--default",
                "ask",
                "--prompt",
                "none",
                "--ask-timeout",
                "100s",
            ],
            &["python3", &script, &port, "1000", "1"],
        )
        .spawn();
    let mut control = Control::connect(&dir);
    control.subscribe();
    let question = control.wait_for("question", |question| question["waiting"] == 1000);
    let start = Instant::now();
    control.answer(&question, "allow");
    running
        .finish_within(Duration::from_secs(60))
        .ok()
        .prints("allowed 1000 refused 0");
    println!("1,000 held calls released in {:?}", start.elapsed());
    assert_eq!(server.connections(), 1000);
}

#[test]
#[ignore = "long: tests/run --full"]
fn full_forty_sessions_at_once_each_decide_their_own() {
    let (dir, good, bad) = (Dir::new(), Http::v4(), Http::v4());
    let script = format!("curl -s {}; curl -s {}; echo $?", good.url(), bad.url());
    let all: Vec<_> = (0..40)
        .map(|_| {
            dir.run(
                &["--default", "deny", "--allow", &good.address.to_string()],
                &["sh", "-c", &script],
            )
            .spawn()
        })
        .collect();
    for running in all {
        running
            .finish_within(Duration::from_secs(60))
            .ok()
            .prints("page from")
            .prints("7\n");
    }
    assert_eq!(good.connections(), 40);
    assert_eq!(bad.connections(), 0);
    dir.expect_nothing_left();
}

#[test]
#[ignore = "long: tests/run --full"]
fn full_a_session_killed_at_any_moment_lets_nothing_through() {
    if missing("python3") {
        return;
    }
    let (dir, server) = (Dir::new(), Http::v4());
    let script = dir.script("connects.py", CONNECTS);
    let port = server.port().to_string();
    for round in 0..40_u64 {
        let running = dir
            .run(
                &["--default", "deny"],
                &["python3", &script, &port, "4", "300"],
            )
            .spawn();
        let session = dir.session_pid();
        std::thread::sleep(Duration::from_millis(round * 7 % 150));
        // It may be done already.
        let _ = kill(Pid::from_raw(session), Signal::SIGKILL);
        let outcome = running.finish_within(Duration::from_secs(60));
        // Killed before CMD was started: then it never was, and that is 125.
        let never_started = outcome.stdout.is_empty() && outcome.status.code() == Some(125);
        assert!(
            never_started || outcome.stdout.contains("allowed 0"),
            "{outcome}"
        );
        assert_eq!(server.connections(), 0, "round {round}");
        // Where the front had nothing to do with it any more, the next command cleans up.
        dir.run(&["--default", "deny"], &["true"]).output().ok();
        dir.expect_nothing_left();
    }
}

#[test]
#[ignore = "long: tests/run --full"]
fn full_starting_and_ending_a_hundred_times_leaves_nothing() {
    let dir = Dir::new();
    let start = Instant::now();
    for _ in 0..100 {
        dir.run(&["--default", "allow"], &["true"]).output().ok();
    }
    println!("100 runs of true in {:?}", start.elapsed());
    dir.expect_nothing_left();
}
