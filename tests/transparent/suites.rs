//! Programs' own test suites: each test ends as it does bare, whatever that is. Long, and some of
//! hundreds of megabytes: `tests/run --full` installs them and runs these.

use crate::column::{COLUMNS, each_column};
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

/// Runs tests in every column.
fn run(names: &[&str]) -> Vec<(&'static str, Ended)> {
    each_column(|it| {
        let script = it.dir.script("suites.py", include_str!("suites.py"));
        let mut words = vec!["/usr/bin/python3", script.as_str()];
        words.extend(names);
        let outcome = it.command(&words).spawn().finish_within(LIMIT);
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
fn same(module: &str, names: &[&str], least: usize) {
    let dir = Dir::new();
    let import = format!("import {module}");
    let found = dir.bare(&["/usr/bin/python3", "-c", &import]).output();
    if !found.status.success() {
        skipped(&format!("no {module}"));
        return;
    }
    let columns = run(names);
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
    let (ids, report) = differing(&run(&ids));
    assert!(ids.is_empty(), "not as bare:\n{report}");
}

#[test]
#[ignore = "long: tests/run --full"]
fn cpython_socket() {
    same("test.test_socket", &["test.test_socket"], 500);
}

#[test]
#[ignore = "long: tests/run --full"]
fn cpython_asyncio() {
    same("test.test_asyncio", &["test.test_asyncio"], 2000);
}

#[test]
#[ignore = "long: tests/run --full"]
fn cpython_urllib() {
    same(
        "test.test_urllib2_localnet",
        &["test.test_urllib2_localnet"],
        20,
    );
}

/// A web server and client with a suite of their own, which comes with them.
#[test]
#[ignore = "long: tests/run --full"]
fn tornado() {
    same("tornado.test", &["tornado.test.runtests.all"], 500);
}
