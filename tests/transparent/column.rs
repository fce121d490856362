//! The table's columns, and what a case runs in.

use crate::expected;
use crate::harness::{Dir, Outcome, TestCommand};
use crate::seen::{Blur, Seen};
use crate::server::Server;
use std::net::{Ipv4Addr, TcpListener};

/// Neither root nor anybody who owns files.
const NOBODY: u32 = 65534;

/// A way to run a command.
pub(crate) struct Column {
    /// As it is called in [`expected`].
    pub(crate) name: &'static str,
    /// The flags of `hallpass run`; none for a bare run.
    flags: Option<&'static [&'static str]>,
}

/// The reference.
static BARE: Column = Column {
    name: "bare",
    flags: None,
};

/// What is compared with it.
static ALLOWED: [Column; 2] = [
    Column {
        name: "hooked",
        flags: Some(&["--guard=off", "--prompt=none", "--default", "allow"]),
    },
    Column {
        name: "guarded",
        flags: Some(&["--guard=on", "--prompt=none", "--default", "allow"]),
    },
];

/// How often a case runs where everything is allowed.
pub(crate) const COLUMNS: usize = 1 + ALLOWED.len();

/// Runs `case` in every column where everything is allowed, bare first, without a server.
pub(crate) fn each_column<T>(case: impl Fn(&Place<'_>) -> T) -> Vec<(&'static str, T)> {
    let run = |column: &'static Column| {
        let place = Place {
            dir: Dir::new(),
            port: 0,
            column,
        };
        (column.name, case(&place))
    };
    let columns = std::iter::once(&BARE).chain(&ALLOWED);
    columns.map(run).collect()
}

/// What is compared with a bare run against a port that nobody listens on.
const REFUSED: [Column; 2] = [
    Column {
        name: "hooked",
        flags: Some(&["--guard=off", "--prompt=none", "--default", "deny"]),
    },
    Column {
        name: "guarded",
        flags: Some(&["--guard=on", "--prompt=none", "--default", "deny"]),
    },
];

/// What a case runs in: a home and a column.
pub(crate) struct Place<'a> {
    /// A home of its own, another one in each column.
    pub(crate) dir: Dir,
    /// What its programs connect to.
    pub(crate) port: u16,
    column: &'a Column,
}

impl Place<'_> {
    /// A command of this column.
    pub(crate) fn command(&self, words: &[&str]) -> TestCommand {
        match self.column.flags {
            None => self.dir.bare(words),
            Some(flags) => self.dir.run(flags, words),
        }
    }

    /// A command of this column; where the tests run as root, as a user without privileges.
    #[track_caller]
    pub(crate) fn unprivileged(&self, words: &[&str]) -> TestCommand {
        if !nix::unistd::geteuid().is_root() {
            return self.command(words);
        }
        for name in ["", "home", "config", "state", "cache", "run"] {
            let path = self.dir.path(name);
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        // Where it was built others may not look.
        let hallpass = self.dir.path("hallpass").to_str().unwrap().to_owned();
        std::fs::copy(env!("CARGO_BIN_EXE_hallpass"), &hallpass).unwrap();
        let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
        let mut all = vec!["setpriv", &user, &group, "--clear-groups"];
        if let Some(flags) = self.column.flags {
            all.extend([&hallpass, "run"]);
            all.extend(flags);
            all.push("--");
        }
        all.extend(words);
        self.dir.bare(&all)
    }

    /// Runs a command to its end.
    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> Outcome {
        self.command(words).output()
    }

    /// Runs a shell script to its end.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> Outcome {
        self.run(&["sh", "-c", script])
    }

    /// The server's URL.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

/// A case: how it is compared, and with which server.
#[derive(Default)]
pub(crate) struct Case {
    server: Server,
    blur: Blur,
}

impl Case {
    /// With this server instead of one with a single page.
    pub(crate) fn server(mut self, server: Server) -> Self {
        self.server = server;
        self
    }

    /// Text that differs from one bare run to the next is made equal first.
    pub(crate) fn blur(mut self, blur: Blur) -> Self {
        self.blur = blur;
        self
    }

    /// Runs it in every column; nothing may differ from the bare run, which is given.
    #[track_caller]
    pub(crate) fn same(self, case: impl Fn(&Place<'_>) -> Outcome) -> Seen {
        let bare = self.see(&BARE, self.server.port(), &case);
        for column in &ALLOWED {
            let other = self.see(column, self.server.port(), &case);
            expected::check(column.name, &bare, &other);
        }
        bare
    }

    /// Runs it bare against a closed port, then refused against an open one: the same words and
    /// status, and the server has seen nothing. Gives what the bare run was.
    #[track_caller]
    pub(crate) fn refused(self, case: impl Fn(&Place<'_>) -> Outcome) -> Seen {
        self.refused_in(&REFUSED, case)
    }

    /// The same for a program that only the guard reaches.
    #[track_caller]
    pub(crate) fn refused_by_the_guard(self, case: impl Fn(&Place<'_>) -> Outcome) -> Seen {
        let [_, guarded] = &REFUSED;
        self.refused_in(std::slice::from_ref(guarded), case)
    }

    #[track_caller]
    fn refused_in(self, columns: &[Column], case: impl Fn(&Place<'_>) -> Outcome) -> Seen {
        let bare = self.see(&BARE, closed_port(), &case);
        for column in columns {
            let other = self.see(column, self.server.port(), &case);
            let reached = self.server.connections();
            assert_eq!(reached, 0, "reached its server: {other}");
            expected::check(column.name, &bare, &other);
        }
        bare
    }

    fn see(&self, column: &Column, port: u16, case: impl Fn(&Place<'_>) -> Outcome) -> Seen {
        let place = Place {
            dir: Dir::new(),
            port,
            column,
        };
        let outcome = case(&place);
        let home = place
            .dir
            .path("")
            .to_str()
            .unwrap()
            .trim_end_matches('/')
            .to_owned();
        Seen::new(&outcome, self.server.take(), &home, port, &self.blur)
    }
}

/// Runs in every column with a server of one page; nothing may differ.
#[track_caller]
pub(crate) fn same(case: impl Fn(&Place<'_>) -> Outcome) -> Seen {
    Case::default().same(case)
}

/// Runs bare against a closed port, and refused: nothing may differ.
#[track_caller]
pub(crate) fn refused(case: impl Fn(&Place<'_>) -> Outcome) -> Seen {
    Case::default().refused(case)
}

/// A port that nobody listens on.
pub(crate) fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
