//! Other libraries that stand in front of the C library's functions, before ours and after it.

use crate::column::{Case, Place, same};
use crate::harness::{Dir, Outcome, skipped};
use crate::nasty::{Counting, compile};
use crate::seen::{Blur, without_digits};
use std::path::Path;

const PAGE: &str = "page from the test's server";

/// What we refuse does not get as far as a library behind ours.
const REFUSED: Blur = Blur::lines(|line| {
    (line != "another connect")
        .then(|| without_digits(line))
        .flatten()
});

/// A library with a connect of its own, which says so and goes on to the next one.
fn other(dir: &Dir) -> String {
    compile(dir, "preloaded", &["-shared", "-fPIC"])
}

fn curl(it: &Place<'_>, preload: &str) -> Outcome {
    let words = ["curl", "-sS", &it.url()];
    it.command(&words).env("LD_PRELOAD", preload).output()
}

/// The caller's preload comes first or last; ours is put where the launcher puts it.
#[test]
fn another_library_that_the_caller_preloads() {
    let case = |it: &Place<'_>| curl(it, &other(&it.dir));
    same(case)
        .ok()
        .prints(PAGE)
        .prints("another connect")
        .prints("another socket");
    Case::default().blur(REFUSED).refused(case).failed();
}

/// A target that starts programs with another library before ours, or after it.
#[test]
fn another_library_before_ours_and_after_it() {
    for order in ["$own ${LD_PRELOAD}", "${LD_PRELOAD} $own"] {
        let case = |it: &Place<'_>| {
            let own = other(&it.dir);
            it.sh(&format!(
                "own={own}; LD_PRELOAD=\"{order}\" curl -sS {}",
                it.url()
            ))
        };
        same(case)
            .ok()
            .prints(PAGE)
            .prints("another connect")
            .prints("another socket");
        Case::default().blur(REFUSED).refused(case).failed();
    }
}

#[test]
fn jemalloc() {
    let library = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
    ]
    .map(|dir| format!("{dir}/libjemalloc.so.2"))
    .into_iter()
    .find(|file| Path::new(file).exists());
    let Some(library) = library else {
        skipped("libjemalloc2 is not installed (tests/run installs it)");
        return;
    };
    same(|it| curl(it, &library)).ok().prints(PAGE);
    let python = "import urllib.request as r, sys, threading, subprocess
def get(): print(r.urlopen(sys.argv[1]).read())
threads = [threading.Thread(target=get) for _ in range(8)]
for t in threads: t.start(); t.join()
print(subprocess.run(['curl', '-sS', sys.argv[1]], env={}).returncode)";
    let seen = same(|it| {
        let words = ["python3", "-c", python, &it.url()];
        it.command(&words).env("LD_PRELOAD", &library).output()
    });
    seen.ok().prints(PAGE).connects(9);
}

/// The address sanitizer looks up its functions by RTLD_NEXT and wants to be first; gcc's shared
/// one refuses any preload, bare or not.
#[test]
fn address_sanitizer() {
    let dir = Dir::new();
    let program = compile(&dir, "nasty", &["-fsanitize=address", "-static-libasan"]);
    let listener = Counting::new();
    let port = listener.port.to_string();
    for (mode, line) in [
        ("fork", "forks among threads: 0 wrong"),
        ("nonblocking", "open: connected"),
    ] {
        let words = [&program, mode, &port, &port];
        let run = |it: &Place<'_>| {
            it.command(&words)
                .env("ASAN_OPTIONS", "detect_leaks=0")
                .output()
        };
        same(run).ok().prints(line);
    }
}
