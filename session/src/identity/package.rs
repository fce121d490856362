//! Which package's install or build script a process is: npm, pnpm and yarn lifecycle scripts,
//! cargo build scripts and compilers, pip builds.
//!
//! Asked is the nearest ancestor that the package manager itself started, because the manager has
//! chosen its directory and variables; what a script sets for its own children is not looked at.
//! The path of the program and the directory come before variables, which `exec` can forge most
//! easily. It stays the programs' word (docs/policy.md): a package can pass itself off as another
//! by going to the other's directory first.

use super::{Process, base_name, procfs};
use crate::escape::escape_bytes;
use std::sync::Arc;

/// Longest package name that is kept, in characters; npm's are at most 214.
const MAX_NAME: usize = 214;

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Npm,
    Cargo,
    Pip,
}

/// The package, as rules name it (`npm:esbuild`); `lineage` is a process and its ancestors,
/// nearest first.
pub(super) fn package(lineage: &[(u32, Arc<Process>)]) -> Option<String> {
    package_with(lineage, procfs::environ)
}

fn package_with(
    lineage: &[(u32, Arc<Process>)],
    environ: impl Fn(u32) -> Vec<u8>,
) -> Option<String> {
    let pairs = lineage.iter().zip(lineage.iter().skip(1));
    for ((pid, child), (_, parent)) in pairs {
        // A manager that another one has started speaks for itself.
        if manager(child).is_some() {
            continue;
        }
        let found = match manager(parent) {
            None => continue,
            Some(Manager::Npm) => npm(child, || variable(&environ(*pid), "npm_package_name")),
            Some(Manager::Cargo) => cargo(child, || variable(&environ(*pid), "CARGO_PKG_NAME")),
            Some(Manager::Pip) => pip(child),
        };
        return found.filter(|name| !name.ends_with(':'));
    }
    None
}

fn manager(process: &Process) -> Option<Manager> {
    let program = base_name(&process.exe);
    if program == "cargo" {
        return Some(Manager::Cargo);
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

fn npm(child: &Process, variable: impl Fn() -> Option<String>) -> Option<String> {
    let installed = child.cwd.rsplit_once("/node_modules/").map(|(_, inside)| {
        let mut parts = inside.split('/');
        let first = parts.next().unwrap_or_default();
        match parts.next() {
            Some(second) if first.starts_with('@') => format!("{first}/{second}"),
            _ => first.to_owned(),
        }
    });
    let name = installed.or_else(variable)?;
    Some(format!("npm:{name}"))
}

fn cargo(child: &Process, variable: impl Fn() -> Option<String>) -> Option<String> {
    // target/debug/build/NAME-HASH/build-script-build
    let mut parts = child.exe.rsplit('/');
    let program = parts.next().unwrap_or_default();
    let of_script = parts
        .next()
        .filter(|_| program.starts_with("build-script-"))
        .and_then(|directory| directory.rsplit_once('-'))
        .map(|(name, _)| name.to_owned());
    let is_compiler = matches!(program, "rustc" | "rustdoc" | "clippy-driver");
    let name = match of_script {
        Some(name) => name,
        // Programs that `cargo run` starts are no scripts of a build.
        None if is_compiler => variable()?,
        None => return None,
    };
    Some(format!("cargo:{name}"))
}

/// pip builds in pip-install-RANDOM/NAME_HASH, or in the project's own directory.
fn pip(child: &Process) -> Option<String> {
    let (front, directory) = child.cwd.rsplit_once('/')?;
    let is_unpacked = base_name(front).starts_with("pip-install-");
    let name = match directory.rsplit_once('_') {
        Some((name, hash)) if is_unpacked && hash.len() == 32 => name,
        _ => directory,
    };
    Some(format!("pip:{name}"))
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

    fn of(lineage: &[(u32, Arc<Process>)], environ: &str) -> Option<String> {
        package_with(lineage, |_| environ.as_bytes().to_vec())
    }

    #[test]
    fn npm_scripts_by_directory_then_by_variable() {
        let npm = process("/usr/bin/node", None, &["npm install left"], "/app");
        let curl = process("/usr/bin/curl", None, &["curl"], "/tmp");
        let sh = |cwd| process("/bin/dash", None, &["sh", "-c", "x"], cwd);
        let name = |cwd, environ| of(&[curl.clone(), sh(cwd), npm.clone()], environ);
        let forged = "A=1\0npm_package_name=lodash\0";
        assert_eq!(name("/app/node_modules/evil", forged).unwrap(), "npm:evil");
        assert_eq!(
            name("/app/node_modules/x/node_modules/@s/evil/lib", forged).unwrap(),
            "npm:@s/evil"
        );
        assert_eq!(name("/app", "npm_package_name=app\0").unwrap(), "npm:app");
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
            "cargo:evil-sys"
        );
        let rustc = process("/t/bin/rustc", None, &["rustc"], "/app");
        assert_eq!(of(&[rustc, cargo.clone()], forged).unwrap(), "cargo:serde");
        let ran = process("/app/target/debug/app", None, &[], "/app");
        assert_eq!(of(&[ran, cargo], forged), None);
    }

    #[test]
    fn pip_builds() {
        let hash = "0123456789abcdef0123456789abcdef";
        let build = process(
            "/usr/bin/python3.11",
            Some("/x/_in_process.py"),
            &[],
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
            "pip:evil_pkg"
        );
        let script = process("/usr/bin/python3.11", Some("/usr/bin/pip3"), &[], "/");
        assert_eq!(of(&[build.clone(), script], "").unwrap(), "pip:evil_pkg");
        let other = process("/usr/bin/python3.11", Some("/usr/bin/pipenv"), &[], "/");
        assert_eq!(of(&[build, other], ""), None);
        let local = process("/usr/bin/python3", Some("/x/setup.py"), &[], "/src/mine");
        assert_eq!(of(&[local, pip], "").unwrap(), "pip:mine");
    }
}
