//! Programs that take a seccomp filter of their own, which kills or traps at what they never call
//! themselves.

use crate::column::same;
use crate::harness::Dir;
use crate::nasty::{Counting, compile};

/// The mode prints `line`, in each column.
#[track_caller]
fn is_same(mode: &str, line: &str) {
    let dir = Dir::new();
    let program = compile(&dir, "filtered", &[]);
    let port = Counting::new().port.to_string();
    same(|it| it.run(&[&program, mode, &port]))
        .ok()
        .prints(line);
}

#[test]
fn a_program_that_may_send_by_sendmsg_alone() {
    is_same("messages", "sendmmsg: 2 untouched");
}

#[test]
fn the_same_with_a_filter_by_seccomp() {
    is_same("messages-seccomp", "sendmmsg: 2 untouched");
}

#[test]
fn a_program_that_may_not_send_vectors() {
    is_same("messages-whole", "sendmmsg: 2 untouched");
}

#[test]
fn a_program_that_was_started_under_a_filter() {
    is_same("inherits", "sendmmsg: 2 untouched");
}

#[test]
fn a_program_that_may_start_others_but_not_look_at_files() {
    is_same("starts", "started");
}

/// Without a guard the hook asks: what its calls meet is the program's handler.
#[test]
fn a_program_that_answers_its_own_filter() {
    is_same("answers", "open: -1 EACCES");
}
