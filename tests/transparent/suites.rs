//! Programs' own test suites: each test ends as it does bare, whatever that is; as root and as a
//! user without privileges, where root runs them. Long, and some of hundreds of megabytes:
//! `tests/run --full` installs them and runs these.

use crate::column::{COLUMNS, Place, each_column};
use crate::harness::TestCommand;
use crate::harness::{Dir, skipped};
use std::collections::BTreeMap;
use std::time::Duration;

/// On a loaded machine; a minute or less on one that has nothing else to do.
const LIMIT: Duration = Duration::from_secs(280);

/// How each test ended, by its id, and what went wrong.
struct Ended {
    tests: BTreeMap<String, String>,
    said: String,
}

/// Who runs them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Whoever runs this.
    Myself,
    /// A user without privileges, in root's place.
    Nobody,
}

impl Who {
    fn command(self, it: &Place<'_>, words: &[&str]) -> TestCommand {
        match self {
            Self::Myself => it.command(words),
            Self::Nobody => it.unprivileged(words),
        }
    }
}

/// Runs tests in every column.
fn run(who: Who, names: &[&str]) -> Vec<(&'static str, Ended)> {
    each_column(|it| {
        let script = it.dir.script("suites.py", include_str!("suites.py"));
        let mut words = vec!["/usr/bin/python3", script.as_str()];
        words.extend(names);
        let outcome = who.command(it, &words).spawn().finish_within(LIMIT);
        // Whatever failed, all of them have run.
        let outcome = outcome.ok().prints("\nran ");
        let tests = outcome.stdout.lines().filter_map(|line| {
            let (id, ended) = line.strip_prefix("= ")?.rsplit_once(' ')?;
            Some((id.to_owned(), ended.to_owned()))
        });
        Ended {
            tests: tests.collect(),
            said: outcome.stderr,
        }
    })
}

/// The tests that did not end in each column as they did in the first, and what was said.
fn differing(columns: &[(&'static str, Ended)]) -> (Vec<String>, String) {
    let (_, bare) = &columns[0];
    let (mut ids, mut report) = (Vec::new(), String::new());
    for (name, column) in &columns[1..] {
        let before = report.len();
        for id in bare.tests.keys().chain(column.tests.keys()) {
            let (was, is) = (bare.tests.get(id), column.tests.get(id));
            if was != is && !ids.contains(id) {
                report += &format!("{id}: bare {was:?}, {name} {is:?}\n");
                ids.push(id.clone());
            }
        }
        if report.len() > before {
            report += &column.said;
        }
    }
    (ids, report)
}

/// At least `least` of `names` are ok bare, and all end alike in each column. What does not is run
/// once more by itself, bare as well: the tests' own time limits are not made for a loaded machine.
#[track_caller]
fn same(who: Who, module: &str, names: &[&str], least: usize) {
    if who == Who::Nobody && !nix::unistd::geteuid().is_root() {
        skipped("whoever runs this has no privileges already");
        return;
    }
    let dir = Dir::new();
    let import = format!("import {module}");
    let found = dir.bare(&["/usr/bin/python3", "-c", &import]).output();
    if !found.status.success() {
        skipped(&format!("no {module}"));
        return;
    }
    let columns = run(who, names);
    assert_eq!(columns.len(), COLUMNS);
    let (_, bare) = &columns[0];
    let ok = bare.tests.values().filter(|it| *it == "ok").count();
    assert!(ok >= least, "{ok} tests are ok bare\n{}", bare.said);
    let (ids, report) = differing(&columns);
    if ids.is_empty() {
        return;
    }
    eprintln!("run again:\n{report}");
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (ids, report) = differing(&run(who, &ids));
    assert!(ids.is_empty(), "not as bare:\n{report}");
}

fn socket(who: Who) {
    same(who, "test.test_socket", &["test.test_socket"], 500);
}

fn asyncio(who: Who) {
    same(who, "test.test_asyncio", &["test.test_asyncio"], 2000);
}

fn urllib(who: Who) {
    let module = "test.test_urllib2_localnet";
    same(who, module, &[module], 20);
}

/// A web server and client with a suite of their own, which comes with them.
fn tornado(who: Who) {
    same(who, "tornado.test", &["tornado.test.runtests.all"], 500);
}

#[test]
#[ignore = "long: tests/run --full"]
fn cpython_socket() {
    socket(Who::Myself);
}

#[test]
#[ignore = "long: tests/run --full"]
fn cpython_socket_without_privileges() {
    socket(Who::Nobody);
}

#[test]
#[ignore = "long: tests/run --full"]
fn cpython_asyncio() {
    asyncio(Who::Myself);
}

#[test]
#[ignore = "long: tests/run --full"]
fn cpython_asyncio_without_privileges() {
    asyncio(Who::Nobody);
}

#[test]
#[ignore = "long: tests/run --full"]
fn cpython_urllib() {
    urllib(Who::Myself);
}

#[test]
#[ignore = "long: tests/run --full"]
fn cpython_urllib_without_privileges() {
    urllib(Who::Nobody);
}

#[test]
#[ignore = "long: tests/run --full"]
fn tornados_own() {
    tornado(Who::Myself);
}

#[test]
#[ignore = "long: tests/run --full"]
fn tornados_own_without_privileges() {
    tornado(Who::Nobody);
}
