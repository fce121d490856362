//! Programs under valgrind, which counts their mistakes: ours would be taken for theirs.

use crate::column::{Place, refused, same};
use crate::harness::{Dir, Outcome, missing};
use crate::nasty::{Counting, compile};

/// Ends with 9 for any mistake.
fn checked(it: &Place<'_>, words: &[&str]) -> Outcome {
    let mut all = vec!["valgrind", "-q", "--error-exitcode=9"];
    all.extend(words);
    it.run(&all)
}

#[test]
fn valgrind_finds_no_mistake_in_a_program_that_has_none() {
    if missing("valgrind") {
        return;
    }
    let dir = Dir::new();
    let program = compile(&dir, "checked", &["-g"]);
    let listener = Counting::new();
    let port = listener.port.to_string();
    same(|it| checked(it, &[&program, &port]))
        .ok()
        .prints("connect: 0 untouched")
        .prints("sendmmsg: 2 untouched")
        .prints("started");
    refused(|it| checked(it, &[&program, &it.port.to_string()]))
        .ok()
        .prints("connect: -1 ECONNREFUSED");
}
