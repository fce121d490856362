//! Whatever a command leaves in the background is decided until it is gone; then nothing of ours
//! is left: no process, no socket, no directory.

use crate::harness::{Dir, Http, eventually};
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn a_background_curl_is_decided_after_run_has_returned() {
    let (dir, good, bad) = (Dir::new(), Http::v4(), Http::v4());
    let result = dir.path("result");
    let script = format!(
        "(sleep 2; curl -s {}; echo good $?; curl -s {}; echo bad $?) >{} 2>&1 </dev/null &",
        good.url(),
        bad.url(),
        result.display()
    );
    let start = Instant::now();
    let outcome = dir
        .run(
            &["--default", "deny", "--allow", &good.address.to_string()],
            &["sh", "-c", &script],
        )
        .output()
        .ok();
    assert!(
        start.elapsed() < Duration::from_millis(1500),
        "waited for the background: {outcome}"
    );
    eventually("the background to be done", || {
        fs::read_to_string(&result)
            .is_ok_and(|text| text.contains("good 0") && text.contains("bad 7"))
            .then_some(())
    });
    assert_eq!(bad.connections(), 0);
    assert_eq!(good.connections(), 1);
    dir.expect_nothing_left();
}

#[test]
fn a_daemon_with_a_session_of_its_own_is_decided_too() {
    let (dir, bad) = (Dir::new(), Http::v4());
    let result = dir.path("result");
    let script = format!(
        "setsid -f sh -c 'sleep 1; curl -s {}; echo bad $? >{}' >/dev/null 2>&1 </dev/null",
        bad.url(),
        result.display()
    );
    dir.run(&["--default", "deny"], &["sh", "-c", &script])
        .output()
        .ok();
    eventually("the daemon to be done", || {
        fs::read_to_string(&result)
            .is_ok_and(|text| text.contains("bad 7"))
            .then_some(())
    });
    assert_eq!(bad.connections(), 0);
    dir.expect_nothing_left();
}

#[test]
fn wait_makes_run_wait_for_the_background() {
    let dir = Dir::new();
    let script = "(sleep 1; touch done) >/dev/null 2>&1 </dev/null & exit 4";
    dir.run(&["--default", "allow", "--wait"], &["sh", "-c", script])
        .output()
        .code(4);
    assert!(dir.path("home/done").exists());
    dir.expect_nothing_left();
}

#[test]
fn a_command_substitution_ends_although_the_session_goes_on() {
    let dir = Dir::new();
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    let inner = "sleep 3 >/dev/null 2>&1 </dev/null & echo inner";
    let script = format!("x=$({hallpass} run --default allow -- sh -c '{inner}'); echo \"[$x]\"");
    let start = Instant::now();
    dir.bare(&["bash", "-c", &script])
        .output()
        .ok()
        .prints("[inner]");
    assert!(start.elapsed() < Duration::from_millis(2500));
    dir.expect_nothing_left();
}

#[test]
fn nothing_is_left_behind_and_the_runtime_directory_is_ours_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    let running = dir
        .run(
            &["--default", "allow"],
            &["sh", "-c", "echo ready; exec sleep 1"],
        )
        .spawn();
    running.expect_stdout("ready");
    let session = dir.session();
    let mode = fs::metadata(&session).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    running.finish().ok();
    dir.expect_nothing_left();
}

#[test]
fn a_runtime_directory_that_others_may_write_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = Dir::new();
    let parent = dir.path("run/hallpass");
    fs::create_dir(&parent).unwrap();
    fs::set_permissions(&parent, fs::Permissions::from_mode(0o777)).unwrap();
    let outcome = dir.run(&["--default", "allow"], &["touch", "ran"]).output();
    // Either it is put right before use, or it is refused; never used as it is.
    let mode = fs::metadata(&parent).unwrap().permissions().mode() & 0o777;
    assert!(
        outcome.status.code() == Some(125) || mode == 0o700,
        "used with mode {mode:o}: {outcome}"
    );

    fs::remove_dir_all(&parent).unwrap();
    let elsewhere = dir.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &parent).unwrap();
    dir.run(&["--default", "allow"], &["touch", "ran"])
        .output()
        .code(125)
        .says("run/hallpass");
}

#[test]
fn sessions_that_were_killed_are_cleaned_up_by_the_next_command() {
    let dir = Dir::new();
    let running = dir
        .run(
            &["--default", "allow"],
            &["sh", "-c", "echo ready; exec sleep 600"],
        )
        .spawn();
    running.expect_stdout("ready");
    let session = dir.session_pid();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(session),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    drop(running);
    dir.hallpass(&["pending"]).output();
    dir.run(&["--default", "allow"], &["true"]).output().ok();
    eventually("the killed session's directory to be gone", || {
        dir.sessions().is_empty().then_some(())
    });
}
