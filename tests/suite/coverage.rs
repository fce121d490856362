//! What the hook reaches, what it refuses without its session, and what hallpass says of the rest.

use crate::harness::{Dir, Http};

#[test]
fn a_statically_linked_command_is_named_because_nothing_can_be_loaded_into_it() {
    let dir = Dir::new();
    let source = dir.write("home/static.c", "int main(void) { return 3; }\n");
    let source = source.to_str().unwrap();
    dir.bare(&["cc", "-static", "-o", "static", source])
        .output()
        .ok();
    dir.run(&["--default", "deny"], &["./static"])
        .output()
        .code(3)
        .says("./static is statically linked");
}

#[test]
fn a_program_that_has_lost_our_variable_is_refused() {
    let (dir, server) = (Dir::new(), Http::v4());
    dir.run(
        &["--default", "allow"],
        &["env", "-u", "HALLPASS", "curl", "-s", &server.url()],
    )
    .output()
    .code(7);
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_program_whose_variable_names_another_session_is_refused() {
    let (dir, server) = (Dir::new(), Http::v4());
    for value in [
        "",
        "1-00000000;guard=off",
        "nonsense",
        "../../etc;guard=off",
    ] {
        let variable = format!("HALLPASS={value}");
        dir.run(
            &["--default", "allow"],
            &["env", &variable, "curl", "-s", &server.url()],
        )
        .output()
        .code(7);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn what_the_caller_preloads_is_kept() {
    let dir = Dir::new();
    let outcome = dir
        .run(&["--default", "allow"], &["sh", "-c", "echo $LD_PRELOAD"])
        .env("LD_PRELOAD", "libm.so.6")
        .output()
        .ok();
    let words: Vec<&str> = outcome.stdout.trim().split([':', ' ']).collect();
    assert_eq!(words.len(), 2, "{outcome}");
    assert!(words.contains(&"libm.so.6"), "{outcome}");
}

#[test]
fn a_run_inside_a_run_is_125_and_loosens_nothing() {
    let (dir, server) = (Dir::new(), Http::v4());
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    dir.run(
        &["--default", "deny"],
        &[
            hallpass,
            "run",
            "--default",
            "allow",
            "--",
            "curl",
            "-s",
            &server.url(),
        ],
    )
    .output()
    .code(125)
    .says("inside a hallpass session");
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_hook_file_that_was_tampered_with_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, server) = (Dir::new(), Http::v4());
    let preload = |dir: &Dir| {
        let outcome = dir
            .run(&["--default", "allow"], &["sh", "-c", "echo $LD_PRELOAD"])
            .output()
            .ok();
        outcome.stdout.trim().to_owned()
    };
    // Only where it is this case's own: root's is shared by all (/var/cache/hallpass).
    let file = preload(&dir);
    if !file.starts_with(dir.path("cache").to_str().unwrap()) {
        crate::harness::skipped("the hook file is not in this case's own directory");
        return;
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(&file, "not a library").unwrap();
    dir.run(&["--default", "deny"], &["curl", "-s", &server.url()])
        .output()
        .failed();
    assert_eq!(server.connections(), 0);
}
