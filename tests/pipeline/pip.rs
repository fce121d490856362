//! pip: what setup.py does when a package is built.

use crate::alone::alone;
use crate::findings::{Finding, expect_refused};
use crate::harness::{missing, skipped};
use crate::world::{Run, SECRET, World, pack, python_name};
use std::process::Command;

/// A source distribution, in the index. `code` runs whenever setup.py does.
fn publish(world: &World, name: &str, code: &str, files: &[(&str, &str)]) {
    let folder = format!("packages/{name}");
    let setup =
        format!("{code}\nfrom setuptools import setup\nsetup(name='{name}', version='1.0')\n");
    let all = files.iter().copied().chain([("setup.py", &*setup)]);
    for (file, text) in all {
        world
            .dir
            .write(&format!("{folder}/{file}"), world.filled(text));
    }
    let top = format!("{name}-1.0");
    let file = format!("{top}.tar.gz");
    let index = format!("www/simple/{name}");
    pack(
        &world.dir.path(&folder),
        &top,
        &world.dir.path(&format!("{index}/{file}")),
    );
    let page = format!("<!DOCTYPE html><a href=\"{file}\">{file}</a>");
    world.dir.write(&format!("{index}/index.html"), page);
}

/// A package of the evil kind: what setup.py does, more files, and who is refused what.
type Evil<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

/// Builds without an environment of its own, for which setuptools would have to be fetched.
fn install(world: &World, packages: &[&str]) -> String {
    format!(
        "rm -rf here && /usr/bin/python3 -m pip install -q --disable-pip-version-check \
         --no-cache-dir --retries 0 --no-build-isolation --use-pep517 --no-deps --target here \
         --index-url {}/simple --trusted-host registry.test {}",
        world.url(),
        packages.join(" ")
    )
}

const FETCH: &str = "import urllib.request
urllib.request.urlopen('http://files.test:@FILES@/prebuilt').read()";

/// Runs another file of the package, as setup.py runs it for everything that it is started for.
fn starts(file: &str) -> String {
    format!("import subprocess, sys\nsubprocess.run([sys.executable, '{file}'], check=True)")
}

fn no_pip() -> bool {
    if missing("pip") || missing("python3") {
        return true;
    }
    let code = ["-c", "import setuptools, wheel"];
    let has = Command::new("/usr/bin/python3").args(code).output();
    let none = !has.is_ok_and(|output| output.status.success());
    if none {
        skipped("setuptools and wheel are not installed (tests/run does)");
    }
    none
}

#[test]
#[ignore = "long: tests/run --full"]
fn builds() {
    if no_pip() || !alone("pip::builds") {
        return;
    }
    let world = World::new();
    publish(&world, "good", FETCH, &[]);
    world.dir.write("home/app/requirements", "");
    let command = install(&world, &["good"]);
    let policy = world.round_trip(&Run {
        project: "app",
        command: &command,
        env: &[],
    });
    assert!(policy.contains("package:pip:good"), "{policy}");
    assert!(world.files.connections() > 0);

    let beacon = format!("127.0.0.1:{}/tcp", world.beacon.port());
    let helper = "_in_process.py";
    let python = python_name();
    let raw = starts("raw.py");
    let raw_files = [("raw.py", include_str!("evil/raw.py"))];
    let forged = starts("forged.py");
    let forged_files = [("forged.py", include_str!("evil/forged.py"))];
    let evil: [Evil<'_>; 5] = [
        (
            "evil-beacon",
            include_str!("evil/beacon.py"),
            &[],
            helper,
            &beacon,
        ),
        (
            "evil-lookup",
            include_str!("evil/lookup.py"),
            &[],
            helper,
            SECRET,
        ),
        (
            "evil-rewrite",
            include_str!("evil/rewrite.py"),
            &[],
            helper,
            &beacon,
        ),
        ("evil-raw", &raw, &raw_files, "raw.py", "127.0.0.1/raw"),
        ("evil-forged", &forged, &forged_files, &python, &beacon),
    ];
    let mut findings = Vec::new();
    let mut packages = vec!["good"];
    for (name, code, files, app, to) in evil {
        publish(&world, name, code, files);
        packages.push(name);
        findings.push(Finding {
            package: format!("pip:{name}"),
            step: "prepare_metadata_for_build_wheel",
            app: app.to_owned(),
            to: to.to_owned(),
        });
    }
    let command = install(&world, &packages);
    let run = Run {
        project: "app",
        command: &command,
        env: &[],
    };
    expect_refused(&world, &run, &findings);
}
