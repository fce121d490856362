//! Which package's install or build script a process is: npm, pnpm and yarn lifecycle scripts,
//! cargo build scripts and compilers, pip builds, `go generate`, and what make starts.
//!
//! Asked is the nearest ancestor that the package manager itself started, because the manager has
//! chosen its directory and variables; what a script sets for its own children is not looked at.
//! The path of the program and the directory come before variables, which `exec` can forge most
//! easily. It stays the programs' word (docs/policy.md): a package can pass itself off as another
//! by going to the other's directory first.

use super::{Process, base_name, procfs};
use crate::escape::escape_bytes;
use std::sync::Arc;

/// Longest package name or step that is kept, in characters; npm's names are at most 214.
const MAX_NAME: usize = 214;

/// What stands before the name of a package that is only an orphan's word.
const CLAIMED: &str = "claimed:";

/// A package, and which of its scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    /// As rules name it (`npm:esbuild`).
    pub(super) name: String,
    /// What the manager runs of it (`postinstall`), where it says so.
    pub(super) step: Option<String>,
}

/// A package manager, or what is taken for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Npm,
    Cargo,
    Pip,
    GoGenerate,
    Make,
}

/// The package; `lineage` is a process and its ancestors, nearest first. Of an orphan those are
/// not all: whoever started the last of them has ended.
pub(super) fn package(lineage: &[(u32, Arc<Process>)], is_orphan: bool) -> Option<Package> {
    package_with(lineage, is_orphan, procfs::environ)
}

fn package_with(
    lineage: &[(u32, Arc<Process>)],
    is_orphan: bool,
    environ: impl Fn(u32) -> Vec<u8>,
) -> Option<Package> {
    let mut made = None;
    let pairs = lineage.iter().zip(lineage.iter().skip(1));
    for ((pid, child), (_, parent)) in pairs {
        // A manager that another one has started speaks for itself. Not so make, which install
        // scripts are made of.
        if !matches!(manager(child), None | Some(Manager::Make)) {
            continue;
        }
        let variable = |name: &str| variable(&environ(*pid), name);
        let found = match manager(parent) {
            None => continue,
            Some(Manager::Make) => {
                made = made.or_else(|| make(parent));
                continue;
            }
            Some(Manager::Npm) => npm(child, variable),
            Some(Manager::Cargo) => cargo(child, variable),
            Some(Manager::Pip) => pip(child),
            Some(Manager::GoGenerate) => go_generate(variable),
        };
        return found.filter(|package| !package.name.ends_with(':'));
    }
    let orphan = lineage.last().filter(|_| is_orphan);
    let said = orphan.and_then(|(pid, orphan)| {
        let environ = environ(*pid);
        claimed(orphan, |name| variable(&environ, name))
    });
    said.or(made)
}

/// What an orphan says of itself, by what its manager has given to the process that has ended.
/// A name of its own kind: no rule for the package itself is for whoever only says so.
fn claimed(orphan: &Process, variable: impl Fn(&str) -> Option<String>) -> Option<Package> {
    let is_pip = orphan.cwd.contains("/pip-install-");
    let found = if variable("npm_package_name").is_some() {
        npm(orphan, variable)
    } else if let Some(name) = variable("CARGO_PKG_NAME") {
        Some(Package {
            name: format!("cargo:{name}"),
            step: None,
        })
    } else if is_pip {
        pip(orphan)
    } else {
        go_generate(variable)
    }?;
    Some(Package {
        name: format!("{CLAIMED}{}", found.name),
        step: found.step,
    })
}

fn manager(process: &Process) -> Option<Manager> {
    let program = base_name(&process.exe);
    match program {
        "cargo" => return Some(Manager::Cargo),
        // pnpm as one file, with node in it.
        "pnpm" => return Some(Manager::Npm),
        "make" | "gmake" => return Some(Manager::Make),
        "go" => return is_generate(process).then_some(Manager::GoGenerate),
        _ => {}
    }
    let script = process.script.as_deref().map_or("", base_name);
    if program.starts_with("node") {
        // npm and pnpm give themselves a title, which takes the place of their command line.
        let title = process.argv.first().map_or("", String::as_str);
        let title = title.split(' ').next().unwrap_or_default();
        let is_script = matches!(
            script,
            "npm" | "npm-cli.js" | "npx" | "npx-cli.js" | "yarn" | "yarn.js" | "yarnpkg"
        ) || script.starts_with("pnpm")
            || script.starts_with("yarn-") && script.ends_with(".cjs");
        let is_title = matches!(title, "npm" | "npx" | "pnpm" | "yarn");
        return (is_script || is_title).then_some(Manager::Npm);
    }
    if program.starts_with("python") {
        let is_pip = script == "__pip-runner__.py"
            || script.strip_prefix("pip").is_some_and(|version| {
                version
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'.')
            });
        let mut arguments = process.argv.iter().skip(1);
        let is_module = arguments.find(|argument| *argument == "-m").is_some()
            && arguments.next().is_some_and(|module| module == "pip");
        return (is_pip || script.is_empty() && is_module).then_some(Manager::Pip);
    }
    None
}

/// `go generate`, or `go -C DIRECTORY generate`.
fn is_generate(process: &Process) -> bool {
    let mut arguments = process.argv.iter().skip(1).map(String::as_str);
    let mut first = arguments.next();
    if first == Some("-C") {
        first = arguments.nth(1);
    }
    first == Some("generate")
}

fn npm(child: &Process, variable: impl Fn(&str) -> Option<String>) -> Option<Package> {
    let installed = child.cwd.rsplit_once("/node_modules/").map(|(_, inside)| {
        let mut parts = inside.split('/');
        let first = parts.next().unwrap_or_default();
        match parts.next() {
            Some(second) if first.starts_with('@') => format!("{first}/{second}"),
            _ => first.to_owned(),
        }
    });
    // A script that goes to another package's directory, or replaces itself with other variables,
    // is no longer of one word; no rule for either package is for it then.
    let name = match (installed, variable("npm_package_name")) {
        (Some(installed), Some(named)) if installed != named => format!("{named} in {installed}"),
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => return None,
    };
    Some(Package {
        name: format!("npm:{name}"),
        step: variable("npm_lifecycle_event"),
    })
}

fn cargo(child: &Process, variable: impl Fn(&str) -> Option<String>) -> Option<Package> {
    // target/debug/build/NAME-HASH/build-script-build
    let mut parts = child.exe.rsplit('/');
    let program = parts.next().unwrap_or_default();
    let of_script = parts
        .next()
        .filter(|_| program.starts_with("build-script-"))
        .and_then(|directory| directory.rsplit_once('-'))
        .map(|(name, _)| name.to_owned());
    let is_compiler = matches!(program, "rustc" | "rustdoc" | "clippy-driver");
    let (name, step) = match of_script {
        Some(name) => (name, "build script"),
        // Programs that `cargo run` starts are no scripts of a build.
        None if is_compiler => (variable("CARGO_PKG_NAME")?, program),
        None => return None,
    };
    Some(Package {
        name: format!("cargo:{name}"),
        step: Some(step.to_owned()),
    })
}

/// The package clause and the line of the directive: go says no more of what it runs.
fn go_generate(variable: impl Fn(&str) -> Option<String>) -> Option<Package> {
    let name = variable("GOPACKAGE")?;
    let line = variable("GOFILE").zip(variable("GOLINE"));
    Some(Package {
        name: format!("go:{name}"),
        step: line.map(|(file, line)| format!("{file}:{line}")),
    })
}

/// The directory that make works in; which target it makes, it tells nobody.
fn make(make: &Process) -> Option<Package> {
    let directory = base_name(&make.cwd);
    (!directory.is_empty()).then(|| Package {
        name: format!("make:{directory}"),
        step: None,
    })
}

/// pip builds in pip-install-RANDOM/NAME_HASH, or in the project's own directory.
fn pip(child: &Process) -> Option<Package> {
    let (front, directory) = child.cwd.rsplit_once('/')?;
    let is_unpacked = base_name(front).starts_with("pip-install-");
    let name = match directory.rsplit_once('_') {
        Some((name, hash)) if is_unpacked && hash.len() == 32 => name,
        _ => directory,
    };
    Some(Package {
        name: format!("pip:{name}"),
        step: pip_step(child),
    })
}

/// The hook that pip's helper calls (PEP 517), else the script.
fn pip_step(child: &Process) -> Option<String> {
    let script = base_name(child.script.as_deref()?);
    let mut arguments = child.argv.iter();
    let hook = arguments
        .find(|argument| argument.ends_with("_in_process.py"))
        .and_then(|_| arguments.next())
        .filter(|hook| hook.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()));
    Some(hook.map_or_else(|| script.to_owned(), String::clone))
}

/// The first value of a variable, escaped and bounded.
fn variable(environ: &[u8], name: &str) -> Option<String> {
    let mut entries = environ.split(|byte| *byte == 0);
    let value = entries.find_map(|entry| {
        let rest = entry.strip_prefix(name.as_bytes())?;
        rest.strip_prefix(b"=")
    })?;
    (!value.is_empty()).then(|| escape_bytes(value, MAX_NAME))
}

#[cfg(test)]
mod tests {
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
}
