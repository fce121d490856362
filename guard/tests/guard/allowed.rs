//! Allowed calls behave as the kernel's own.

use crate::support::{Decider, Tcp, Udp, dead_port, fixture, run, scratch, text};
use hallpass_guard::{Call, CallKind, Destination, Protocol, Refusal};
use std::process::Command;

/// Every line that `calls` says, bare and guarded, is the same.
fn same_as_bare(threads: bool) {
    let (tcp, udp, (dead, _dead)) = (Tcp::start(), Udp::start(), dead_port());
    let calls = || {
        let mut command = Command::new(fixture("calls"));
        command
            .args([tcp.port, udp.port, dead].map(|it| it.to_string()))
            .arg(scratch("calls"));
        if threads {
            command.arg("threads");
        }
        command
    };
    let bare = text(&calls().output().unwrap());
    let decider = Decider::allow();
    let guarded = text(&run(&mut calls(), &decider));
    assert!(bare.lines().count() > 150, "{bare}");
    assert_eq!(bare.lines().count(), guarded.lines().count(), "{guarded}");
    let mut differs = Vec::new();
    for (bare, guarded) in bare.lines().zip(guarded.lines()) {
        if bare == guarded {
            continue;
        }
        // 12 what was done: what it returned
        let what = bare.split_once(' ').and_then(|it| it.1.split_once(':'));
        let what = what.unwrap().0;
        if !crate::support::makes_sockets() || !differs_where_sockets_are_made(what) {
            assert_eq!(bare, guarded);
        }
        differs.push(what);
    }
    let refused = decider.refused.lock().unwrap();
    if crate::support::makes_sockets() {
        assert!(refused.iter().all(|it| *it == Refusal::NoCopy));
    } else {
        assert_eq!(*refused, []);
    }
    // Next to nothing where no thread could put another socket in its place.
    let expected = differs.iter().filter(|it| !it.starts_with("stream"));
    assert!(threads || expected.count() <= 7, "{differs:?}");
}

/// What is not as bare where the guard has no hold on a socket once it is connected.
fn differs_where_sockets_are_made(what: &str) -> bool {
    // TCP sockets that are connected a second time, elsewhere.
    let reconnected = ["disconnect", "connect after that"];
    // Connected sockets whose number another thread could give to a UDP socket meanwhile.
    let shared = [
        "tcp sendto name ignored",
        "tcp sendto fault name",
        "fastopen connect sendmsg",
        "one signal",
        "still one signal",
        "two signals",
        "signals",
        "unix sendmsg",
        "unix stream with name",
        "seqpacket sendmsg",
        "peer closed",
    ];
    // Messages of datagram sockets that were made in pairs, and descriptors sent on datagrams.
    let passed = [
        "rights",
        "read through",
        "bad rights",
        "peer closed quietly",
    ];
    let is_in = |list: &[&str]| list.contains(&what);
    // The path of a second connect is not looked at: EISCONN instead of ENOENT.
    let again = what == "unix missing";
    again || what.starts_with("stream") || is_in(&reconnected) || is_in(&shared) || is_in(&passed)
}

#[test]
fn every_call_returns_what_it_returns_bare() {
    same_as_bare(false);
}

#[test]
fn every_call_returns_what_it_returns_bare_with_a_second_thread() {
    same_as_bare(true);
}

#[test]
fn what_is_asked_is_what_is_done() {
    let (tcp, udp, (dead, _dead)) = (Tcp::start(), Udp::start(), dead_port());
    let directory = scratch("asked");
    let mut command = Command::new(fixture("calls"));
    command
        .args([tcp.port, udp.port, dead].map(|it| it.to_string()))
        .arg(&directory);
    let decider = Decider::allow();
    run(&mut command, &decider);
    let calls = decider.calls.lock().unwrap();
    let asked = |kind, protocol, port| {
        calls.iter().any(|call| {
            let ip = format!("127.0.0.1:{port}").parse().unwrap();
            let mapped = format!("[::ffff:127.0.0.1]:{port}").parse().unwrap();
            call.kind == kind
                && [ip, mapped]
                    .map(|it| Destination::Ip(protocol, it))
                    .contains(&call.destination)
        })
    };
    assert!(asked(CallKind::Connect, Protocol::Tcp, tcp.port));
    assert!(asked(CallKind::Connect, Protocol::Udp, udp.port));
    assert!(asked(CallKind::Connect, Protocol::Tcp, dead));
    assert!(asked(CallKind::SendTo, Protocol::Udp, udp.port));
    assert!(
        asked(CallKind::SendTo, Protocol::Tcp, tcp.port),
        "fast open"
    );
    assert!(asked(CallKind::SendMsg, Protocol::Udp, udp.port));
    assert!(!asked(CallKind::SendTo, Protocol::Tcp, dead) || calls.len() > 20);
    let path = directory.join("stream");
    let to_path = |call: &Call| match &call.destination {
        Destination::Path { path: it, .. } => it == path.as_os_str().as_encoded_bytes(),
        _ => false,
    };
    let by_path = calls.iter().filter(|call| to_path(call)).count();
    assert!(
        by_path >= 6,
        "relative, absolute, by link, by descriptor: {by_path}"
    );
}
