//! Programs that are no Debian packages, from the registries they are in, by their ordinary clients.
//!
//! They are fetched before a case enters its own network, once for each target directory.

use crate::harness::{missing, skipped};
use std::path::PathBuf;
use std::process::Command;

/// Where they stay.
fn place(name: &str) -> PathBuf {
    let name = name.replace(['@', '/'], "_");
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("tools")
        .join(name)
}

/// A file of an npm package of this major version; none, with a line that says so, where the
/// package cannot be had.
pub(crate) fn npm_tool(package: &str, major: &str, file: &str) -> Option<String> {
    if missing("npm") {
        return None;
    }
    let place = place(package);
    let file = place.join("node_modules").join(package).join(file);
    if !file.exists() {
        let output = Command::new("npm")
            .args([
                "install",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
            ])
            .arg(&place)
            .arg(format!("{package}@{major}"))
            .output();
        let output = output.unwrap();
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let last = text
                .lines()
                .find(|line| line.contains("code"))
                .unwrap_or("");
            skipped(&format!("npm cannot install {package} here ({last})"));
            return None;
        }
        assert!(file.exists(), "{} is not in {package}", file.display());
    }
    Some(file.to_str().unwrap().to_owned())
}

/// A folder with these packages from PyPI, for PYTHONPATH; none, with a line that says so, where
/// they cannot be had.
pub(crate) fn pip_tools(packages: &[&str]) -> Option<PathBuf> {
    if missing("pip") || missing("python3") {
        return None;
    }
    let place = place(&packages.join("+"));
    if !place.exists() {
        // In one step, so that half of it is never found.
        let unfinished = place.with_extension("unfinished");
        let _ = std::fs::remove_dir_all(&unfinished);
        let output = Command::new("/usr/bin/python3")
            .args([
                "-m",
                "pip",
                "install",
                "-q",
                "--disable-pip-version-check",
                "--target",
            ])
            .arg(&unfinished)
            .args(packages)
            .output();
        let output = output.unwrap();
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let last = text.lines().last().unwrap_or("");
            skipped(&format!("pip cannot install {packages:?} here ({last})"));
            return None;
        }
        std::fs::rename(unfinished, &place).unwrap();
    }
    Some(place)
}

/// A Go program, which no library is in the way of; none where there is no Go.
pub(crate) fn go_program(source: &str) -> Option<PathBuf> {
    if missing("go") {
        return None;
    }
    let place = place("go");
    std::fs::create_dir_all(&place).unwrap();
    let (file, program) = (place.join("dial.go"), place.join("dial"));
    std::fs::write(&file, source).unwrap();
    let output = Command::new("/usr/bin/go")
        .args(["build", "-o"])
        .args([&program, &file])
        .env("GOCACHE", place.join("cache"))
        .env("GOPROXY", "off")
        .env("CGO_ENABLED", "0")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(program)
}
