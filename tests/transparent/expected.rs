//! The differences that are known, each with its reason.

use crate::seen::Seen;

/// Case, column, why.
const EXPECTED: &[(&str, &str, &str)] = &[
    ("clients::dig_refused", "hooked", AT_CONNECT),
    ("clients::dig_refused", "guarded", AT_CONNECT),
];

const AT_CONNECT: &str = "a datagram to a closed port is refused when the answer is read, ours \
    already at connect (docs/threat-model.md, How a refused UDP socket looks)";

/// Compares a column with the bare run, the way the running test's name is listed.
#[track_caller]
pub(crate) fn check(column: &str, bare: &Seen, other: &Seen) {
    let thread = std::thread::current();
    let case = thread.name().unwrap_or_default();
    let listed = EXPECTED
        .iter()
        .find(|(name, which, _)| *name == case && *which == column);
    match listed {
        None => assert!(
            bare == other,
            "{column} is not as bare\n==== bare: {bare}\n==== {column}: {other}"
        ),
        Some((_, _, why)) => assert!(
            bare != other,
            "{case} is the same in column {column}: take it off the list of expected failures ({why})"
        ),
    }
}

#[test]
fn every_expected_failure_names_a_case() {
    let program = std::env::current_exe().unwrap();
    let list = std::process::Command::new(program)
        .args(["--list", "--format", "terse"])
        .output()
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains("expected::every_expected_failure_names_a_case: test"));
    for (case, _, _) in EXPECTED {
        let line = format!("{case}: test");
        assert!(
            list.lines().any(|it| it == line),
            "no case is called {case}"
        );
    }
}
