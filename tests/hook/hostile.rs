//! Sessions that are gone, silent, wrong or talk nonsense: refused, in time, never passed.

use crate::fixture::{Fixture, Run, kill, output, tcp};
use crate::session::{Session, Step, abstract_listener, allow, held, held_for_good, new_name};
use hallpass_wire::{REPLY_LEN, Reply};
use nix::sys::socket::{Backlog, listen};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

#[track_caller]
fn refused(session: &Session) -> Run {
    let (listener, port) = tcp();
    let run = Fixture::new("connect").arg(port).hooked(session);
    assert_eq!(
        run.lines(),
        ["connect: -1 ECONNREFUSED", "fds: 4 open, next 4"]
    );
    assert_not_reached(&listener);
    run
}

#[track_caller]
fn assert_not_reached(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn nobody_listens() {
    let mut session = Session::allowing();
    session.name = new_name(std::process::id());
    refused(&session);
    session.dir = Some("/nonexistent".into());
    refused(&session);
}

#[test]
fn somebody_else_listens() {
    let name = new_name(1);
    let session = Session::listen(name, abstract_listener(name), |_, _| allow());
    refused(&session);
    assert!(session.seen().is_empty(), "not even asked");
}

#[test]
fn nonsense() {
    let verdict = Reply::Verdict {
        allow: true,
        reason: 0,
        keep: None,
    }
    .encode()
    .to_vec();
    let with = |at: usize, byte: u8| {
        let mut bytes = verdict.clone();
        bytes[at] = byte;
        bytes
    };
    let noted = Reply::Noted.encode().to_vec();
    for bytes in [
        vec![0; REPLY_LEN],
        vec![0xff; 4096],
        with(0, b'H'),
        with(4, 1),
        with(6, 9),
        with(7, 2),
        with(9, 1),
        noted,
        verdict[..REPLY_LEN - 1].to_vec(),
        Vec::new(),
    ] {
        let script = bytes.clone();
        refused(&Session::new(move |_, _| vec![Step::Bytes(script.clone())]));
    }
}

#[test]
fn a_verdict_in_pieces_is_one_all_the_same() {
    let verdict = Reply::Verdict {
        allow: true,
        reason: 0,
        keep: None,
    }
    .encode();
    let (_listener, port) = tcp();
    let session = Session::new(move |_, _| {
        let piece = |bytes: &[u8]| {
            [
                Step::Bytes(bytes.to_vec()),
                Step::Pause(Duration::from_millis(50)),
            ]
        };
        verdict.chunks(5).flat_map(piece).collect()
    });
    let run = Fixture::new("connect").arg(port).hooked(&session);
    assert_eq!(run.lines()[0], "connect: 0 untouched");
}

#[test]
fn the_session_ends_while_it_holds() {
    let run = refused(&Session::new(|_, _| held(3, Vec::new())));
    assert!(run.took < Duration::from_secs(2));
}

#[test]
fn silence_from_the_first_moment() {
    let run = refused(&Session::new(|_, _| vec![Step::Silence]));
    assert!(run.took > Duration::from_secs(4) && run.took < Duration::from_secs(6));
}

#[test]
fn silence_after_keep_alives() {
    let silence = || held(12, vec![Step::Silence]);
    let run = refused(&Session::new(move |_, _| silence()));
    // The last keep-alive comes after one second.
    assert!(run.took > Duration::from_secs(5) && run.took < Duration::from_secs(7));
}

/// A session that is behind with accepting; nobody else may be let in before us, either.
fn behind(accept_after: Duration) -> (Session, Vec<UnixStream>) {
    let name = new_name(std::process::id());
    let listener = abstract_listener(name);
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    // A backlog of 0 has room for one.
    let waiting = vec![UnixStream::connect_addr(&address).unwrap()];
    let session = Session::listen_after(accept_after, name, listener, |_, _| allow());
    (session, waiting)
}

#[test]
fn a_full_backlog_is_waited_for() {
    let (_listener, port) = tcp();
    // Compiled before the session's clock starts.
    let fixture = Fixture::new("connect").arg(port);
    let began = Instant::now();
    let (session, waiting) = behind(Duration::from_millis(1500));
    drop(waiting);
    let run = fixture.hooked(&session);
    assert_eq!(run.lines()[0], "connect: 0 untouched");
    assert!(began.elapsed() > Duration::from_millis(1400));
}

#[test]
fn a_backlog_that_stays_full_is_silence() {
    let (session, _waiting) = behind(Duration::from_secs(60));
    let run = refused(&session);
    assert!(run.took > Duration::from_secs(4) && run.took < Duration::from_secs(6));
}

#[test]
fn keep_alives_hold_for_longer_than_silence_would() {
    let (_listener, port) = tcp();
    let run = Fixture::new("connect")
        .arg(port)
        .hooked(&Session::new(|_, _| held(70, allow())));
    assert_eq!(run.lines()[0], "connect: 0 untouched");
}

#[test]
fn a_stopped_program_is_not_refused_for_it() {
    let (_listener, port) = tcp();
    // Keep-alives end while the program is stopped, and come again later.
    let session = Session::new(|ask, _| {
        if ask.resumed {
            return allow();
        }
        let mut steps = held(10, vec![Step::Pause(Duration::from_secs(7))]);
        steps.extend(held(10, allow()));
        steps
    });
    let mut child = Fixture::new("connect")
        .arg(port)
        .hooked_command(&session)
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    kill("STOP", &child);
    std::thread::sleep(Duration::from_millis(6500));
    kill("CONT", &child);
    let start = Instant::now();
    let text = output(&mut child);
    assert_eq!(text.lines().next(), Some("connect: 0 untouched"));
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_stopped_program_wakes_to_an_answer() {
    let (_listener, port) = tcp();
    let session = Session::new(|_, _| held(12, allow()));
    let mut child = Fixture::new("connect")
        .arg(port)
        .hooked_command(&session)
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    kill("STOP", &child);
    // The session has answered and closed long ago.
    std::thread::sleep(Duration::from_millis(7000));
    kill("CONT", &child);
    assert_eq!(
        output(&mut child).lines().next(),
        Some("connect: 0 untouched")
    );
}

#[test]
fn a_killed_program_withdraws_its_ask() {
    let (_listener, port) = tcp();
    let session = Session::new(|_, _| held_for_good());
    let mut child = Fixture::new("connect")
        .arg(port)
        .hooked_command(&session)
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    kill("KILL", &child);
    child.wait().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(session.seen()[0].withdrawn);
}
