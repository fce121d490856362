//! Programs that are started stay hooked, and get what they would have got without a hook.

use crate::fixture::{Fixture, Run, accepting};
use crate::session::Session;

const WAYS: [&str; 17] = [
    "execve",
    "execv",
    "execvp",
    "execvpe",
    "fexecve",
    "execveat",
    "syscall",
    "execl",
    "execl2",
    "execlp",
    "execle",
    "execle2",
    "posix_spawn",
    "posix_spawnp",
    "vfork",
    "system",
    "popen",
];

const ENVIRONMENTS: [&str; 8] = [
    "kept", "empty", "null", "own", "preload", "twice", "cleared", "unset",
];

fn start(how: &str, environment: &str, port: u16) -> Fixture {
    let program = Fixture::new("started").program;
    let program = program.to_str().unwrap();
    Fixture::new("start")
        .arg(how)
        .arg(environment)
        .arg(program)
        .arg(port)
}

fn last(run: &Run) -> &str {
    run.lines().last().unwrap()
}

/// What a run ends with, where it starts at all.
fn expected<'a>(how: &str, environment: &str, started: &'a str) -> &'a str {
    match (how, environment) {
        // glibc takes a null environment for an empty one everywhere but here.
        ("fexecve", "null" | "cleared") => "fexecve: EINVAL",
        _ => started,
    }
}

#[test]
fn every_way_with_every_environment_stays_hooked() {
    let port = accepting();
    for how in WAYS {
        for environment in ENVIRONMENTS {
            let run = start(how, environment, port).hooked(&Session::denying());
            let expected = expected(how, environment, "connect: -1 ECONNREFUSED");
            assert_eq!(last(&run), expected, "{how}, {environment}");
        }
    }
}

#[test]
fn every_way_with_every_environment_is_otherwise_the_same() {
    let port = accepting();
    for how in WAYS {
        // Of two LD_PRELOADs the hook leaves one: loaders do not agree which counts.
        for environment in ENVIRONMENTS.into_iter().filter(|kind| *kind != "twice") {
            let run = start(how, environment, port).same();
            let expected = expected(how, environment, "connect: 0 untouched");
            assert_eq!(last(&run), expected, "{how}, {environment}");
        }
    }
}

#[test]
fn an_environment_larger_than_the_stack_is_used_for() {
    let port = accepting();
    for how in ["execve", "posix_spawn"] {
        let run = start(how, "large", port).hooked(&Session::denying());
        assert_eq!(last(&run), "connect: -1 ECONNREFUSED");
        start(how, "large", port).same();
    }
}

#[test]
fn memory_stays_flat() {
    let port = accepting();
    let run = start("many", "empty", port).hooked(&Session::allowing());
    assert_eq!(run.lines(), ["grown: 0 pages"]);
}

#[test]
fn arguments_arrive() {
    let port = accepting();
    for (how, expected) in [
        (
            "execl",
            format!("[{port}] [1] [2] [3] [4] [5] [6] [7] [8] [9] "),
        ),
        ("execl2", format!("[{port}] ")),
        ("execle", format!("[{port}] [1] [2] [3] [4] [5] ")),
        ("system", format!("[{port}] [it's] ")),
    ] {
        let run = start(how, "own", port).hooked(&Session::allowing());
        assert_eq!(run.lines()[..2], [&expected[..], "ANSWER=42"], "{how}");
    }
}

#[test]
fn raw_calls() {
    let port = accepting();
    let fixture = Fixture::new("raw").arg(port);
    let run = fixture.same();
    assert!(
        run.lines().contains(&"connect: 0 untouched"),
        "{}",
        run.stdout
    );
    let run = fixture.hooked(&Session::denying());
    for call in ["connect", "sendto", "sendmsg", "sendmmsg"] {
        let line = format!("{call}: -1 ECONNREFUSED");
        assert!(run.lines().contains(&&line[..]), "{}", run.stdout);
    }
}
