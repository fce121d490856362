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
