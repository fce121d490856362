//! What is refused looks like a refused connection, and nothing is sent.

use crate::fixture::{Fixture, HOOK, run, tcp, udp};
use crate::session::{Session, allow, deny};
use hallpass_wire::{Call, Refused, Request};
use std::io::ErrorKind;

#[test]
fn every_call() {
    let ((listener, port), (socket, _)) = (tcp(), udp());
    listener.set_nonblocking(true).unwrap();
    let run = Fixture::new("refused")
        .arg(port)
        .hooked(&Session::denying());
    assert_eq!(
        run.lines(),
        [
            "connect tcp: -1 ECONNREFUSED",
            "connect udp: -1 ECONNREFUSED",
            "connect mapped: -1 ECONNREFUSED",
            "connect non-blocking: -1 ECONNREFUSED",
            "sendto: -1 ECONNREFUSED",
            "sendto unspec: -1 ECONNREFUSED",
            "sendmsg: -1 ECONNREFUSED",
            "sendmmsg: -1 ECONNREFUSED",
            "msg_len: 99 untouched",
            "fast open: -1 ECONNREFUSED",
            "fast open sendmsg: -1 ECONNREFUSED",
            "socket still unconnected: -1 EDESTADDRREQ",
            "fds: 9 open, next 9",
        ]
    );
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(
        socket.recv(&mut [0]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
}

#[test]
fn a_refused_entry_in_the_middle_ends_sendmmsg_there() {
    let ((good, port), (other, refused)) = (udp(), udp());
    let session = Session::new(move |ask, _| if ask.port == refused { deny() } else { allow() });
    let run = Fixture::new("middle")
        .arg(port)
        .arg(refused)
        .hooked(&session);
    assert_eq!(
        run.lines(),
        [
            "five: 2 untouched",
            "1 1 99 99 99 ",
            "from the third: -1 ECONNREFUSED",
            "fds: 4 open, next 4",
        ]
    );
    let mut byte = [0];
    for expected in [b'0', b'1'] {
        good.recv(&mut byte).unwrap();
        assert_eq!(byte, [expected]);
    }
    assert_eq!(
        good.recv(&mut byte).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    assert_eq!(
        other.recv(&mut byte).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    let calls: Vec<_> = session
        .asks()
        .iter()
        .map(|ask| (ask.call, ask.port))
        .collect();
    let entry = |port| (Call::SendMmsg, port);
    assert_eq!(
        calls,
        [entry(port), entry(port), entry(refused), entry(refused)]
    );
}

#[test]
fn families_that_cannot_be_decided() {
    let (_listener, port) = tcp();
    let session = Session::allowing();
    let run = Fixture::new("families").arg(port).hooked(&session);
    let lines = run.lines();
    let (fds, calls) = lines.split_last().unwrap();
    assert!(calls.len() >= 4 && fds.starts_with("fds:"));
    for line in calls {
        assert!(line.ends_with(": -1 ECONNREFUSED"), "{line}");
    }
    // Each is named to the session, none is asked.
    let seen = session.seen();
    assert_eq!(seen.len(), calls.len());
    assert!(
        seen.iter()
            .all(|seen| matches!(seen.request, Request::Refused(_)))
    );
    let first = Refused {
        call: Call::Connect,
        socket_family: 2,
        address_family: 40,
    };
    assert_eq!(seen[0].request, Request::Refused(first));
}

#[test]
fn a_variable_that_is_none_refuses_everything() {
    let (listener, port) = tcp();
    listener.set_nonblocking(true).unwrap();
    let session = Session::allowing();
    let name = session.name.to_string();
    let fixture = Fixture::new("connect").arg(port);
    for variable in [
        String::new(),
        "garbage".into(),
        name.clone(),
        format!("{name};guard=off;"),
        format!("{name};guard=off;dir=relative"),
        format!("{name};guard=off;{}", "x".repeat(100_000)),
    ] {
        let run = run(fixture.hooked_command_with(&variable));
        assert_eq!(run.lines()[0], "connect: -1 ECONNREFUSED", "{variable:.50}");
    }
    let mut command = fixture.command();
    command.env("LD_PRELOAD", HOOK);
    assert_eq!(
        run(command).lines()[0],
        "connect: -1 ECONNREFUSED",
        "no variable"
    );
    assert!(session.seen().is_empty());
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}
