//! The same command without hallpass and with it, everything allowed: nobody can tell.

use super::{Dir, Outcome, TestCommand};

/// Runs `command` bare, then under `hallpass run --default allow`; status, stdout and stderr must
/// be the same. Gives what the bare one did.
#[track_caller]
pub(crate) fn same_as_bare(
    dir: &Dir,
    command: &[&str],
    set_up: impl Fn(TestCommand) -> TestCommand,
) -> Outcome {
    let bare = set_up(dir.bare(command)).output();
    let under = set_up(dir.run(&["--default", "allow", "--prompt", "none"], command)).output();
    assert!(
        bare.status == under.status && bare.stdout == under.stdout && bare.stderr == under.stderr,
        "not the same\nbare:{bare}\nunder hallpass:{under}"
    );
    bare
}
