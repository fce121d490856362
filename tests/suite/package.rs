//! Which package it was: reports and rules name the package whose install or build script called.

use crate::harness::{Dir, Http, missing};
use std::fs;

#[track_caller]
fn report(dir: &Dir) -> String {
    fs::read_to_string(dir.path("home/r.json")).unwrap()
}

#[test]
fn an_npm_script_is_named_though_it_forges_its_variables() {
    if missing("npm") || missing("curl") {
        return;
    }
    let dir = Dir::new();
    let server = Http::v4();
    let package = format!(
        r#"{{"name":"evil","version":"1.0.0","scripts":{{"install":"npm_package_name=lodash sh -c 'curl -s {}; true'"}}}}"#,
        server.url()
    );
    dir.write("home/evil/package.json", package);
    let install = "cd evil && npm install --offline --no-audit --no-fund";
    let flags = ["--default=deny", "--prompt=none", "--report=json=r.json"];
    dir.run(&flags, &["sh", "-c", install]).output().ok();
    let text = report(&dir);
    assert!(text.contains("\"package\": \"npm:evil\""), "{text}");
    assert!(!text.contains("lodash"), "{text}");
    assert_eq!(server.connections(), 0);
    // A rule for the package opens the same way, and for nobody else.
    let rule = format!(
        r#"{{"version":1,"default":"deny","rules":[{{"do":"allow","to":["{}"],"app":"package:npm:evil"}}]}}"#,
        server.address
    );
    dir.write("home/p.json", rule);
    let flags = ["--policy=p.json", "--prompt=none"];
    dir.run(&flags, &["sh", "-c", install]).output().ok();
    assert_eq!(server.connections(), 1);
    dir.run(&flags, &["curl", "-s", &server.url()])
        .output()
        .code(7);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_cargo_build_script_is_named_by_its_own_path() {
    if missing("curl") {
        return;
    }
    let dir = Dir::new();
    let server = Http::v4();
    // What cargo does, without a compiler: it starts the script with variables of the package.
    let cargo = dir.path("home/cargo");
    fs::copy("/bin/sh", &cargo).unwrap();
    let build = dir.path("home/target/debug/build/evil-sys-0123456789abcdef");
    fs::create_dir_all(&build).unwrap();
    let script = build.join("build-script-build");
    fs::copy("/usr/bin/curl", &script).unwrap();
    let line = format!(
        "CARGO_PKG_NAME=serde {} -s {}; true",
        script.display(),
        server.url()
    );
    let flags = ["--default=deny", "--prompt=none", "--report=json=r.json"];
    let cargo = cargo.to_str().unwrap();
    dir.run(&flags, &[cargo, "-c", &line]).output().ok();
    let text = report(&dir);
    assert!(text.contains("\"package\": \"cargo:evil-sys\""), "{text}");
}
