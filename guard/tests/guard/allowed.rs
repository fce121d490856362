//! Allowed calls behave as the kernel's own.

use crate::support::{Decider, Tcp, Udp, dead_port, fixture, run, scratch, text};
use hallpass_guard::{Call, CallKind, Destination, Protocol};
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
    for (bare, guarded) in bare.lines().zip(guarded.lines()) {
        assert_eq!(bare, guarded);
    }
    assert_eq!(bare, guarded);
    assert_eq!(*decider.refused.lock().unwrap(), []);
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
