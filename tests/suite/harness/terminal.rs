//! A real pseudo-terminal with a program in it, driven as a person would. A failing case prints
//! all that went over it.

use super::{Dir, PATIENCE, TestCommand};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, tcgetpgrp};
use pty_process::Size;
use pty_process::blocking::{Command, Pty};
use std::io::{Read, Write};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How a question begins, and the last thing it shows before it waits for a key.
const QUESTION_STARTS: &str = "┌ hallpass";
const QUESTION_ENDS: &str = "allow? y/n";
/// The keys of the answers that hold for the calls that wait now only.
const ALLOW_ONCE: &str = "1y";
const DENY_ONCE: &str = "1n";

/// A terminal of 30 rows and 100 columns.
pub(crate) struct Terminal {
    pty: Arc<Pty>,
    child: Child,
    shared: Arc<Shared>,
    /// How much of the plain text earlier `expect`s have consumed.
    mark: usize,
    status: Option<ExitStatus>,
}

struct Shared {
    seen: Mutex<Seen>,
    more: Condvar,
}

struct Seen {
    raw: Vec<u8>,
    plain: String,
    screen: vt100::Parser,
    ended: bool,
}

impl Terminal {
    /// An interactive bash that has shown its prompt, `outer> `.
    #[track_caller]
    pub(crate) fn shell(dir: &Dir) -> Self {
        let bash = dir.bare(&["bash", "--norc", "--noprofile", "-i"]);
        let mut terminal = Self::spawn(bash.env("PS1", "outer> "));
        terminal.expect("outer> ");
        terminal
    }

    /// Starts `command` as the leader of a session whose terminal this is.
    #[track_caller]
    pub(crate) fn spawn(command: TestCommand) -> Self {
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(Size::new(30, 100)).unwrap();
        let child = Command::from(command.for_terminal()).spawn(pts).unwrap();
        let pty = Arc::new(pty);
        let shared = Arc::new(Shared {
            seen: Mutex::new(Seen {
                raw: Vec::new(),
                plain: String::new(),
                screen: vt100::Parser::new(30.try_into().unwrap(), 100.try_into().unwrap(), 0),
                ended: false,
            }),
            more: Condvar::new(),
        });
        let (from, to) = (Arc::clone(&pty), Arc::clone(&shared));
        thread::spawn(move || collect(&from, &to));
        Self {
            pty,
            child,
            shared,
            mark: 0,
            status: None,
        }
    }

    /// The program's process.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Types `keys`.
    #[track_caller]
    pub(crate) fn send(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    /// Types `line` and Enter.
    #[track_caller]
    pub(crate) fn send_line(&self, line: &str) {
        self.send(&format!("{line}\r"));
    }

    /// Changes the terminal's size; the foreground group gets SIGWINCH.
    #[track_caller]
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.pty.resize(Size::new(rows, columns)).unwrap();
    }

    /// Waits until `text` is shown after what earlier calls waited for; gives what came before it,
    /// without the terminal's escape sequences.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        self.expect_within(text, *PATIENCE)
    }

    /// The same, with another limit.
    #[track_caller]
    pub(crate) fn expect_within(&mut self, text: &str, limit: Duration) -> String {
        match self.find(text, limit) {
            Some(before) => before,
            None => panic!(
                "no {text:?} within {limit:?}; what came instead:\n{}\n(whole transcript below)",
                &self.plain()[self.mark..]
            ),
        }
    }

    /// Presses a key that changes what an answer would be, and waits until the question shows it:
    /// many keys in one read would be a paste, which answers nothing.
    #[track_caller]
    pub(crate) fn choose(&mut self, key: &str) {
        self.send(key);
        self.question();
    }

    /// Waits for a question of hallpass's and gives its text.
    #[track_caller]
    pub(crate) fn question(&mut self) -> String {
        self.expect(QUESTION_STARTS);
        self.expect(QUESTION_ENDS)
    }

    /// Answers the question that is shown for the calls that wait now only.
    #[track_caller]
    pub(crate) fn answer_once(&self, allow: bool) {
        self.send(if allow { ALLOW_ONCE } else { DENY_ONCE });
    }

    fn find(&mut self, text: &str, limit: Duration) -> Option<String> {
        let end = Instant::now() + limit;
        let mut seen = self.shared.seen.lock().unwrap();
        loop {
            let fresh = &seen.plain[self.mark..];
            if let Some(at) = fresh.find(text) {
                let before = fresh[..at].to_owned();
                self.mark += at + text.len();
                return Some(before);
            }
            let left = end.checked_duration_since(Instant::now())?;
            if seen.ended {
                return None;
            }
            seen = self.shared.more.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// All that was shown, without escape sequences.
    pub(crate) fn plain(&self) -> String {
        self.shared.seen.lock().unwrap().plain.clone()
    }

    /// What a person sees now.
    pub(crate) fn screen(&self) -> String {
        self.shared.seen.lock().unwrap().screen.screen().contents()
    }

    /// Waits for the program's end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.status = Some(status);
                return status;
            }
            assert!(
                start.elapsed() < *PATIENCE,
                "the program in the terminal does not end"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if thread::panicking() {
            let seen = self.shared.seen.lock().unwrap();
            eprintln!(
                "--- transcript of the terminal\n{}\n--- its screen\n{}\n--- status {:?}",
                escaped(&seen.raw),
                seen.screen.screen().contents(),
                self.status
            );
        }
        if self.status.is_none() {
            let foreground = tcgetpgrp(&*self.pty);
            // The groups of this terminal's session can only be ours.
            let _ = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
            if let Ok(group) = foreground
                && group.as_raw() > 1
            {
                let _ = killpg(group, Signal::SIGKILL);
            }
            let _ = self.child.wait();
        }
    }
}

/// Reads until nobody has the terminal open any more (EIO).
fn collect(pty: &Pty, shared: &Shared) {
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = (&*pty).read(&mut chunk) {
        let mut seen = shared.seen.lock().unwrap();
        seen.raw.extend(&chunk[..length]);
        seen.screen.process(&chunk[..length]);
        seen.plain = strip(&String::from_utf8_lossy(&seen.raw));
        shared.more.notify_all();
    }
    shared.seen.lock().unwrap().ended = true;
    shared.more.notify_all();
}

/// Without escape sequences, bells and carriage returns. What is already stripped never changes
/// when more arrives.
fn strip(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next() {
                Some('[') => while rest.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                Some(']') => while rest.next().is_some_and(|c| c != '\u{7}' && c != '\\') {},
                Some('(' | ')') => drop(rest.next()),
                _ => {}
            },
            '\r' | '\u{7}' | '\u{fffd}' => {}
            c => out.push(c),
        }
    }
    out
}

/// Lines as they are, control characters visible.
fn escaped(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw)
        .split('\n')
        .map(|line| line.escape_debug().to_string())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn stripping_keeps_what_a_person_reads() {
    assert_eq!(
        strip("a\u{1b}[1;31mb\u{1b}[0m\r\nc\u{1b}]0;t\u{7}d"),
        "ab\ncd"
    );
    assert_eq!(strip("a\u{1b}["), "a");
}
