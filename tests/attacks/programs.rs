//! The programs, compiled once for each process of the tests, where every user can run them.

use crate::attack::Program;
use crate::harness::missing;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory with the compiled programs and a copy of hallpass.
pub(crate) struct Programs {
    directory: tempfile::TempDir,
    built: HashMap<Program, PathBuf>,
}

impl Programs {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("hp-attacks-")
            .tempdir_in("/tmp")
            .unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // The one that was built may be where only its builder can read.
        let copy = directory.path().join("hallpass");
        fs::copy(env!("CARGO_BIN_EXE_hallpass"), &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            directory,
            built: HashMap::new(),
        }
    }

    /// The path of hallpass.
    pub(crate) fn hallpass(&self) -> String {
        text(&self.directory.path().join("hallpass"))
    }

    /// The words that start a program, compiled if need be. None where its compiler is missing.
    pub(crate) fn words(&mut self, program: Program) -> Option<Vec<String>> {
        if let Some(path) = self.built.get(&program) {
            return Some(words(program, path));
        }
        let source = |name: &str, extension: &str| {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../tests/attacks/programs")
                .join(format!("{name}.{extension}"))
        };
        let (name, compiler, flags, from): (_, _, &[&str], _) = match program {
            Program::C(name) => (name, "cc", &["-O1", "-w", "-pthread"], source(name, "c")),
            Program::Static(name) => (
                name,
                "cc",
                &["-O1", "-w", "-pthread", "-static"],
                source(name, "c"),
            ),
            Program::Nothing(name) => (
                name,
                "cc",
                &["-O1", "-w", "-static", "-nostdlib", "-fno-stack-protector"],
                source(name, "c"),
            ),
            Program::Go(name) => (name, "go", &["build"], source(name, "go")),
            Program::Python(name) => (name, "python3", &[], source(name, "py")),
            Program::None => return None,
        };
        if missing(compiler) {
            return None;
        }
        let kind = match program {
            Program::Static(_) => "static-",
            _ => "",
        };
        let path = self.directory.path().join(format!("{kind}{name}"));
        if compiler == "python3" {
            fs::copy(&from, &path).unwrap();
        } else {
            let mut command = Command::new(compiler);
            command.args(flags).arg("-o").arg(&path).arg(&from);
            if compiler == "go" {
                let scratch = |name: &str| self.directory.path().join(name);
                command
                    .env("GOCACHE", scratch("go-cache"))
                    .env("GOPATH", scratch("go"))
                    .env("GOTOOLCHAIN", "local")
                    .env("CGO_ENABLED", "0");
            }
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {said}", from.display());
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let words = words(program, &path);
        self.built.insert(program, path);
        Some(words)
    }
}

fn words(program: Program, path: &Path) -> Vec<String> {
    match program {
        Program::Python(_) => vec!["/usr/bin/python3".to_owned(), text(path)],
        _ => vec![text(path)],
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
