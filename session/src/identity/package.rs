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
mod tests;
