//! `hallpass doctor`: what it finds is what `hallpass run` meets.

use crate::guarded::outer;
use crate::harness::{Dir, Outcome, makes_sockets};
use serde_json::Value;

/// What it found, by its name, of the JSON that it printed.
fn found(outcome: &Outcome, check: &str) -> Value {
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let of = checks.iter().find(|it| it["check"] == check);
    of.unwrap_or_else(|| panic!("no {check}: {outcome}"))
        .clone()
}

#[test]
fn where_everything_is_there_run_works() {
    let dir = Dir::new();
    let outcome = dir.hallpass(&["doctor"]).output().ok();
    let outcome = outcome.prints("`hallpass run -- CMD` works here\n");
    assert!(outcome.stdout.lines().count() <= 20, "{outcome}");
    dir.run(&["--default=deny"], &["true"]).output().ok();
    let json = dir.hallpass(&["doctor", "--json"]).output().ok();
    assert_eq!(json.stdout.lines().count(), 1);
    for check in ["kernel", "runtime", "hook", "rules", "logs"] {
        assert_eq!(found(&json, check)["state"], "ok", "{check}");
    }
    let sockets = if makes_sockets() { "note" } else { "ok" };
    assert_eq!(found(&json, "sockets")["state"], sockets);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["works"], true);
    dir.expect_nothing_left();
}

#[test]
fn where_no_log_can_be_kept_a_run_goes_on_without_and_both_say_so() {
    let dir = Dir::new();
    let file = dir.write("no-directory", "");
    let run = |words: &[&str]| dir.hallpass(words).env("XDG_STATE_HOME", &file).output();
    let logs = found(&run(&["doctor", "--json"]).ok(), "logs");
    assert_eq!(logs["state"], "note");
    assert!(
        logs["instead"].to_string().contains("XDG_STATE_HOME"),
        "{logs}"
    );
    let outcome = run(&["run", "--default=allow", "--report=text", "--", "true"]).ok();
    outcome.says("the session goes on without a log");
}

#[test]
fn without_a_display_or_terminal_it_says_that_nobody_can_be_asked() {
    let dir = Dir::new();
    let outcome = dir.hallpass(&["doctor", "--json"]).output().ok();
    assert_eq!(found(&outcome, "window")["state"], "note");
    assert_eq!(found(&outcome, "terminal")["state"], "note");
    let instead = found(&outcome, "questions")["instead"].to_string();
    assert!(instead.contains("--ask-timeout"), "{instead}");
}

#[test]
fn where_the_kernel_refuses_the_guard_it_says_so_and_ends_with_1() {
    let dir = Dir::new();
    let program = outer(&dir);
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    for (way, why) in [
        ("taken", "a second seccomp listener"),
        ("refused", "Operation not permitted"),
        ("sockets", "--cap-add SYS_PTRACE"),
    ] {
        let run = |last: &[&str]| {
            let words = [&[program.as_str(), way, hallpass], last].concat();
            dir.bare(&words).output()
        };
        let outcome = run(&["doctor"]).code(1).prints(why).prints("--guard=off");
        assert!(outcome.stdout.contains("MISSING  guard"), "{outcome}");
        let json = run(&["doctor", "--json"]).code(1);
        assert_eq!(found(&json, "guard")["state"], "missing");
        run(&["run", "--default=deny", "--", "true"])
            .code(125)
            .says(why);
    }
}

#[test]
fn inside_a_session_run_works_and_joins_it() {
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    for guard in ["on", "off"] {
        let dir = Dir::new();
        let run = |command: &[&str]| {
            let flags = ["--default=deny", &format!("--guard={guard}")];
            dir.run(&flags, command).output().ok()
        };
        let json = run(&[hallpass, "doctor", "--json"]);
        assert_eq!(found(&json, "session")["state"], "ok", "{json}");
        let state = if guard == "on" { "ok" } else { "note" };
        assert_eq!(found(&json, "guard")["state"], state, "{json}");
        run(&[hallpass, "run", "--deny=@lan", "--", "true"]);
    }
    let dir = Dir::new();
    let stale = dir.hallpass(&["doctor"]);
    let stale = stale.env("HALLPASS", "nonsense").output().code(1);
    stale.prints("MISSING  session").prints("→ unset it");
}

#[test]
fn an_unusable_runtime_directory_is_named_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    let open = dir.path("run/hallpass");
    std::fs::create_dir_all(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let outcome = dir.hallpass(&["doctor", "--json"]).output().code(1);
    let check = found(&outcome, "runtime");
    assert_eq!(check["state"], "missing", "{outcome}");
    let text = check["found"].as_str().unwrap();
    assert!(text.contains(open.to_str().unwrap()), "{outcome}");
    assert!(
        check["instead"].as_str().is_some_and(|it| !it.is_empty()),
        "{outcome}"
    );
    dir.run(&["--default=deny"], &["true"]).output().code(125);
}

#[test]
fn a_broken_rules_file_is_named() {
    let dir = Dir::new();
    std::fs::create_dir_all(dir.rules_file().parent().unwrap()).unwrap();
    std::fs::write(dir.rules_file(), "{").unwrap();
    let outcome = dir.hallpass(&["doctor"]).output().code(1);
    outcome.prints("rules.json").prints("MISSING  rules");
}
