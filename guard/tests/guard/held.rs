//! Calls that wait for their verdict: others go on, signals come through, all of them end.

use crate::support::{Decider, Tcp, Udp, fixture, run, start, text, wait_until};
use hallpass_guard::{Verdict, Withdrawn};
use std::process::{Child, Command};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

fn held(way: &str, port: u16, count: u32) -> Command {
    let mut command = Command::new(fixture("held"));
    command.args([way, &port.to_string(), &count.to_string()]);
    command
}

/// Holds everything; what the program said, and why its calls were withdrawn. Allows what is
/// still held after a while, so that a failure ends.
fn interrupted(way: &str) -> (String, Vec<Withdrawn>) {
    let (tcp, decider) = (Tcp::start(), Decider::hold());
    run_held(&mut held(way, tcp.port, 1), &decider)
}

/// Starts it, and tells it when a call of its is held.
fn start_held(command: &mut Command, decider: &Arc<Decider>) -> Child {
    let (mut child, _) = start(command, decider);
    decider.wait_for_held(1);
    drop(child.stdin.take());
    child
}

fn run_held(command: &mut Command, decider: &Arc<Decider>) -> (String, Vec<Withdrawn>) {
    let child = start_held(command, decider);
    let (over, is_over) = mpsc::channel::<()>();
    let late = Arc::clone(decider);
    std::thread::spawn(move || {
        let mut patience = Duration::from_millis(3000);
        while is_over.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
            late.settle(Verdict::Allow);
            patience = Duration::from_millis(50);
        }
    });
    let said = text(&child.wait_with_output().unwrap());
    drop(over);
    let withdrawn = decider.withdrawn.lock().unwrap().clone();
    (said, withdrawn)
}

/// A thread of the guard that is held up by one call is replaced by one that sees to the others.
#[test]
fn a_signal_while_the_guard_is_held_up() {
    let (tcp, decider) = (Tcp::start(), Decider::hold());
    *decider.deafness.lock().unwrap() = Duration::from_millis(600);
    let program = fixture("held").display().to_string();
    let mut command = Command::new("sh");
    let script = "\"$0\" eintr $1 & sleep 0.15; \"$0\" eintr $1; wait";
    command.args(["-c", script, &program, &tcp.port.to_string()]);
    let (said, withdrawn) = run_held(&mut command, &decider);
    assert_eq!(said, ["-1 EINTR handled 1 on time"; 2].join("\n"));
    assert_eq!(withdrawn, [Withdrawn::Interrupted; 2]);
}

#[test]
fn a_signal_ends_a_held_connect() {
    let (said, withdrawn) = interrupted("eintr");
    assert_eq!(said, "-1 EINTR handled 1 on time");
    assert_eq!(withdrawn, [Withdrawn::Interrupted]);
}

#[test]
fn a_signal_with_restart_does_not() {
    let (tcp, decider) = (Tcp::start(), Decider::hold());
    let (child, _) = start(&mut held("restart", tcp.port, 1), &decider);
    decider.wait_for_held(2);
    decider.settle(Verdict::Allow);
    let said = text(&child.wait_with_output().unwrap());
    assert_eq!(said, "0  handled 1 on time");
    let resumed: Vec<bool> = decider
        .calls
        .lock()
        .unwrap()
        .iter()
        .map(|it| it.resumed)
        .collect();
    assert_eq!(resumed, [false, true]);
    assert_eq!(tcp.count(), 1);
}

#[test]
fn a_handler_may_jump_out() {
    assert_eq!(
        interrupted("jump"),
        ("out".to_owned(), vec![Withdrawn::Interrupted])
    );
}

#[test]
fn a_signal_ends_a_held_message() {
    assert_eq!(interrupted("send").0, "-1 EINTR handled 1");
}

#[test]
fn a_signal_for_a_held_thread() {
    assert_eq!(interrupted("thread").0, "EINTR handled 1");
}

#[test]
fn a_signal_that_another_thread_takes() {
    let (said, withdrawn) = interrupted("other");
    assert_eq!((said.as_str(), withdrawn), ("0 handled 1", vec![]));
}

#[test]
fn the_sockets_own_timeout() {
    let (said, withdrawn) = interrupted("timeout");
    assert_eq!(said, "-1 EINPROGRESS on time");
    assert_eq!(withdrawn, [Withdrawn::TimedOut]);
}

#[test]
fn a_quit() {
    assert_eq!(interrupted("quit").0, "quit");
}

#[test]
fn a_stopped_process_keeps_its_place() {
    let (tcp, decider) = (Tcp::start(), Decider::hold());
    let (said, withdrawn) = run_held(&mut held("stop", tcp.port, 1), &decider);
    assert_eq!(said, "stopped 0");
    assert_eq!(withdrawn, []);
    assert_eq!(decider.calls.lock().unwrap().len(), 1, "asked once");
    assert_eq!(tcp.count(), 1);
}

#[test]
fn a_verdict_that_comes_while_a_process_is_stopped_waits_for_it() {
    let (tcp, decider) = (Tcp::start(), Decider::hold());
    let child = start_held(&mut held("stop", tcp.port, 1), &decider);
    let caller = decider.calls.lock().unwrap()[0].caller;
    let status = || std::fs::read_to_string(format!("/proc/{}/status", caller.tid));
    wait_until(|| status().is_ok_and(|it| it.contains("State:\tT")));
    decider.settle(Verdict::Deny);
    assert_eq!(text(&child.wait_with_output().unwrap()), "stopped 111");
    assert_eq!(decider.calls.lock().unwrap().len(), 1, "asked once");
    assert_eq!(tcp.count(), 0);
}

#[test]
fn a_process_that_is_killed_while_it_is_stopped_is_withdrawn() {
    let (tcp, decider) = (Tcp::start(), Decider::hold());
    let child = start_held(&mut held("stop-kill", tcp.port, 1), &decider);
    assert_eq!(text(&child.wait_with_output().unwrap()), "stopped killed");
    wait_until(|| *decider.withdrawn.lock().unwrap() == [Withdrawn::Gone]);
}

#[test]
fn many_are_held_at_once_and_others_go_on() {
    const COUNT: u32 = 800;
    let (tcp, other) = (Tcp::start(), Udp::start());
    let port = other.port;
    let decider = Decider::new(move |call| match call.destination {
        hallpass_guard::Destination::Ip(_, it) if it.port() == port => Some(Verdict::Allow),
        _ => None,
    });
    let before = memory();
    let (child, _) = start(&mut held("many", tcp.port, COUNT), &decider);
    decider.wait_for_held(COUNT as usize);
    let grown = memory().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB for {COUNT} calls");
    assert_eq!(tcp.count(), 0);
    // Somebody else's calls take no longer than ever.
    let begun = Instant::now();
    let mut quick = Command::new(fixture("devious"));
    quick.args(["sendto", "2000", &port.to_string(), &port.to_string()]);
    assert_eq!(text(&run(&mut quick, &decider)), "2000");
    assert!(begun.elapsed() < Duration::from_secs(5));
    decider.settle(Verdict::Allow);
    let said = text(&child.wait_with_output().unwrap());
    assert_eq!(said, format!("asked\n{COUNT}"));
    wait_until(|| tcp.count() == COUNT as usize);
}

#[test]
fn a_killed_caller_is_withdrawn() {
    let (tcp, decider) = (Tcp::start(), Decider::hold());
    let (mut child, _) = start(&mut held("many", tcp.port, 20), &decider);
    decider.wait_for_held(20);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until(|| decider.withdrawn.lock().unwrap().len() == 20);
    assert!(
        decider
            .withdrawn
            .lock()
            .unwrap()
            .iter()
            .all(|it| *it == Withdrawn::Gone)
    );
    decider.settle(Verdict::Allow);
    assert_eq!(tcp.count(), 0);
}

/// KiB of this process.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with("VmRSS")).unwrap();
    line.split_ascii_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}
