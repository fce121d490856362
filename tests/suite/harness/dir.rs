//! A home of its own for each case: nothing of the developer's is read, nothing is left behind.

use super::{TestCommand, eventually};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where programs are looked for: the system's own, not what the developer has put before them.
pub(crate) const PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";

/// A temporary directory that is HOME and every XDG directory of the commands made from it.
pub(crate) struct Dir {
    root: tempfile::TempDir,
}

impl Dir {
    /// Makes one. The path is short: socket paths are limited to 107 bytes.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new()
            .prefix("hp-")
            .tempdir_in("/tmp")
            .unwrap();
        for name in ["home", "config", "state", "cache", "run"] {
            let path = root.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        }
        Self { root }
    }

    /// The path of `name` inside.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file, and the directories it is in.
    #[track_caller]
    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    /// Writes a program.
    #[track_caller]
    pub(crate) fn script(&self, name: &str, contents: &str) -> String {
        let path = self.write(name, contents);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Where `hallpass rules` keeps the saved rules.
    pub(crate) fn rules_file(&self) -> PathBuf {
        self.path("config/hallpass/rules.json")
    }

    /// A command without hallpass, in the same surroundings.
    pub(crate) fn bare(&self, command: &[&str]) -> TestCommand {
        TestCommand::new(command, self)
    }

    /// `hallpass ARGS`.
    pub(crate) fn hallpass(&self, args: &[&str]) -> TestCommand {
        let mut command = vec![env!("CARGO_BIN_EXE_hallpass")];
        command.extend(args);
        self.bare(&command)
    }

    /// `hallpass run FLAGS -- COMMAND`, with or without the guard as `HALLPASS_TEST_GUARD` says
    /// (`on`, `off`) where FLAGS do not.
    pub(crate) fn run(&self, flags: &[&str], command: &[&str]) -> TestCommand {
        let guard = std::env::var("HALLPASS_TEST_GUARD").map(|value| format!("--guard={value}"));
        let mut args = vec!["run"];
        if let Ok(guard) = &guard
            && !flags.iter().any(|flag| flag.starts_with("--guard"))
        {
            args.push(guard);
        }
        args.extend(flags);
        args.push("--");
        args.extend(command);
        self.hallpass(&args)
    }

    /// The runtime directories of sessions, with their names.
    pub(crate) fn sessions(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path("run/hallpass")) else {
            return Vec::new();
        };
        entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect()
    }

    /// Waits for a session that serves its control socket, and gives its runtime directory.
    #[track_caller]
    pub(crate) fn session(&self) -> PathBuf {
        eventually("a session's control socket", || {
            self.sessions()
                .into_iter()
                .find(|path| path.join("control").exists())
        })
    }

    /// The session's process: its name is `PID-8hex`.
    #[track_caller]
    pub(crate) fn session_pid(&self) -> i32 {
        let session = self.session();
        let name = session.file_name().unwrap().to_str().unwrap();
        name.split('-').next().unwrap().parse().unwrap()
    }

    /// Waits until no session, no runtime directory and no process of this home is left.
    #[track_caller]
    pub(crate) fn expect_nothing_left(&self) {
        eventually("the runtime directory to be gone", || {
            self.sessions().is_empty().then_some(())
        });
        eventually("the last process to be gone", || {
            let left = processes_with_home(self.root.path());
            left.is_empty().then_some(())
        });
    }
}

/// Processes whose environment names this home.
fn processes_with_home(home: &Path) -> Vec<u32> {
    let needle = format!("HOME={}", home.join("home").display());
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
                environ
                    .split(|byte| *byte == 0)
                    .any(|entry| entry == needle.as_bytes())
            })
        })
        .collect()
}
