//! Without the guard, programs that the hook cannot reach are named while they run, once, with the
//! reason.

use crate::harness::{Dir, Outcome, skipped};
use nix::unistd::geteuid;

const UNSEEN: &str = "hallpass cannot see its connections";

/// Runs a script under -v in which `static` waits a second and ends with 3.
fn run(flags: &[&str], script: &str) -> Outcome {
    let dir = Dir::new();
    let source = dir.write(
        "home/static.c",
        "#include <unistd.h>\nint main(void) { sleep(1); return 3; }\n",
    );
    let source = source.to_str().unwrap();
    for words in [
        ["cc", "-static", "-o", "static", source],
        ["cc", "-O1", "-o", "dynamic", source],
    ] {
        dir.bare(&words).output().ok();
    }
    let mut all = vec!["--guard=off", "--prompt=none", "--default", "allow"];
    all.extend(flags);
    dir.run(&all, &["sh", "-c", script]).output()
}

#[test]
fn a_static_child_is_named_once() {
    let outcome = run(&["-v"], "./static & ./static; echo $?; ./dynamic").code(3);
    assert_eq!(outcome.stdout, "3\n");
    let named = outcome.stderr.lines().filter(|line| line.contains(UNSEEN));
    let named: Vec<&str> = named.collect();
    assert!(
        matches!(named.as_slice(), [line] if line.contains("/home/static is statically linked")),
        "{outcome}"
    );
}

#[test]
fn without_v_nothing_is_said() {
    let outcome = run(&[], "./static; true").ok();
    assert_eq!(outcome.stderr, "");
}

#[test]
fn a_child_in_another_root_is_named() {
    if !geteuid().is_root() {
        skipped("only root may chroot");
        return;
    }
    let script = "mkdir -p root && cp dynamic root/ &&
        for f in $(ldd ./dynamic | grep -o '/[^ ]*' | grep -v hallpass); do cp --parents $f root/; done
        chroot root /dynamic; echo $?";
    let outcome = run(&["-v"], script).ok().prints("3\n");
    let line = "/dynamic was started in another root directory";
    assert!(outcome.stderr.contains(line), "{outcome}");
}

#[test]
fn programs_that_are_reached_are_not_named() {
    let script = "./dynamic & env -i sleep 1 & python3 -c 'import time; time.sleep(1)' & wait";
    let outcome = run(&["-v"], script).ok();
    assert!(!outcome.stderr.contains(UNSEEN), "{outcome}");
}
