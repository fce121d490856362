//! What is closed leaves honest programs what they need: debuggers and tracers work on what the
//! session started, and fail honestly on what was there before.

use crate::harness::{Dir, Outcome, missing};
use std::process::{Command, Stdio};

/// Runs a shell script under the guard.
fn guarded(dir: &Dir, script: &str) -> Outcome {
    let flags = ["--guard=on", "--prompt=none", "--default=allow"];
    dir.run(&flags, &["sh", "-c", script]).output()
}

#[test]
fn gdb_debugs_a_child() {
    if missing("gdb") || missing("cc") {
        return;
    }
    let dir = Dir::new();
    let source = dir.write(
        "home/sum.c",
        "#include <stdio.h>\nint sum;\nint main(void) {\n    sum = 41;\n    sum++;\n    printf(\"%d\\n\", sum);\n    return 0;\n}\n",
    );
    let source = source.to_str().unwrap();
    dir.bare(&["cc", "-g", "-o", "sum", source]).output().ok();
    guarded(
        &dir,
        "gdb -nx -batch -ex 'break 5' -ex run -ex 'set var sum = 6' -ex continue ./sum",
    )
    .ok()
    .prints("Breakpoint 1, main")
    .prints("7\n");
}

#[test]
fn gdb_attaches_to_another_process_of_the_session() {
    if missing("gdb") {
        return;
    }
    guarded(
        &Dir::new(),
        "sleep 30 & gdb -nx -batch -p $! -ex 'info threads'; kill $!",
    )
    .ok()
    .prints("nanosleep");
}

#[test]
fn strace_shows_calls_that_the_guard_makes() {
    if missing("strace") || missing("python3") {
        return;
    }
    let connect = "import socket; socket.socket().connect_ex(('127.0.0.1', 9))";
    guarded(
        &Dir::new(),
        &format!("strace -f -e trace=connect python3 -c \"{connect}\""),
    )
    .ok()
    .says("ECONNREFUSED");
}

#[test]
fn strace_of_an_older_process_is_told_that_it_may_not() {
    if missing("strace") {
        return;
    }
    let mut older = Command::new("sleep")
        .arg("60")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let outcome = guarded(
        &Dir::new(),
        &format!("strace -p {0}; kill -0 {0}", older.id()),
    );
    older.kill().unwrap();
    older.wait().unwrap();
    // It may still be signalled: job control and `kill` are nobody's way out.
    outcome.ok().says("Operation not permitted");
}
