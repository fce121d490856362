//! The ways a piece of work is run: bare, under hallpass, under rivals that are installed.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) struct Way {
    pub(crate) name: &'static str,
    /// What stands before the command.
    prefix: Vec<OsString>,
    /// Preloaded instead, for a library without a launcher.
    preload: Option<PathBuf>,
}

impl Way {
    /// Bare first: the others are compared with it.
    pub(crate) fn all() -> io::Result<Vec<Self>> {
        let mut ways = vec![Self {
            name: "bare",
            prefix: Vec::new(),
            preload: None,
        }];
        let hallpass = std::env::current_exe()?.with_file_name("hallpass");
        if !hallpass.exists() {
            return Err(io::Error::other(format!(
                "{} is missing: run `cargo build --release` first",
                hallpass.display()
            )));
        }
        for (name, guard) in [("hallpass", "--guard=off"), ("guarded", "--guard=on")] {
            let mut prefix = vec![hallpass.clone().into_os_string()];
            let words = ["run", guard, "--prompt=none", "--default=allow", "--"];
            prefix.extend(words.map(OsString::from));
            ways.push(Self {
                name,
                prefix,
                preload: None,
            });
        }
        if let Some(proxychains) = find("proxychains4") {
            // A configuration under which every loopback connection is direct.
            let config = std::env::temp_dir().join("hallpass-bench-proxychains.conf");
            std::fs::write(&config, PROXYCHAINS)?;
            let prefix = [proxychains.into(), "-q".into(), "-f".into(), config.into()];
            ways.push(Self {
                name: "proxychains4",
                prefix: prefix.to_vec(),
                preload: None,
            });
        }
        match build_redhook() {
            Ok(library) => ways.push(Self {
                name: "redhook",
                prefix: Vec::new(),
                preload: Some(library),
            }),
            Err(error) => eprintln!("hallpass-bench: no redhook column: {error}"),
        }
        Ok(ways)
    }

    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut words = self.prefix.iter().cloned().chain([program.into()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        if let Some(library) = &self.preload {
            command.env("LD_PRELOAD", library);
        }
        command
    }
}

/// Builds the same hooks with redhook (tests/bench/redhook), beside this program.
fn build_redhook() -> io::Result<PathBuf> {
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
    Ok(library)
}

const PROXYCHAINS: &str =
    "strict_chain\nlocalnet 127.0.0.0/255.0.0.0\n[ProxyList]\nsocks5 127.0.0.1 9\n";

pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        // Version managers put scripts first, which would be measured instead of the program.
        .filter(|dir| !dir.to_string_lossy().contains("shims"))
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.is_file())
}
