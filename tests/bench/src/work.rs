//! What is measured. Work inside a running session is done by this program again, as a worker:
//! the session's own start does not count, except where it is the thing measured.

use crate::fixtures::Fixtures;
use crate::patience;
use crate::way::{Way, find};
use crate::worker;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    kind: Kind,
}

enum Kind {
    /// The worker's own loop, by the work's name.
    Loop,
    /// The worker starts a command so often.
    Start(u32, &'static [&'static str]),
    /// The same, with a command that needs files or a server made first.
    Client(u32, fn(&Fixtures) -> io::Result<Vec<OsString>>),
    /// The way itself starts `true`: the price of a whole run.
    Whole,
}

/// What one sample needs, made once for all of a work.
pub(crate) enum Job<'a> {
    Loop(&'static str, &'a Fixtures),
    Start(u32, Vec<OsString>, &'a Fixtures),
    Whole(&'a Fixtures),
}

impl Work {
    pub(crate) fn all() -> Vec<Self> {
        use Kind::{Client, Loop, Start, Whole};
        let work = |name, what, kind| Self { name, what, kind };
        vec![
            work(
                "exec",
                "start /bin/true, inside a running session",
                Start(25, &["true"]),
            ),
            work(
                "connect",
                "connect + close on loopback, always to the same port",
                Loop,
            ),
            work(
                "connect-new",
                "connect + close, each time to another address: nothing is cached",
                Loop,
            ),
            work(
                "unix-round-trip",
                "one new AF_UNIX connection, a question, an answer: the yardstick for an ask",
                Loop,
            ),
            work("sendto-address", "sendto with an address, UDP", Loop),
            work("send", "send on a connected UDP socket", Loop),
            work(
                "sendto",
                "sendto without an address on a connected UDP socket",
                Loop,
            ),
            work("sendmsg", "sendmsg on a connected UDP socket", Loop),
            work(
                "sendmmsg",
                "sendmmsg of 8 messages on a connected UDP socket",
                Loop,
            ),
            work("getppid", "a system call that is nobody's business", Loop),
            work(
                "curl",
                "curl --version, inside a running session",
                Start(5, &["curl", "--version"]),
            ),
            work(
                "git",
                "git --version, inside a running session",
                Start(10, &["git", "--version"]),
            ),
            work(
                "python3",
                "python3 -c pass, inside a running session",
                Start(3, &["python3", "-c", "pass"]),
            ),
            work(
                "node",
                "node -e 0, inside a running session",
                Start(2, &["node", "-e", "0"]),
            ),
            work(
                "http",
                "one of 1,000 short HTTP requests, a connection each",
                Loop,
            ),
            work("curl-1m", "curl of 1 MB", Client(5, Fixtures::curl)),
            work(
                "git-clone",
                "git clone over HTTP, 200 files",
                Client(1, Fixtures::git_clone),
            ),
            work(
                "npm-ci",
                "npm ci of 10 packages, nothing cached",
                Client(1, Fixtures::npm_ci),
            ),
            work(
                "whole-run",
                "`true`, the session's start and end included",
                Whole,
            ),
        ]
    }

    /// Whether a way has any bearing on it.
    pub(crate) fn is_for(&self, way: &Way) -> bool {
        !way.only_starts || matches!(self.kind, Kind::Start(..) | Kind::Whole)
    }

    /// # Errors
    /// The program is not installed, or its files could not be made.
    pub(crate) fn prepare<'a>(&self, fixtures: &'a Fixtures) -> io::Result<Job<'a>> {
        Ok(match self.kind {
            Kind::Loop => Job::Loop(self.name, fixtures),
            Kind::Whole => Job::Whole(fixtures),
            Kind::Client(count, command) => Job::Start(count, command(fixtures)?, fixtures),
            Kind::Start(count, words) => {
                let (program, rest) = words.split_first().unwrap_or((&"true", &[]));
                let mut command = vec![find(program)?.into_os_string()];
                command.extend(rest.iter().map(Into::into));
                Job::Start(count, command, fixtures)
            }
        })
    }
}

impl Job<'_> {
    /// Nanoseconds an operation.
    pub(crate) fn sample(&self, way: &Way) -> io::Result<Vec<f64>> {
        match self {
            Self::Whole(fixtures) => whole(way, fixtures).map(|taken| vec![taken]),
            Self::Start(count, command, fixtures) => {
                let mut arguments = vec!["start".into(), count.to_string().into()];
                arguments.push(fixtures.fresh().into());
                arguments.extend(command.iter().cloned());
                in_worker(way, &arguments, fixtures)
            }
            Self::Loop(name, fixtures) => {
                let arguments = [vec![(*name).into()], fixtures.loop_arguments()];
                in_worker(way, &arguments.concat(), fixtures)
            }
        }
    }
}

fn whole(way: &Way, fixtures: &Fixtures) -> io::Result<f64> {
    let mut command = way.command(Path::new("/bin/true"));
    let start = Instant::now();
    patience::run(&mut command, fixtures.scratch())?;
    Ok(worker::nanoseconds(start))
}

fn in_worker(way: &Way, arguments: &[OsString], fixtures: &Fixtures) -> io::Result<Vec<f64>> {
    let me = std::env::current_exe()?;
    let mut command: Command = way.command(&me);
    command.arg(worker::WORD).args(arguments);
    let text = patience::run(&mut command, fixtures.scratch())?;
    let samples: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    if samples.is_empty() {
        return Err(io::Error::other("the worker printed no figure"));
    }
    Ok(samples)
}
