//! Builds the hook (`interpose/`) and tells the launcher where it is: `env!("HALLPASS_HOOK")` is
//! the path of the finished library, for `include_bytes!`.
//!
//! A nested cargo call, because the hook needs a profile of its own (`panic = "abort"`) and must
//! not be linked into anything of ours. What the caller has set for the outer build must not
//! reach it: a wrapper, flags or another target would make another hook than the one tested.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

/// What the hook is made of, below the repository's root.
const SOURCES: [&str; 6] = [
    "interpose/src",
    "interpose/build.rs",
    "interpose/Cargo.toml",
    "interpose/Cargo.lock",
    "wire/src",
    "wire/Cargo.toml",
];

fn main() {
    match build() {
        Ok(hook) => println!("cargo::rustc-env=HALLPASS_HOOK={}", hook.display()),
        Err(problem) => {
            println!("cargo::error=the hook (interpose/) cannot be built: {problem}");
            exit(1)
        }
    }
}

fn build() -> Result<PathBuf, String> {
    let root = directory("CARGO_MANIFEST_DIR")?.join("..");
    println!("cargo::rerun-if-changed=build.rs");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    let target = env::var("TARGET").map_err(|error| format!("TARGET: {error}"))?;
    let target_dir = directory("OUT_DIR")?.join("hook");
    let status = cargo(&root, &target, &target_dir)?
        .status()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if !status.success() {
        return Err(format!("cargo build ended with {status}"));
    }
    let hook = target_dir
        .join(target)
        .join("hook")
        .join("libhallpass_hook.so");
    if hook.is_file() {
        Ok(hook)
    } else {
        Err(format!("{} is missing", hook.display()))
    }
}

fn cargo(root: &Path, target: &str, target_dir: &Path) -> Result<Command, String> {
    let cargo = env::var_os("CARGO").ok_or("CARGO is not set")?;
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            "hook",
            "--target",
            target,
        ])
        .arg("--manifest-path")
        .arg(root.join("interpose/Cargo.toml"))
        .arg("--target-dir")
        .arg(target_dir)
        // Empty, not removed: so they also hide what a configuration file says.
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_WORKSPACE_WRAPPER", "")
        .env("CARGO_ENCODED_RUSTFLAGS", "")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_INCREMENTAL");
    // What the outer build says about itself is not about the hook.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PROFILE_") || text.starts_with("CARGO_BUILD_") {
            command.env_remove(&name);
        }
    }
    Ok(command)
}

fn directory(variable: &str) -> Result<PathBuf, String> {
    env::var_os(variable)
        .map(PathBuf::from)
        .ok_or_else(|| format!("{variable} is not set"))
}
