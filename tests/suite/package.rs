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
    assert!(text.contains("\"step\": \"install\""), "{text}");
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

#[test]
fn what_go_generate_starts_is_named_by_package_and_directive() {
    if missing("go") || missing("curl") {
        return;
    }
    let dir = Dir::new();
    let server = Http::v4();
    dir.write("home/go.mod", "module example.com/app\n");
    let source = format!(
        "package app\n\n//go:generate sh -c \"GOPACKAGE=other curl -s {}; true\"\n",
        server.url()
    );
    dir.write("home/gen.go", source);
    let flags = ["--default=deny", "--prompt=none", "--report=json=r.json"];
    dir.run(&flags, &["go", "generate", "./..."])
        .env("GOFLAGS", "-mod=mod")
        .env("GOPROXY", "off")
        .output()
        .ok();
    let text = report(&dir);
    assert!(text.contains("\"package\": \"go:app\""), "{text}");
    assert!(text.contains("\"step\": \"gen.go:3\""), "{text}");
    assert_eq!(server.connections(), 0);
}

#[test]
fn what_make_starts_is_named_by_directory() {
    if missing("make") || missing("curl") {
        return;
    }
    let dir = Dir::new();
    let server = Http::v4();
    let recipe = format!("all:\n\t@cd /; curl -s {}; true\n", server.url());
    dir.write("home/zlib/Makefile", recipe);
    let flags = ["--default=deny", "--prompt=none", "--report=json=r.json"];
    dir.run(&flags, &["make", "-C", "zlib"]).output().ok();
    let text = report(&dir);
    assert!(text.contains("\"package\": \"make:zlib\""), "{text}");
    assert_eq!(server.connections(), 0);
}

/// A raw socket is no connection that a rule could be for; it is named like one.
#[test]
fn a_raw_socket_names_its_package() {
    if missing("npm") || missing("python3") {
        return;
    }
    let dir = Dir::new();
    let script = dir.write(
        "home/evil/raw.py",
        "import socket
try: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
except OSError as error: print(error)
",
    );
    let package = format!(
        r#"{{"name":"evil","version":"1.0.0","scripts":{{"install":"/usr/bin/python3 {}"}}}}"#,
        script.display()
    );
    dir.write("home/evil/package.json", package);
    let install = "cd evil && npm install --offline --no-audit --no-fund --foreground-scripts";
    let flags = [
        "--guard=on",
        "--default=deny",
        "--prompt=none",
        "--report=text=r.txt",
    ];
    dir.run(&flags, &["sh", "-c", install]).output().ok();
    let text = fs::read_to_string(dir.path("home/r.txt")).unwrap();
    assert!(
        text.contains("raw.py of package npm:evil, install → "),
        "{text}"
    );
}
