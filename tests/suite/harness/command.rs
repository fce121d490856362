//! Commands that run without a terminal, cannot hang, and show all they said when a case fails.

use super::dir::{Dir, PATH};
use super::{PATIENCE, eventually_within};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A command that is about to run.
pub(crate) struct TestCommand {
    words: Vec<String>,
    command: Command,
    stdin: Vec<u8>,
}

impl TestCommand {
    pub(super) fn new(words: &[&str], dir: &Dir) -> Self {
        // setsid: a session without a terminal, so that nothing asks the developer; it execs in
        // place, so the child's pid and status are the program's own.
        let mut command = Command::new("/usr/bin/setsid");
        command.args(words);
        command.env_clear();
        command.env("PATH", PATH);
        command.env("LANG", "C.UTF-8");
        command.env("TERM", "xterm");
        command.env("HOME", dir.path("home"));
        command.env("XDG_CONFIG_HOME", dir.path("config"));
        command.env("XDG_STATE_HOME", dir.path("state"));
        command.env("XDG_CACHE_HOME", dir.path("cache"));
        command.env("XDG_RUNTIME_DIR", dir.path("run"));
        command.current_dir(dir.path("home"));
        Self {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            command,
            stdin: Vec::new(),
        }
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What it reads; nothing unless said.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// The command with a terminal instead: no setsid, the terminal makes the session.
    pub(super) fn for_terminal(self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
        command.env_clear();
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if let Some(dir) = self.command.get_current_dir() {
            command.current_dir(dir);
        }
        command
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn spawn(mut self) -> Running {
        self.command.stdin(Stdio::piped());
        self.command.stdout(Stdio::piped());
        self.command.stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let bytes = std::mem::take(&mut self.stdin);
        // Whoever does not read all of it (head) is right to do so.
        thread::spawn(move || drop(stdin.write_all(&bytes)));
        let stdout = Pipe::read(child.stdout.take().unwrap());
        let stderr = Pipe::read(child.stderr.take().unwrap());
        Running {
            words: self.words.join(" "),
            child,
            stdout,
            stderr,
            status: None,
        }
    }

    /// Runs it to its end, and to the end of what it and its children write.
    #[track_caller]
    pub(crate) fn output(self) -> Outcome {
        self.spawn().finish()
    }
}

/// A pipe that a thread reads to its end.
#[derive(Clone)]
struct Pipe(Arc<Mutex<(Vec<u8>, bool)>>);

impl Pipe {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let shared = Arc::new(Mutex::new((Vec::new(), false)));
        let filled = Arc::clone(&shared);
        thread::spawn(move || {
            let mut chunk = [0; 65536];
            while let Ok(length @ 1..) = from.read(&mut chunk) {
                filled.lock().unwrap().0.extend(&chunk[..length]);
            }
            filled.lock().unwrap().1 = true;
        });
        Self(shared)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap().0).into_owned()
    }

    fn ended(&self) -> bool {
        self.0.lock().unwrap().1
    }
}

/// A command that runs. Killed with its process group where a case ends before it; what it leaves
/// in the background when it has ended is the case's own business.
pub(crate) struct Running {
    words: String,
    child: Child,
    stdout: Pipe,
    stderr: Pipe,
    status: Option<ExitStatus>,
}

impl Running {
    /// Its process.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Sends it a signal.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// What it has written to stdout so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it has written to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// True until it has ended.
    pub(crate) fn is_running(&mut self) -> bool {
        if self.status.is_none() {
            self.status = self.child.try_wait().unwrap();
        }
        self.status.is_none()
    }

    /// Waits for it alone, no longer than `limit`.
    #[track_caller]
    pub(crate) fn wait_within(&mut self, limit: Duration) -> ExitStatus {
        let start = std::time::Instant::now();
        while self.is_running() {
            if start.elapsed() > limit {
                panic!("still running after {limit:?}: {}", self.describe());
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.status.unwrap()
    }

    /// Waits until stdout has `text` in it.
    #[track_caller]
    pub(crate) fn expect_stdout(&self, text: &str) {
        eventually_within(*PATIENCE, &format!("{text:?} in {}", self.words), || {
            self.stdout().contains(text).then_some(())
        });
    }

    /// Waits for its end and for the end of both pipes.
    #[track_caller]
    pub(crate) fn finish(self) -> Outcome {
        self.finish_within(*PATIENCE)
    }

    /// The same, with another limit.
    #[track_caller]
    pub(crate) fn finish_within(mut self, limit: Duration) -> Outcome {
        let status = self.wait_within(limit);
        let start = std::time::Instant::now();
        while !(self.stdout.ended() && self.stderr.ended()) {
            if start.elapsed() > limit {
                panic!(
                    "ended, but somebody holds its pipes open: {}",
                    self.describe()
                );
            }
            thread::sleep(Duration::from_millis(2));
        }
        Outcome {
            words: self.words.clone(),
            status,
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        }
    }

    fn describe(&self) -> String {
        show(&self.words, self.status, &self.stdout(), &self.stderr())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.describe());
        }
        if self.is_running() {
            // The group's members can only be ours: it was made by setsid.
            let _ = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// How a command ended, and what it wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    words: String,
    /// As the parent sees it.
    pub(crate) status: ExitStatus,
    /// All of stdout.
    pub(crate) stdout: String,
    /// All of stderr.
    pub(crate) stderr: String,
}

impl Outcome {
    /// It exited with 0.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.code(0)
    }

    /// It exited with `code`.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }

    /// It exited with anything but 0, by itself.
    #[track_caller]
    pub(crate) fn failed(self) -> Self {
        assert!(
            matches!(self.status.code(), Some(1..)),
            "should have failed: {self}"
        );
        self
    }

    /// It was ended by `signal`.
    #[track_caller]
    pub(crate) fn signal(self, signal: Signal) -> Self {
        assert_eq!(self.status.signal(), Some(signal as i32), "{self}");
        self
    }

    /// `text` is in stdout.
    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no {text:?} on stdout: {self}");
        self
    }

    /// `text` is in stderr, whatever the case of its letters.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.to_lowercase().contains(&text.to_lowercase()),
            "no {text:?} on stderr: {self}"
        );
        self
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&show(
            &self.words,
            Some(self.status),
            &self.stdout,
            &self.stderr,
        ))
    }
}

fn show(words: &str, status: Option<ExitStatus>, stdout: &str, stderr: &str) -> String {
    let status = status.map_or_else(|| "running".to_owned(), |status| status.to_string());
    let clip = |text: &str| text.chars().take(4000).collect::<String>();
    format!(
        "\n  $ {}\n  {status}\n--- stdout\n{}\n--- stderr\n{}\n---",
        clip(words),
        clip(stdout),
        clip(stderr)
    )
}
