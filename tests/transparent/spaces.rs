//! Namespaces of a program's own: the session's abstract name is not there, its pid is 0.

use crate::column::same;
use crate::harness::{Dir, skipped};
use crate::nasty::Nasty;

fn no_namespaces() -> bool {
    let dir = Dir::new();
    let none = !dir
        .bare(&["unshare", "-n", "-p", "-f", "true"])
        .output()
        .status
        .success();
    if none {
        skipped("this user may not make network and process namespaces");
    }
    none
}

#[test]
fn a_new_network_and_a_new_process_namespace() {
    if no_namespaces() {
        return;
    }
    let nasty = Nasty::new();
    let words = [nasty.path.as_str(), "namespaces", "1"];
    same(|it| it.run(&words))
        .ok()
        .prints("as process 1 of new namespaces: 0");
    let dir = Dir::new();
    let denied = dir.run(&["--default", "deny"], &words).output();
    denied
        .ok()
        .prints("as process 1 of new namespaces: -1 ECONNREFUSED");
}

/// As `unshare -r` and container tools do it: the user is root, but only inside.
#[test]
fn a_new_user_namespace() {
    if no_namespaces() {
        return;
    }
    let nasty = Nasty::new();
    let unshare = [
        "unshare",
        "-r",
        "-n",
        "-p",
        "-f",
        &nasty.path,
        "namespaces",
        "1",
    ];
    let line = "as process 1 of new namespaces: 0";
    same(|it| it.run(&unshare)).ok().prints(line);
}
