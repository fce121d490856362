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
    dir.run(&["--guard=off", "--default", "deny"], &["./static"])
        .output()
        .code(3)
        .says("./static is statically linked")
        .says("--guard=on decides them");
    let guarded = dir.run(&["--guard=on", "--default", "deny"], &["./static"]);
    assert_eq!(guarded.output().code(3).stderr, "");
}

/// Programs that start curl with an environment of their own making.
const CLEARS: [&[&str]; 7] = [
    &["env", "-i", "/usr/bin/curl"],
    &["env", "-u", "LD_PRELOAD", "-u", "HALLPASS", "curl"],
    &["env", "LD_PRELOAD=", "HALLPASS=nonsense", "curl"],
    &[
        "sh",
        "-c",
        "unset LD_PRELOAD HALLPASS; exec curl \"$@\"",
        "sh",
    ],
    &[
        "python3",
        "-c",
        "import subprocess as s, sys; sys.exit(s.call(['/usr/bin/curl'] + sys.argv[1:], env={}))",
    ],
    &[
        "perl",
        "-e",
        "%ENV = (); exit(system('/usr/bin/curl', @ARGV) >> 8)",
    ],
    &[
        "node",
        "-e",
        "const r = require('child_process').spawnSync('/usr/bin/curl', process.argv.slice(1), \
         { env: {}, stdio: 'inherit' }); process.exit(r.status)",
        "--",
    ],
];

#[test]
fn a_program_started_without_our_variables_is_decided_all_the_same() {
    let (dir, server) = (Dir::new(), Http::v4());
    for clears in CLEARS {
        if crate::harness::missing(clears[0]) {
            continue;
        }
        let url = server.url();
        let mut command = clears.to_vec();
        command.extend(["-s", &url]);
        let before = server.connections();
        dir.run(&["--default", "deny"], &command).output().code(7);
        assert_eq!(server.connections(), before, "{command:?}");
        dir.run(&["--default", "deny", "--allow", "@loopback"], &command)
            .output()
            .ok()
            .prints("page from");
    }
}

#[test]
fn the_hook_without_a_session_refuses_everything() {
    let (dir, server) = (Dir::new(), Http::v4());
    let outcome = dir
        .run(&["--default", "allow"], &["sh", "-c", "echo $LD_PRELOAD"])
        .output()
        .ok();
    let hook = outcome.stdout.trim();
    for value in [
        "",
        "1-00000000;guard=off",
        "nonsense",
        "../../etc;guard=off",
    ] {
        dir.bare(&["curl", "-s", &server.url()])
            .env("LD_PRELOAD", hook)
            .env("HALLPASS", value)
            .output()
            .code(7);
    }
    dir.bare(&["curl", "-s", &server.url()])
        .env("LD_PRELOAD", hook)
        .output()
        .code(7);
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
