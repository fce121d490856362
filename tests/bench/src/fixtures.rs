//! What the programs that are measured work on: files behind a server, a repository, packages.

mod npm;
mod repository;

use crate::servers;
use crate::way::find;
use crate::worker::FRESH;
use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) struct Fixtures {
    scratch: PathBuf,
    /// What the server gives away.
    root: PathBuf,
    http: u16,
    echo: PathBuf,
    /// How many paths were given to workers.
    given: Cell<u32>,
}

impl Fixtures {
    pub(crate) fn make(scratch: &Path) -> io::Result<Self> {
        let root = scratch.join("www");
        fs::create_dir(&root)?;
        fs::write(root.join("1m"), vec![b'x'; 1_000_000])?;
        fs::write(root.join("short"), [b'x'; 200])?;
        let echo = scratch.join("echo");
        servers::echo(&echo)?;
        Ok(Self {
            scratch: scratch.to_owned(),
            http: servers::files(root.clone())?,
            root,
            echo,
            given: Cell::new(0),
        })
    }

    /// For a loop: a UNIX socket that echoes, a port that speaks HTTP.
    pub(crate) fn loop_arguments(&self) -> Vec<OsString> {
        vec![self.echo.clone().into(), self.http.to_string().into()]
    }

    /// A path where nothing is yet, nor at the same with something appended.
    pub(crate) fn fresh(&self) -> PathBuf {
        self.given.set(self.given.get() + 1);
        self.scratch.join(format!("fresh-{}", self.given.get()))
    }

    /// A directory of this run.
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    fn url(&self, file: &str) -> String {
        format!("http://127.0.0.1:{}/{file}", self.http)
    }

    pub(crate) fn curl(&self) -> io::Result<Vec<OsString>> {
        let words = ["-sS", "--fail", "-o", "/dev/null", &self.url("1m")];
        command("curl", &words)
    }

    pub(crate) fn git_clone(&self) -> io::Result<Vec<OsString>> {
        repository::make(&self.scratch, &self.root.join("bench.git"))?;
        command("git", &["clone", "-q", &self.url("bench.git"), FRESH])
    }

    pub(crate) fn npm_ci(&self) -> io::Result<Vec<OsString>> {
        let project = self.scratch.join("npm");
        npm::make(&project, &self.root, &self.url(""))?;
        let quiet = ["--no-audit", "--no-fund", "--no-update-notifier"];
        let mut words = command("npm", &["ci", "--cache", FRESH, "--prefix"])?;
        words.push(project.into());
        words.extend(quiet.map(OsString::from));
        Ok(words)
    }
}

fn command(program: &str, words: &[&str]) -> io::Result<Vec<OsString>> {
    let mut command = vec![find(program)?.into_os_string()];
    command.extend(words.iter().map(OsString::from));
    Ok(command)
}

/// Runs a program that makes something.
fn run(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "{:?}: {}: {}",
        command.get_program(),
        output.status,
        text.lines().last().unwrap_or_default()
    )))
}
