//! The run-times of java, node and Go under the guard: each of them holds its connect, told by its
//! own library, by libuv, by a raw system call, until somebody answers.

use crate::clients::{JAVA, NODE};
use crate::harness::{Control, Dir, Http, PAGE, missing};
use crate::unhooked::go_program;
use std::time::Duration;

/// A virtual machine that compiles its program first, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Held, it has reached nobody; then it does as it was answered.
#[track_caller]
fn asked(dir: &Dir, words: &[&str], exe: &str) {
    let server = Http::v4();
    let url = server.url();
    let mut words = words.to_vec();
    words.push(&url);
    // Until somebody is there to be asked.
    let wait = "--ask-timeout=60s";
    let flags = ["--guard=on", "--default=ask", "--prompt=none", wait];
    for (verdict, code, reached) in [("deny", 7, 0), ("allow", 0, 1)] {
        let running = dir.run(&flags, &words).spawn();
        let mut control = Control::connect(dir);
        control.subscribe();
        let question = control.question();
        let named = question["app"]["exe"].as_str().unwrap_or_default();
        assert!(named.contains(exe), "{question}");
        assert_eq!(server.connections(), 0, "not held");
        control.answer(&question, verdict);
        let outcome = running.finish_within(PATIENCE).code(code);
        assert_eq!(outcome.stdout.contains(PAGE), reached == 1, "{outcome}");
        assert_eq!(server.connections(), reached);
        dir.expect_nothing_left();
    }
}

#[test]
fn node() {
    if !missing("node") {
        asked(&Dir::new(), &["node", "-e", NODE], "node");
    }
}

#[test]
fn java() {
    if missing("javac") {
        return;
    }
    let dir = Dir::new();
    let source = dir.write("home/Fetch.java", JAVA);
    let quick = "-XX:TieredStopAtLevel=1";
    asked(&dir, &["java", quick, source.to_str().unwrap()], "java");
}

#[test]
fn go() {
    if missing("go") {
        return;
    }
    let dir = Dir::new();
    let program = go_program(&dir);
    asked(&dir, &[&program], "/home/get");
}
