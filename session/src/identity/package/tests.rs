use super::*;

fn process(exe: &str, script: Option<&str>, argv: &[&str], cwd: &str) -> (u32, Arc<Process>) {
    let process = Process {
        exe: exe.to_owned(),
        script: script.map(str::to_owned),
        name: String::new(),
        argv: argv.iter().map(|argument| (*argument).to_owned()).collect(),
        cwd: cwd.to_owned(),
    };
    (u32::from(exe.len() > 100), Arc::new(process))
}

/// The package, and its step in brackets.
fn of(lineage: &[(u32, Arc<Process>)], environ: &str) -> Option<String> {
    shown(package_with(lineage, false, |_| {
        environ.as_bytes().to_vec()
    }))
}

fn shown(package: Option<Package>) -> Option<String> {
    let package = package?;
    Some(match package.step {
        Some(step) => format!("{} ({step})", package.name),
        None => package.name,
    })
}

#[test]
fn npm_scripts_by_directory_then_by_variable() {
    let npm = process("/usr/bin/node", None, &["npm install left"], "/app");
    let curl = process("/usr/bin/curl", None, &["curl"], "/tmp");
    let sh = |cwd| process("/bin/dash", None, &["sh", "-c", "x"], cwd);
    let name = |cwd, environ| of(&[curl.clone(), sh(cwd), npm.clone()], environ);
    let forged = "A=1\0npm_package_name=lodash\0";
    assert_eq!(
        name("/app/node_modules/evil", forged).unwrap(),
        "npm:lodash in evil"
    );
    let inside = "/app/node_modules/x/node_modules/@s/evil/lib";
    let own = "npm_package_name=@s/evil\0";
    assert_eq!(name(inside, own).unwrap(), "npm:@s/evil");
    assert_eq!(name(inside, "").unwrap(), "npm:@s/evil");
    assert_eq!(
        name(
            "/app",
            "npm_package_name=app\0npm_lifecycle_event=prepare\0"
        )
        .unwrap(),
        "npm:app (prepare)"
    );
    assert_eq!(name("/app", "npm_package_name=\0"), None);
    // The manager itself is no package.
    assert_eq!(of(&[npm], forged), None);
}

#[test]
fn the_nearest_process_that_the_manager_started_is_asked() {
    let pnpm = process("/usr/bin/node", Some("/opt/pnpm.cjs"), &[], "/app");
    let outer = process("/usr/bin/node", Some("/x/npm-cli.js"), &[], "/");
    let script = process("/bin/sh", None, &[], "/app/node_modules/inner");
    let lineage = [
        script,
        pnpm,
        process("/bin/sh", None, &[], "/app/node_modules/outer"),
        outer,
    ];
    assert_eq!(of(&lineage, "").unwrap(), "npm:inner");
    // A nested manager belongs to the script that started it.
    assert_eq!(of(&lineage[1..], "").unwrap(), "npm:outer");
}

#[test]
fn cargo_build_scripts_and_compilers() {
    let cargo = process("/t/bin/cargo", None, &["cargo", "build"], "/app");
    let script = process(
        "/app/target/debug/build/evil-sys-0123456789abcdef/build-script-build",
        None,
        &[],
        "/src/evil-sys",
    );
    let forged = "CARGO_PKG_NAME=serde\0";
    assert_eq!(
        of(&[script, cargo.clone()], forged).unwrap(),
        "cargo:evil-sys (build script)"
    );
    let rustc = process("/t/bin/rustc", None, &["rustc"], "/app");
    assert_eq!(
        of(&[rustc, cargo.clone()], forged).unwrap(),
        "cargo:serde (rustc)"
    );
    let ran = process("/app/target/debug/app", None, &[], "/app");
    assert_eq!(of(&[ran, cargo], forged), None);
}

#[test]
fn pip_builds() {
    let hash = "0123456789abcdef0123456789abcdef";
    let build = process(
        "/usr/bin/python3.11",
        Some("/x/_in_process.py"),
        &["python3", "/x/_in_process.py", "build_wheel", "/tmp/x"],
        &format!("/tmp/pip-install-ab12/evil_pkg_{hash}"),
    );
    let pip = process(
        "/usr/bin/python3.11",
        None,
        &["python3", "-m", "pip", "install"],
        "/",
    );
    assert_eq!(
        of(&[build.clone(), pip.clone()], "").unwrap(),
        "pip:evil_pkg (build_wheel)"
    );
    let script = process("/usr/bin/python3.11", Some("/usr/bin/pip3"), &[], "/");
    assert_eq!(
        of(&[build.clone(), script], "").unwrap(),
        "pip:evil_pkg (build_wheel)"
    );
    let other = process("/usr/bin/python3.11", Some("/usr/bin/pipenv"), &[], "/");
    assert_eq!(of(&[build, other], ""), None);
    let local = process("/usr/bin/python3", Some("/x/setup.py"), &[], "/src/mine");
    assert_eq!(of(&[local, pip], "").unwrap(), "pip:mine (setup.py)");
}

#[test]
fn an_orphan_is_named_by_its_own_word_and_no_rule_fits_it() {
    let daemon = process(
        "/usr/bin/node",
        Some("/x/d.js"),
        &[],
        "/app/node_modules/evil",
    );
    let alone = std::slice::from_ref(&daemon);
    let orphan = |lineage: &[_], environ: &str| {
        shown(package_with(lineage, true, |_| environ.as_bytes().to_vec()))
    };
    let environ = "npm_package_name=evil\0npm_lifecycle_event=postinstall\0";
    assert_eq!(
        orphan(alone, environ).unwrap(),
        "claimed:npm:evil (postinstall)"
    );
    assert_eq!(orphan(alone, ""), None);
    assert_eq!(of(alone, environ), None);
    // What a manager started itself needs no claim.
    let cargo = process("/t/bin/cargo", None, &["cargo", "build"], "/app");
    let rustc = process("/t/bin/rustc", None, &["rustc"], "/app");
    let environ = "CARGO_PKG_NAME=serde\0";
    assert_eq!(
        orphan(&[rustc, cargo], environ).unwrap(),
        "cargo:serde (rustc)"
    );
    assert_eq!(orphan(alone, environ).unwrap(), "claimed:cargo:serde");
}

#[test]
fn go_generate_by_the_variables_that_go_sets() {
    let curl = process("/usr/bin/curl", None, &["curl"], "/app");
    let go = |argv| process("/usr/lib/go/bin/go", None, argv, "/app");
    let set = "GOPACKAGE=app\0GOFILE=gen.go\0GOLINE=3\0";
    let run = go(&["go", "run", "gen.go"]);
    for argv in [
        &["go", "generate", "./..."][..],
        &["go", "-C", "/app", "generate"],
    ] {
        assert_eq!(
            of(&[curl.clone(), go(argv)], set).unwrap(),
            "go:app (gen.go:3)"
        );
        let lineage = [curl.clone(), run.clone(), go(argv)];
        assert_eq!(of(&lineage, set).unwrap(), "go:app (gen.go:3)");
    }
    assert_eq!(of(&[curl.clone(), run], set), None);
    assert_eq!(of(&[curl, go(&["go", "generate"])], ""), None);
}

#[test]
fn make_by_its_directory_where_no_manager_is_further_up() {
    let curl = process("/usr/bin/curl", None, &["curl"], "/elsewhere");
    let make = |cwd| process("/usr/bin/make", None, &["make"], cwd);
    let lineage = [curl.clone(), make("/src/app/lib"), make("/src/app")];
    assert_eq!(of(&lineage, "").unwrap(), "make:lib");
    assert_eq!(of(&[curl.clone(), make("/")], ""), None);
    assert_eq!(of(&[make("/src/app")], ""), None);
    let npm = process("/usr/bin/node", None, &["npm install x"], "/app");
    let gyp = make("/app/node_modules/x/build");
    assert_eq!(of(&[curl, gyp, npm], "").unwrap(), "npm:x");
}
