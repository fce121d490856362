//! All that can be seen of a run.

use crate::harness::Outcome;
use crate::server::Heard;
use std::os::unix::process::ExitStatusExt;

/// What is made equal before a comparison, line by line; none drops the line.
#[derive(Default)]
pub(crate) struct Blur(Option<fn(&str) -> Option<String>>);

impl Blur {
    pub(crate) const fn lines(blur: fn(&str) -> Option<String>) -> Self {
        Self(Some(blur))
    }

    fn apply(&self, text: &str) -> Vec<String> {
        text.lines()
            .filter_map(|line| match self.0 {
                None => Some(line.to_owned()),
                Some(blur) => blur(line),
            })
            .collect()
    }
}

/// Digits become one `#` a run of them.
pub(crate) fn without_digits(line: &str) -> Option<String> {
    let mut blurred = String::new();
    for c in line.chars() {
        match c {
            '0'..='9' if blurred.ends_with('#') => {}
            '0'..='9' => blurred.push('#'),
            c => blurred.push(c),
        }
    }
    Some(blurred)
}

/// The one line that hallpass itself writes, at the end of a run in which it has refused something.
fn without_our_line(stderr: &str) -> String {
    let is_ours = |line: &str| {
        without_digits(line).as_deref() == Some("hallpass: # refused, # allowed (-v says what)")
    };
    let lines: Vec<&str> = stderr.split_inclusive('\n').collect();
    match lines.split_last() {
        Some((last, before)) if is_ours(last.trim_end()) => before.concat(),
        _ => stderr.to_owned(),
    }
}

/// A run as its caller and its server saw it.
#[derive(PartialEq, Eq)]
pub(crate) struct Seen {
    /// `exit 0`, `signal 9`.
    status: String,
    stdout: Vec<String>,
    stderr: Vec<String>,
    /// One entry a connection, in an order of their own: programs connect in parallel.
    heard: Vec<(Vec<String>, Vec<String>)>,
}

impl Seen {
    pub(crate) fn new(
        outcome: &Outcome,
        heard: Vec<Heard>,
        home: &str,
        port: u16,
        blur: &Blur,
    ) -> Self {
        let port = port.to_string();
        let plain = |text: &str| blur.apply(&text.replace(home, "HOME").replace(&port, "PORT"));
        let mut heard: Vec<_> = heard
            .into_iter()
            .map(|heard| {
                let bytes = plain(&String::from_utf8_lossy(&heard.bytes));
                let holders = heard.holders.iter().map(|it| it.replace(home, "HOME"));
                (bytes, holders.collect())
            })
            .collect();
        heard.sort();
        Self {
            status: match (outcome.status.code(), outcome.status.signal()) {
                (Some(code), _) => format!("exit {code}"),
                (_, signal) => format!("signal {}", signal.unwrap_or_default()),
            },
            stdout: plain(&outcome.stdout),
            stderr: plain(&without_our_line(&outcome.stderr)),
            heard,
        }
    }

    /// It exited with 0.
    #[track_caller]
    pub(crate) fn ok(&self) -> &Self {
        assert_eq!(self.status, "exit 0", "{self}");
        self
    }

    /// It exited with something else.
    #[track_caller]
    pub(crate) fn failed(&self) -> &Self {
        assert!(
            self.status.starts_with("exit ") && self.status != "exit 0",
            "{self}"
        );
        self
    }

    /// A line of stdout or stderr has `text` in it.
    #[track_caller]
    pub(crate) fn prints(&self, text: &str) -> &Self {
        let mut lines = self.stdout.iter().chain(&self.stderr);
        assert!(lines.any(|line| line.contains(text)), "no {text:?}: {self}");
        self
    }

    /// Its server has heard this many connections.
    #[track_caller]
    pub(crate) fn connects(&self, times: usize) -> &Self {
        assert_eq!(self.heard.len(), times, "{self}");
        self
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, lines) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            writeln!(f, "--- {name}\n{}", lines.join("\n"))?;
        }
        for (bytes, holders) in &self.heard {
            writeln!(
                f,
                "--- heard\n{}\n--- held by\n{}",
                bytes.join("\n"),
                holders.join("\n")
            )?;
        }
        Ok(())
    }
}
