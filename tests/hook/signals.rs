//! Signals that arrive while a call is held: as if the kernel held it.

use crate::fixture::{Fixture, Run, kill, output, tcp};
use crate::session::{Session, allow, held, held_for_good};
use std::os::unix::process::CommandExt;
use std::thread::sleep;
use std::time::Duration;

/// Held for 0.8 s; the signal comes after 0.3.
fn eight_tenths() -> Session {
    Session::new(|ask, _| {
        if ask.resumed {
            held(5, allow())
        } else {
            held(8, allow())
        }
    })
}

fn signals(mode: &str, session: &Session) -> Run {
    let (_listener, port) = tcp();
    Fixture::new("signals").arg(mode).arg(port).hooked(session)
}

#[track_caller]
fn prints(run: &Run, lines: &[&str]) {
    assert_eq!(run.lines(), lines);
}

const FDS: &str = "fds: 4 open, next 4";

#[test]
fn a_handler_with_restart_runs_and_the_call_goes_on() {
    let session = eight_tenths();
    let run = signals("restart", &session);
    prints(&run, &["connect: 0 untouched", "handled: 1", FDS]);
    // Withdrawn for the handler, then asked again, and said so.
    let seen = session.seen();
    assert_eq!(
        seen.iter().map(|seen| seen.withdrawn).collect::<Vec<_>>(),
        [true, false]
    );
    let asks = session.asks();
    assert_eq!([asks[0].resumed, asks[1].resumed], [false, true]);
}

#[test]
fn a_handler_without_restart_ends_the_call() {
    let session = eight_tenths();
    let run = signals("interrupt", &session);
    prints(&run, &["connect: -1 EINTR", "handled: 1", FDS]);
    assert_eq!(session.asks().len(), 1);
}

#[test]
fn a_socket_with_a_send_timeout_is_not_restarted() {
    let run = signals("timeout", &eight_tenths());
    prints(&run, &["connect: -1 EINTR", "handled: 1", FDS]);
}

#[test]
fn a_jump_out_of_the_handler_leaves_nothing_behind() {
    let session = Session::new(|_, _| held_for_good());
    let run = signals("jump", &session);
    prints(&run, &["jumped", "masked: 0", "handled: 1", FDS]);
    assert!(run.took < Duration::from_secs(2));
}

#[test]
fn ignored_signals_change_nothing() {
    for (mode, first) in [
        ("ignored", "connect: 0 untouched"),
        ("child", "connect: 0 untouched"),
    ] {
        let session = eight_tenths();
        let run = signals(mode, &session);
        assert_eq!(run.lines()[0], first);
        assert_eq!(session.asks().len(), 1, "{mode}: asked once, not withdrawn");
    }
}

#[test]
fn a_blocked_signal_waits() {
    let session = eight_tenths();
    let run = signals("blocked", &session);
    let lines = [
        "connect: 0 untouched",
        "handled 0 before it is unblocked",
        "handled: 1",
        FDS,
    ];
    prints(&run, &lines);
    assert_eq!(session.asks().len(), 1);
}

#[test]
fn a_deadly_signal_kills_at_once() {
    let run = signals("deadly", &Session::new(|_, _| held_for_good()));
    prints(&run, &["killed by 14, soon: 1", "handled: 0", FDS]);
}

#[test]
fn a_stop_from_the_terminal_stops_at_once_and_the_call_goes_on_afterwards() {
    let (_listener, port) = tcp();
    let session = Session::new(|ask, _| {
        if ask.resumed {
            held(3, allow())
        } else {
            held_for_good()
        }
    });
    let mut command = Fixture::new("connect").arg(port).hooked_command(&session);
    // In a group of its own, or the kernel may take it for an orphan and not stop it.
    let mut child = command.process_group(0).spawn().unwrap();
    sleep(Duration::from_millis(400));
    kill("TSTP", &child);
    sleep(Duration::from_millis(200));
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    assert!(stat.contains(") T "), "{stat}");
    assert!(session.seen()[0].withdrawn);
    kill("CONT", &child);
    assert_eq!(
        output(&mut child).lines().next(),
        Some("connect: 0 untouched")
    );
    assert_eq!(session.asks().len(), 2);
}

#[test]
fn a_cancelled_thread_ends() {
    let session = Session::new(|_, _| held_for_good());
    let run = signals("cancel", &session);
    prints(&run, &["cancelled: 1", "handled: 0", FDS]);
    assert!(run.took < Duration::from_secs(2), "{:?}", run.took);
}

#[test]
fn a_thread_that_cannot_be_cancelled_goes_on() {
    let run = signals("uncancelled", &eight_tenths());
    prints(
        &run,
        &[
            "in the thread: 0 untouched",
            "cancelled: 0",
            "handled: 0",
            FDS,
        ],
    );
}

#[test]
fn setuid_in_another_thread_does_not_wait_for_the_call() {
    let run = signals("setuid", &eight_tenths());
    let lines = [
        "setuid: 0 untouched",
        "soon: 1",
        "in the thread: 0 untouched",
        "handled: 0",
        FDS,
    ];
    prints(&run, &lines);
}

#[test]
fn a_flood_of_signals_does_not_starve_the_call() {
    // A session that needs a moment for every reply, and holds nothing.
    let session = Session::new(|_, count| held(u32::from(count < 20), allow()));
    let run = signals("flood", &session);
    assert_eq!(run.lines()[0], "connect: 0 untouched");
}

#[test]
fn bare_programs_behave_like_that_as_well() {
    // What the modes expect of the kernel, as far as loopback can show it: no call is held.
    let (_listener, port) = tcp();
    for mode in ["restart", "blocked", "ignored"] {
        let run = Fixture::new("signals").arg(mode).arg(port).bare();
        assert_eq!(run.lines()[0], "connect: 0 untouched");
    }
}
