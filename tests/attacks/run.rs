//! One attack, tried in one column as one user.

use crate::attack::{Attack, Ear, Program, Scene};
use crate::ear::Listener;
use crate::harness::{Dir, Running, Terminal, eventually};
use crate::programs::Programs;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// The longest that one try may take.
const PATIENCE: Duration = Duration::from_secs(240);
/// How long an open question waits where nobody answers.
const OPEN: &str = "4s";
const NOBODY: u32 = 65534;

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Bare,
    Off,
    On,
}

/// As whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// Whoever runs the tests.
    Myself,
    /// uid 65534, where the tests are run by root.
    Nobody,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The listener heard the token.
    GetsOut,
    /// It did not, and somebody would have been asked.
    Asked,
    /// It did not; the error that the program met.
    Stopped(String),
}

impl User {
    /// All that the tests can be.
    pub(crate) fn all() -> &'static [Self] {
        if Self::is_root() {
            &[Self::Myself, Self::Nobody]
        } else {
            &[Self::Myself]
        }
    }

    pub(crate) fn is_root() -> bool {
        nix::unistd::geteuid().is_root()
    }

    /// Without root's capabilities.
    pub(crate) fn is_unprivileged(self) -> bool {
        self == Self::Nobody || !Self::is_root()
    }

    /// Puts what changes to this user before `words`.
    fn before(self, words: Vec<String>) -> Vec<String> {
        let change = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ];
        match self {
            Self::Myself => words,
            Self::Nobody => change
                .iter()
                .map(|it| (*it).to_owned())
                .chain(words)
                .collect(),
        }
    }

    /// Gives it a home.
    fn dir(self) -> Dir {
        let dir = Dir::new();
        if self == Self::Nobody {
            let home = dir.path("home");
            let root = home.parent().unwrap();
            let own = |path: &Path| {
                let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
                nix::unistd::chown(path, Some(user), Some(group)).unwrap();
            };
            own(root);
            for entry in fs::read_dir(root).unwrap() {
                own(&entry.unwrap().path());
            }
        }
        dir
    }
}

/// What is there during one try.
struct Stage<'a> {
    attack: &'a Attack,
    column: Column,
    user: User,
    dir: Dir,
    token: String,
    bad: Listener,
    good: Listener,
    hallpass: String,
    program: Vec<String>,
    other: String,
    tries: u32,
}

/// Tries `attack`. None: its program cannot be built here.
pub(crate) fn run(
    attack: &Attack,
    column: Column,
    user: User,
    tries: u32,
    programs: &Mutex<Programs>,
) -> Option<Outcome> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let token = format!(
        "token-{}-{}.",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::SeqCst)
    );
    let dir = user.dir();
    let home = dir.path("home");
    let other = match attack.way {
        "memory" => Program::Static("plain"),
        _ => Program::C("plain"),
    };
    let (hallpass, program, other, older) = {
        let mut programs = programs.lock().unwrap();
        (
            programs.hallpass(),
            programs.words(attack.program)?,
            programs.words(other)?.remove(0),
            programs.words(Program::Static("older"))?,
        )
    };
    let stage = Stage {
        attack,
        column,
        user,
        bad: Listener::open(attack.ear, &token, &home),
        good: Listener::open(Ear::Tcp, &token, &home),
        dir,
        token,
        hallpass,
        program,
        other,
        tries,
    };
    Some(stage.play(&older))
}

impl Stage<'_> {
    fn play(&self, older: &[String]) -> Outcome {
        let older = (self.attack.scene == Scene::Older).then(|| {
            let running = self.start(self.user.before(self.words(older, "-", 0)));
            eventually("the older process", || {
                self.dir.path("home/older").exists().then_some(())
            });
            running
        });
        let session = (self.attack.scene == Scene::OtherSession).then(|| self.other_session());
        let pid = older.as_ref().map_or(0, Running::pid);
        let program = self.words(&self.program, self.attack.way, pid);
        let flags = self.flags(OPEN);
        let words = self.user.before(self.under(self.column, &flags, program));
        let said = if self.attack.scene == Scene::Terminal && self.column != Column::Bare {
            self.on_a_terminal(words)
        } else {
            self.start(words).finish_within(PATIENCE).stdout
        };
        drop(older);
        if let Some(session) = session {
            session.finish_within(PATIENCE);
        }
        // One without descriptors cannot take its directory with it.
        if self.attack.way != "starve" {
            eventually("the sessions' end", || {
                self.dir.sessions().is_empty().then_some(())
            });
        }
        if self.attack.way == "flood" && self.column != Column::Bare {
            assert!(self.good.has_heard(), "the session decides nothing more");
        }
        if self.bad.has_heard() {
            Outcome::GetsOut
        } else if self.was_asked() {
            Outcome::Asked
        } else {
            let failed = said
                .lines()
                .rev()
                .find_map(|it| it.strip_prefix("failed: "));
            Outcome::Stopped(failed.unwrap_or_default().to_owned())
        }
    }

    /// A program and its arguments.
    fn words(&self, program: &[String], way: &str, older: i32) -> Vec<String> {
        let arguments = [
            way.to_owned(),
            self.bad.port.to_string(),
            self.good.port.to_string(),
            self.token.clone(),
            self.tries.to_string(),
            older.to_string(),
            self.other.clone(),
            self.hallpass.clone(),
            // So that no new version is taken for a way that has been closed.
            hallpass_wire::VERSION.to_string(),
        ];
        program.iter().cloned().chain(arguments).collect()
    }

    /// The flags of `hallpass run`.
    fn flags(&self, open: &str) -> Vec<String> {
        let prompt = match self.attack.scene {
            Scene::Terminal => "tty",
            _ => "none",
        };
        let mut flags = vec![
            format!("--prompt={prompt}"),
            "--default=ask".to_owned(),
            format!("--allow=127.0.0.1:{}", self.good.port),
        ];
        if matches!(self.attack.scene, Scene::Patient | Scene::OtherSession) {
            flags.push(format!("--ask-timeout={open}"));
        }
        if self.attack.way == "names" {
            flags.push("--allow=allowed.lan".to_owned());
        }
        if self.attack.way.starts_with("header") {
            // What the address says is allowed; it is the packet that goes elsewhere.
            flags.push("--allow=127.0.0.1/raw".to_owned());
        }
        flags
    }

    /// `hallpass run` before the words of a program.
    fn under(&self, column: Column, flags: &[String], program: Vec<String>) -> Vec<String> {
        let guard = match column {
            Column::Bare => return program,
            Column::Off => "--guard=off",
            Column::On => "--guard=on",
        };
        let mut words = vec![self.hallpass.clone(), "run".to_owned(), guard.to_owned()];
        words.extend_from_slice(flags);
        words.push("--".to_owned());
        words.extend(program);
        words
    }

    fn start(&self, words: Vec<String>) -> Running {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.dir.bare(&words).spawn()
    }

    /// A session that somebody else has started, and that asks about the bad port.
    fn other_session(&self) -> Running {
        let column = match self.column {
            Column::Bare => Column::Off,
            column => column,
        };
        let plain = self.words(std::slice::from_ref(&self.other), "tcp", 0);
        let words = self.under(column, &self.flags("7s"), plain);
        let running = self.start(self.user.before(words));
        self.dir.session();
        // Until its question is there.
        thread::sleep(Duration::from_millis(700));
        running
    }

    /// With a question on a terminal, which no person answers for a while.
    fn on_a_terminal(&self, words: Vec<String>) -> String {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut terminal = Terminal::spawn(self.dir.bare(&words));
        terminal.question();
        thread::sleep(Duration::from_millis(4500));
        if self.attack.way == "title" {
            // What a terminal that tells its title does when the program asks for it.
            terminal.send("\u{1b}]ly\u{1b}\\");
            thread::sleep(Duration::from_millis(1000));
        }
        // A person says no, if there is still something to say no to.
        terminal.send("n");
        terminal.wait();
        let failed = fs::read_to_string(self.dir.path("home/typing.failed"));
        failed.map_or(String::new(), |it| format!("failed: {it}"))
    }

    /// Whether some call came to the question that nobody answered, or somebody with no.
    fn was_asked(&self) -> bool {
        let Ok(logs) = fs::read_dir(self.dir.path("state/hallpass")) else {
            return false;
        };
        logs.flatten().any(|log| {
            let lines = fs::read_to_string(log.path()).unwrap_or_default();
            lines.lines().any(|line| {
                let event: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
                let source = &event["source"];
                let reason = source["reason"].as_str().unwrap_or_default();
                event["kind"] == "decided"
                    && (matches!(reason, "nobody-to-ask" | "timeout") || source["from"] == "person")
            })
        })
    }
}

/// Ends what a case has started, should it still run.
impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            for session in self.dir.sessions() {
                let name = session.file_name().unwrap_or_default().to_string_lossy();
                if let Some(pid) = name.split('-').next().and_then(|it| it.parse().ok()) {
                    let _ =
                        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
        }
    }
}
