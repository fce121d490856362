//! What `hallpass run` itself ends with: 124 timeout, 125 ours, 126 and 127 as env(1), 111 for
//! `--fail-on-block`.

use crate::harness::{Dir, Http, TestCommand};
use std::time::Instant;

fn run(dir: &Dir, flags: &[&str], command: &[&str]) -> TestCommand {
    let mut all = vec!["--prompt", "none"];
    all.extend(flags);
    dir.run(&all, command)
}

#[test]
fn a_command_that_outlives_timeout_is_ended_with_124() {
    let dir = Dir::new();
    let start = Instant::now();
    run(
        &dir,
        &["--timeout", "1s"],
        &["sh", "-c", "sleep 600; sleep 600"],
    )
    .output()
    .code(124)
    .says("the time of --timeout is over");
    assert!(start.elapsed().as_secs() < 10);
    dir.expect_nothing_left();
}

#[test]
fn a_command_that_ends_before_timeout_keeps_its_status() {
    let dir = Dir::new();
    run(&dir, &["--timeout", "30s"], &["sh", "-c", "exit 9"])
        .output()
        .code(9);
}

#[test]
fn a_command_that_is_not_there_is_127() {
    let dir = Dir::new();
    let outcome = run(&dir, &[], &["no-such-command-anywhere"])
        .output()
        .code(127);
    assert!(
        outcome.stderr.contains("no-such-command-anywhere"),
        "{outcome}"
    );
    run(&dir, &[], &["/no/such/path"])
        .output()
        .code(127)
        .says("/no/such/path");
}

#[test]
fn a_command_that_cannot_be_executed_is_126() {
    let dir = Dir::new();
    let file = dir.write("home/data", "not a program");
    run(&dir, &[], &[file.to_str().unwrap()]).output().code(126);
    run(&dir, &[], &["/"]).output().code(126);
}

#[test]
fn no_command_is_125_and_says_how_to_give_one() {
    let dir = Dir::new();
    dir.hallpass(&["run"]).output().code(125).says("CMD");
    dir.hallpass(&["run", "--"]).output().code(125);
}

#[test]
fn an_unknown_flag_is_125_and_named() {
    let dir = Dir::new();
    dir.hallpass(&["run", "--alow", "10.0.0.7", "--", "true"])
        .output()
        .code(125)
        .says("--alow");
    dir.hallpass(&["no-such-subcommand"]).output().code(125);
}

#[test]
fn a_bad_value_is_125_and_names_flag_value_and_remedy() {
    let dir = Dir::new();
    let bad = |args: &[&str], flag: &str| {
        let outcome = run(&dir, args, &["touch", "ran"]).output().code(125);
        assert!(outcome.stderr.contains(flag), "{outcome}");
        assert!(
            !dir.path("home/ran").exists(),
            "ran all the same: {outcome}"
        );
    };
    bad(&["--default", "maybe"], "--default");
    bad(&["--ask-timeout", "soon"], "--ask-timeout");
    bad(&["--timeout=-3"], "--timeout");
    bad(&["--fail-on-block=300"], "--fail-on-block");
    bad(&["--prompt", "telepathy"], "--prompt");
    bad(&["--allow", "exa mple.com"], "exa mple.com");
    bad(&["--policy", "/no/such/file"], "/no/such/file");
}

#[test]
fn help_and_version_are_0_and_on_stdout() {
    let dir = Dir::new();
    dir.hallpass(&["--help"]).output().ok().prints("run");
    dir.hallpass(&["run", "--help"])
        .output()
        .ok()
        .prints("--allow");
    dir.hallpass(&["--version"])
        .output()
        .ok()
        .prints("hallpass");
}

#[test]
fn fail_on_block_gives_its_status_only_where_the_command_said_0() {
    let (dir, server) = (Dir::new(), Http::v4());
    let curl = format!("curl -sS {} || true", server.url());
    let deny = ["--default", "deny", "--fail-on-block"];
    run(&dir, &deny, &["sh", "-c", &curl]).output().code(111);
    run(
        &dir,
        &["--default", "deny", "--fail-on-block=9"],
        &["sh", "-c", &curl],
    )
    .output()
    .code(9);
    // Nothing refused: 0. The command's own failure: its own.
    run(&dir, &deny, &["true"]).output().code(0);
    run(&dir, &deny, &["curl", "-sS", &server.url()])
        .output()
        .code(7);
    assert_eq!(server.connections(), 0);
}

#[test]
fn fail_on_block_waits_for_what_runs_in_the_background() {
    let (dir, server) = (Dir::new(), Http::v4());
    let script = format!("(sleep 1; curl -s {}) >/dev/null 2>&1 &", server.url());
    run(
        &dir,
        &["--default", "deny", "--fail-on-block"],
        &["sh", "-c", &script],
    )
    .output()
    .code(111);
    assert_eq!(server.connections(), 0);
}

#[test]
fn the_end_says_one_line_of_totals_only_where_something_was_refused() {
    let (dir, server) = (Dir::new(), Http::v4());
    let allowed = run(
        &dir,
        &["--default", "allow"],
        &["curl", "-s", &server.url()],
    )
    .output()
    .ok();
    assert_eq!(allowed.stderr, "", "{allowed}");
    let refused = run(&dir, &["--default", "deny"], &["curl", "-s", &server.url()])
        .output()
        .code(7);
    let lines: Vec<&str> = refused.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{refused}");
    assert!(
        lines[0].starts_with("hallpass: ") && lines[0].contains('1'),
        "{refused}"
    );
}

#[test]
fn verbose_prints_each_decision_as_one_line() {
    let (dir, good, bad) = (Dir::new(), Http::v4(), Http::v4());
    let script = format!(
        "curl -s {} {}; curl -s {}",
        good.url(),
        good.url(),
        bad.url()
    );
    let outcome = run(
        &dir,
        &[
            "-v",
            "--default",
            "deny",
            "--allow",
            &good.address.to_string(),
        ],
        &["sh", "-c", &script],
    )
    .output()
    .code(7);
    let lines_with = |what: &str| {
        outcome
            .stderr
            .lines()
            .filter(|line| line.contains(what))
            .count()
    };
    assert!(lines_with(&good.address.to_string()) >= 1, "{outcome}");
    assert!(lines_with(&bad.address.to_string()) >= 1, "{outcome}");
}

/// Where nothing would work it is said before anything begins, and nothing is left.
#[test]
fn too_few_descriptors_and_no_proc_are_125_and_said() {
    let dir = Dir::new();
    let run = |guard: &str, before: &str| {
        let hallpass = env!("CARGO_BIN_EXE_hallpass");
        let script = format!("{before} && {hallpass} run {guard} --prompt=none -- echo ran");
        dir.bare(&["unshare", "-rm", "sh", "-c", &script]).output()
    };
    if !run("--guard=off", "true").status.success() {
        crate::harness::skipped("no mount namespace can be had here");
        return;
    }
    for guard in ["--guard=on", "--guard=off"] {
        let outcome = run(guard, "ulimit -n 31").code(125).says("ulimit -n 256");
        assert_eq!(outcome.stdout, "");
        run(guard, "ulimit -n 32").ok().prints("ran");
        let outcome = run(guard, "mount -t tmpfs none /proc").code(125);
        assert_eq!(outcome.says("no /proc here").stdout, "");
        dir.expect_nothing_left();
    }
}

/// A target takes the session's descriptors away: even then it clears up.
#[test]
fn a_session_without_descriptors_leaves_nothing_behind() {
    let dir = Dir::new();
    let starve = "prlimit --nofile=0 --pid ${HALLPASS%%-*}";
    let run = dir.run(&["--default", "allow"], &["sh", "-c", starve]);
    run.output().ok();
    dir.expect_nothing_left();
}
