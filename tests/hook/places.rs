//! Handlers, forks, small stacks, no descriptors: connect works from wherever it works bare.

use crate::fixture::{Fixture, HOOK, tcp};
use crate::session::{Session, abstract_listener, allow, held, new_name};
use std::os::unix::net::UnixListener;

/// Runs bare and hooked with the same output, which has `line`; held calls as well.
#[track_caller]
fn works(mode: &str, line: &str) {
    let (_listener, port) = tcp();
    let fixture = Fixture::new("places").arg(mode).arg(port);
    let run = fixture.same();
    assert!(run.lines().contains(&line), "{}", run.stdout);
    let held = fixture.hooked(&Session::new(|_, _| held(2, allow())));
    assert_eq!(
        held.stdout, run.stdout,
        "held (left) differs from not held (right)"
    );
}

#[test]
fn in_a_signal_handler() {
    works("handler", "in a handler: 0");
}

#[test]
fn in_a_forked_child() {
    works("fork", "child: 0 untouched");
}

#[test]
fn in_a_thread_of_a_program_that_forks_meanwhile() {
    let (_listener, port) = tcp();
    let fixture = Fixture::new("places").arg("held-fork").arg(port);
    let run = fixture.hooked(&Session::new(|_, asks| {
        if asks == 0 { held(5, allow()) } else { allow() }
    }));
    assert_eq!(run.stdout, fixture.bare().stdout);
    assert_eq!(run.lines()[0], "beyond the program's own: 0");
}

#[test]
fn in_a_vforked_child() {
    works("vfork", "vfork child: 0");
}

#[test]
fn in_a_thread_with_a_stack_of_16_kib() {
    works("thread", "thread: 0");
}

#[test]
fn in_many_threads_at_once() {
    works("threads", "threads: 0");
}

#[test]
fn after_every_descriptor_was_closed() {
    works("closefrom", "all closed: 0 untouched");
    works("bare-hands", "fd 0: 0, untouched 1, next 1");
}

#[test]
fn with_no_descriptor_left() {
    works("full", "full: 0, untouched 1, limit kept 1, still full 1");
}

#[test]
fn in_the_constructor_of_a_library() {
    works("library", "in a library's constructor: 0");
}

/// There is no environment yet to read the session's name from, so that one call is refused; the
/// ones after it are not.
#[test]
fn before_any_constructor_has_run() {
    let (_listener, port) = tcp();
    let session = Session::allowing();
    let hooked = Fixture::new("places")
        .arg("early")
        .arg(port)
        .hooked(&session);
    assert_eq!(
        hooked.lines()[..2],
        ["before constructors: 1", "later: 0 untouched"]
    );
    assert_eq!(session.asks().len(), 1);
}

#[test]
fn after_the_environment_was_written_over() {
    works("scribble", "no environment: 0 untouched");
}

#[test]
fn after_chroot_and_setuid() {
    works("chroot", "after chroot and setuid: 0 untouched");
}

/// Runs a fixture under unshare(1); None where this machine does not let us.
fn unshared(namespaces: &str, session: &Session, fixture: &Fixture) -> Option<String> {
    let unshare = |program: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--user", "--map-root-user", namespaces, "--fork", program]);
        command
    };
    if !unshare("true").status().unwrap().success() {
        eprintln!("skipped: unshare --user {namespaces} is not allowed here");
        return None;
    }
    let mut command = unshare(fixture.program.to_str().unwrap());
    command
        .args(&fixture.args)
        .env("HALLPASS", session.variable())
        .env("LD_PRELOAD", HOOK);
    Some(String::from_utf8(command.output().unwrap().stdout).unwrap())
}

#[test]
fn in_a_new_pid_namespace() {
    // There the session's pid is 0 to SO_PEERCRED.
    let (_listener, port) = tcp();
    let session = Session::allowing();
    let fixture = Fixture::new("connect").arg(port);
    if let Some(output) = unshared("--pid", &session, &fixture) {
        assert_eq!(output.lines().next(), Some("connect: 0 untouched"));
        assert_eq!(session.asks().len(), 1);
    }
}

#[test]
fn in_a_new_network_namespace() {
    // There abstract names are others; and there is nothing to connect to.
    let (_listener, port) = tcp();
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("ask")).unwrap();
    let mut session = Session::listen(new_name(std::process::id()), listener, |_, _| allow());
    session.dir = Some(dir.path().to_owned());
    let fixture = Fixture::new("connect").arg(port);
    if let Some(output) = unshared("--net", &session, &fixture) {
        assert_eq!(output.lines().next(), Some("connect: -1 ENETUNREACH"));
        assert_eq!(session.asks().len(), 1);
    }
}

#[test]
fn by_the_directory_where_the_abstract_name_is_not_reachable() {
    let (_listener, port) = tcp();
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("ask")).unwrap();
    let mut session = Session::listen(new_name(std::process::id()), listener, |_, _| allow());
    session.dir = Some(dir.path().to_owned());
    let hooked = Fixture::new("connect").arg(port).hooked(&session);
    assert_eq!(hooked.lines()[0], "connect: 0 untouched");
    assert_eq!(session.asks().len(), 1);
}

#[test]
fn the_abstract_name_comes_first() {
    let (_listener, port) = tcp();
    let name = new_name(std::process::id());
    let mut session = Session::listen(name, abstract_listener(name), |_, _| allow());
    session.dir = Some("/nonexistent".into());
    let hooked = Fixture::new("connect").arg(port).hooked(&session);
    assert_eq!(hooked.lines()[0], "connect: 0 untouched");
}
