//! Preload libraries without a launcher: what preloading alone costs.

use super::Way;
use std::io;
use std::path::Path;
use std::process::Command;

/// A library that is empty but for a name: what the loader takes for one more file.
pub(super) fn empty(scratch: &Path) -> io::Result<Way> {
    let source = scratch.join("empty.c");
    let library = scratch.join("libempty.so");
    std::fs::write(&source, "char hallpass_bench_empty;\n")?;
    let status = Command::new(super::find("cc")?)
        .args(["-shared", "-fPIC", "-nostdlib", "-o"])
        .args([&library, &source])
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("cc: {status}")));
    }
    Ok(Way {
        only_starts: true,
        ..Way::preloaded("empty preload", library)
    })
}

/// Builds the same hooks with redhook (tests/bench/redhook), beside this program.
pub(super) fn redhook() -> io::Result<Way> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("redhook");
    let target = std::env::current_exe()?.with_file_name("bench-redhook");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--locked", "--target-dir"])
        .arg(&target)
        .arg("--manifest-path")
        .arg(source.join("Cargo.toml"))
        .status()?;
    let library = target.join("release/libhallpass_bench_redhook.so");
    if !(status.success() && library.exists()) {
        return Err(io::Error::other(format!("cargo build: {status}")));
    }
    Ok(Way::preloaded("redhook", library))
}
