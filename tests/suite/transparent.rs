//! What a program can see of itself and of its surroundings is as without us: status, signals,
//! pipes, descriptors, masks.

use crate::harness::{Dir, same_as_bare};
use nix::sys::signal::Signal;
use std::time::Duration;

fn shell_is_same(script: &str) {
    let dir = Dir::new();
    same_as_bare(&dir, &["sh", "-c", script], |it| it);
}

#[test]
fn exit_statuses_are_those_of_the_command() {
    for status in [0, 1, 2, 42, 111, 124, 125, 126, 127, 128, 255] {
        let dir = Dir::new();
        same_as_bare(&dir, &["sh", "-c", &format!("exit {status}")], |it| it).code(status);
    }
}

#[test]
fn signals_that_end_the_command_end_us_alike() {
    for signal in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGABRT,
        Signal::SIGKILL,
        Signal::SIGSEGV,
        Signal::SIGPIPE,
        Signal::SIGTERM,
        Signal::SIGUSR1,
    ] {
        let dir = Dir::new();
        let script = format!("kill -{} $$; sleep 5", signal as i32);
        same_as_bare(&dir, &["sh", "-c", &script], |it| it).signal(signal);
    }
}

#[test]
fn a_megabyte_passes_through_stdin_and_stdout_unchanged() {
    let dir = Dir::new();
    let text: String = (0..200_000).map(|i| format!("{i}\n")).collect();
    let outcome = same_as_bare(&dir, &["cat"], |it| it.stdin(text.clone())).ok();
    assert_eq!(outcome.stdout, text);
}

#[test]
fn stderr_is_the_commands_alone() {
    shell_is_same("echo out; echo err >&2; exit 3");
}

#[test]
fn a_reader_that_stops_early_ends_the_writer() {
    // SIGPIPE must be what it was: Rust's runtime ignores it, a child must not inherit that.
    let dir = Dir::new();
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    let script =
        format!("{hallpass} run --default allow -- yes | head -n 3; echo ${{PIPESTATUS[0]}}");
    dir.bare(&["bash", "-c", &script])
        .output()
        .ok()
        .prints("y\ny\ny\n141\n");
}

#[test]
fn a_command_that_stops_reading_early_ends_the_writer_before_us() {
    let dir = Dir::new();
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    let script =
        format!("yes | {hallpass} run --default allow -- head -n 2; echo ${{PIPESTATUS[@]}}");
    dir.bare(&["bash", "-c", &script])
        .output()
        .ok()
        .prints("y\ny\n141 0\n");
}

#[test]
fn a_command_substitution_gets_the_output_and_ends() {
    let dir = Dir::new();
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    let script = format!("x=$({hallpass} run --default allow -- echo inner); echo [$x] $?");
    dir.bare(&["bash", "-c", &script])
        .output()
        .ok()
        .prints("[inner] 0");
}

#[test]
fn descriptors_masks_limits_and_directory_are_inherited_as_they_are() {
    // ls itself opens the directory it lists, at the same number in both.
    shell_is_same("ls /proc/self/fd");
    shell_is_same("grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status");
    shell_is_same("ulimit -a; umask; pwd; nice");
    shell_is_same("exec 7</dev/null; ls -l /proc/self/fd/7 | sed 's/.*-> //'");
}

#[test]
fn ignored_signals_stay_ignored() {
    let dir = Dir::new();
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    let script =
        |prefix: &str| format!("trap '' INT HUP; exec {prefix} grep SigIgn /proc/self/status");
    let bare = dir.bare(&["sh", "-c", &script("")]).output().ok();
    let under = dir
        .bare(&[
            "sh",
            "-c",
            &script(&format!("{hallpass} run --default allow --")),
        ])
        .output()
        .ok();
    assert_eq!(bare.stdout, under.stdout);
}

#[test]
fn the_environment_is_the_callers_and_our_two_variables() {
    let dir = Dir::new();
    let bare = dir.bare(&["env"]).env("A", "b c").output().ok();
    let under = dir
        .run(&["--default", "allow"], &["env"])
        .env("A", "b c")
        .output()
        .ok();
    let added: Vec<&str> = under
        .stdout
        .lines()
        .filter(|line| !bare.stdout.lines().any(|other| other == *line))
        .filter_map(|line| line.split('=').next())
        .collect();
    assert_eq!(added.len(), 2, "{under}");
    assert!(added.contains(&"LD_PRELOAD") && added.contains(&"HALLPASS"));
    assert!(bare.stdout.lines().all(|line| under.stdout.contains(line)));
}

#[test]
fn sigterm_sent_to_us_reaches_the_command() {
    let dir = Dir::new();
    let running = dir
        .run(
            &["--default", "allow"],
            &[
                "sh",
                "-c",
                "trap 'echo cleaned up; exit 3' TERM; echo ready; while :; do sleep 0.05; done",
            ],
        )
        .spawn();
    running.expect_stdout("ready");
    running.signal(Signal::SIGTERM);
    running.finish().code(3).prints("cleaned up");
    dir.expect_nothing_left();
}

#[test]
fn sigterm_ends_a_command_that_does_not_catch_it_and_us_alike() {
    let dir = Dir::new();
    let running = dir
        .run(
            &["--default", "allow"],
            &["sh", "-c", "echo ready; exec sleep 30"],
        )
        .spawn();
    running.expect_stdout("ready");
    running.signal(Signal::SIGTERM);
    running.finish().signal(Signal::SIGTERM);
    dir.expect_nothing_left();
}

#[test]
fn sigkill_for_us_takes_the_command_along() {
    let dir = Dir::new();
    let mut running = dir
        .run(
            &["--default", "allow"],
            &["sh", "-c", "echo ready; exec sleep 600"],
        )
        .spawn();
    running.expect_stdout("ready");
    running.signal(Signal::SIGKILL);
    running.wait_within(Duration::from_secs(5));
    dir.expect_nothing_left();
}
