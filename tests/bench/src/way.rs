//! The ways a piece of work is run: bare, under hallpass, under rivals that are installed.

mod preloads;
mod rivals;

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) struct Way {
    pub(crate) name: &'static str,
    /// What stands before the command.
    prefix: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    /// Does nothing after a program has started: only start-ups are worth a measurement.
    pub(crate) only_starts: bool,
}

impl Way {
    fn prefixed(name: &'static str, prefix: Vec<OsString>) -> Self {
        Self {
            name,
            prefix,
            environment: Vec::new(),
            only_starts: false,
        }
    }

    /// A library without a launcher.
    fn preloaded(name: &'static str, library: PathBuf) -> Self {
        Self {
            environment: vec![("LD_PRELOAD", library.into())],
            ..Self::prefixed(name, Vec::new())
        }
    }

    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut words = self.prefix.iter().cloned().chain([program.into()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        command.envs(self.environment.iter().cloned());
        command
    }
}

/// A way's name and why it is not measured.
type LeftOut = (&'static str, String);

/// Bare first: the others are compared with it. `scratch` is for configurations and libraries.
pub(crate) fn all(scratch: &Path) -> io::Result<(Vec<Way>, Vec<LeftOut>)> {
    let mut ways = vec![Way::prefixed("bare", Vec::new())];
    ways.extend(hallpass()?);
    let mut left_out = Vec::new();
    let others = [
        ("empty preload", preloads::empty(scratch)),
        ("redhook", preloads::redhook()),
        ("proxychains4", rivals::proxychains(scratch)),
        ("strace", rivals::strace()),
        ("sandlock", rivals::sandlock(scratch)),
        ("syd", rivals::syd()),
    ];
    for (name, way) in others {
        match way {
            Ok(way) => ways.push(way),
            Err(error) => left_out.push((name, error.to_string())),
        }
    }
    let surroundings = surroundings(scratch)?;
    for way in &mut ways {
        way.environment.extend_from_slice(&surroundings);
    }
    Ok((ways, left_out))
}

/// The same for all ways. A person's window must not watch these sessions, nor their rules decide,
/// nor their logs grow; and whatever proxy the machine has, the servers here are on loopback.
fn surroundings(scratch: &Path) -> io::Result<Vec<(&'static str, OsString)>> {
    let mut variables = vec![
        ("no_proxy", "127.0.0.1".into()),
        ("NO_PROXY", "127.0.0.1".into()),
    ];
    for name in ["XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
        let dir = scratch.join(name);
        DirBuilder::new().mode(0o700).create(&dir)?;
        variables.push((name, dir.into()));
    }
    Ok(variables)
}

/// Everything is allowed, loopback by a rule, and nobody is asked.
fn hallpass() -> io::Result<Vec<Way>> {
    let hallpass = std::env::current_exe()?.with_file_name("hallpass");
    if !hallpass.exists() {
        return Err(io::Error::other(format!(
            "{} is missing: run `cargo build --release -p hallpass` first",
            hallpass.display()
        )));
    }
    let way = |name, guard| {
        let mut prefix = vec![hallpass.clone().into_os_string()];
        let words = [
            "run",
            guard,
            "--prompt=none",
            "--default=allow",
            "--allow=127.0.0.0/8",
            "--",
        ];
        prefix.extend(words.map(OsString::from));
        Way::prefixed(name, prefix)
    };
    Ok(vec![
        way("guard off", "--guard=off"),
        way("guard on", "--guard=on"),
    ])
}

/// Where a program is on PATH.
///
/// # Errors
/// Says that it is not there.
pub(crate) fn find(program: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        // Version managers put scripts first, which would be measured instead of the program.
        .filter(|dir| !dir.to_string_lossy().contains("shims"))
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| io::Error::other(format!("{program} is not on PATH")))
}
