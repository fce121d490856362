//! A guard that is killed is never a pass.

use crate::support::{Decider, Tcp, fixture, start, wait_until};
use hallpass_guard::Refusal;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitPidFlag;
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Not a test: a process with a guard of its own, to be killed. It says its program's output.
#[test]
#[ignore = "started by the tests below"]
fn supervise() {
    let Ok(plan) = std::env::var("GUARD_PLAN") else {
        return;
    };
    let words: Vec<&str> = plan.split(' ').collect();
    let decider = if words[0] == "hold" {
        Decider::hold()
    } else {
        Decider::allow()
    };
    let mut command = Command::new(words[1]);
    command.args(&words[2..]);
    let (mut child, _) = start(&mut command, &decider);
    let mut said = child.stdout.take().unwrap();
    println!("\nstarted");
    std::io::copy(&mut said, &mut std::io::stdout()).unwrap();
    child.wait().unwrap();
}

/// Runs `way` of the fixture `held` under a guard that is killed after a while; what it said then.
fn killed(verdict: &str, way: &str, port: u16, after: Duration) -> String {
    // The program's own output, which outlives its guard.
    let output = crate::support::scratch("killed").join("output");
    let script = format!(
        "{} {way} {port} 20 > {}",
        fixture("held").display(),
        output.display()
    );
    let file = crate::support::scratch("killed").join("script");
    std::fs::write(&file, script).unwrap();
    let mut guard = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::supervise", "--ignored", "--nocapture"])
        .env("GUARD_PLAN", format!("{verdict} sh {}", file.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(guard.stdout.take().unwrap()).lines();
    let started = lines.map_while(Result::ok).any(|line| line == "started");
    assert!(started);
    std::thread::sleep(after);
    guard.kill().unwrap();
    guard.wait().unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let said = std::fs::read_to_string(&output).unwrap_or_default();
        let lines = if way == "many" { 2 } else { 1 };
        if said.lines().count() >= lines {
            return said.trim_end().to_owned();
        }
        assert!(
            std::time::Instant::now() < deadline,
            "it never ended: {said:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn calls_fail_when_the_guard_has_been_killed() {
    let tcp = Tcp::start();
    for after in [10, 50, 123, 200] {
        let said = killed("allow", "loop", tcp.port, Duration::from_millis(after));
        assert_eq!(said, "ENOSYS");
    }
    assert!(tcp.count() > 0);
}

#[test]
fn held_calls_fail_when_the_guard_has_been_killed() {
    let tcp = Tcp::start();
    let said = killed("hold", "many", tcp.port, Duration::from_millis(300));
    assert_eq!(said, "asked\n0");
    assert_eq!(tcp.count(), 0);
}

/// Tells the guard that it does not know the caller; what the guard makes of it.
fn unknown(before: impl Fn(i32) + Send + Sync + 'static) -> Vec<Refusal> {
    let tcp = Tcp::start();
    let decider = Decider::new(move |call| {
        before(call.caller.pid as i32);
        None
    });
    decider.knows_nobody.store(true, Ordering::Relaxed);
    let mut command = Command::new(fixture("held"));
    command.args(["restart", &tcp.port.to_string()]);
    let (mut child, _) = start(&mut command, &decider);
    child.wait().unwrap();
    wait_until(|| Arc::strong_count(&decider) == 1);
    assert_eq!(tcp.count(), 0);
    let refused = decider.refused.lock().unwrap();
    refused.clone()
}

#[test]
fn a_killed_threads_call_is_not_told_of_as_refused() {
    assert_eq!(unknown(|_| ()), [Refusal::Stranger]);
    let kill = |pid| {
        let pid = Pid::from_raw(pid);
        nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
        // Until it is a zombie.
        let id = nix::sys::wait::Id::Pid(pid);
        let _ = nix::sys::wait::waitid(id, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
    };
    assert_eq!(unknown(kill), []);
}

/// The guard lives as long as the last process of its program, and leaves nothing behind.
#[test]
fn a_guard_ends_with_its_last_process() {
    let decider = Decider::allow();
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 0.5 & exit 0"]);
    let (mut child, _) = start(&mut command, &decider);
    child.wait().unwrap();
    assert!(Arc::strong_count(&decider) > 1, "the sleeper is guarded");
    wait_until(|| Arc::strong_count(&decider) == 1);
}
