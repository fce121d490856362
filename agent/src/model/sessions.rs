//! The sessions that run, and the last things that each decided.

use crate::words;
use hallpass_session::control::protocol::Hello;
use hallpass_session::event::Kind;
use hallpass_session::verdict::Verdict;
use std::collections::VecDeque;

/// How many decisions of a session are kept.
const KEPT: usize = 100;
/// How many sessions are shown at once.
const MAX_SESSIONS: usize = 256;
/// Longest command line that is kept, in characters.
const COMMAND: usize = 500;

/// A session that runs.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its name.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// Its command line.
    pub command: String,
    /// The terminal it was started in, if there was one.
    pub terminal: Option<String>,
    /// Whether it holds everything.
    pub halted: bool,
    /// Whether it refuses all that would be asked.
    pub denies_rest: bool,
    /// Whether its command has ended, and only what it started goes on.
    pub ended: bool,
    /// The last decisions, latest first.
    pub decisions: VecDeque<Decision>,
    /// Calls allowed since the window has been there.
    pub allowed: u64,
    /// Calls refused since then.
    pub denied: u64,
}

/// Something that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// `12:34:56`, in UTC as the event has it.
    pub time: String,
    /// Who, short.
    pub app: String,
    /// Whereto, or what.
    pub target: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, with the rule.
    pub why: String,
    /// How many calls.
    pub count: u64,
}

/// All sessions, oldest first.
#[derive(Debug, Default)]
pub struct Sessions {
    all: Vec<Session>,
}

impl Sessions {
    /// All sessions, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.all.iter()
    }

    /// One session.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Session> {
        self.all.iter().find(|session| session.name == name)
    }

    /// Whether nothing runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn joined(&mut self, hello: Hello) {
        if let Some(known) = self.find(&hello.session) {
            known.halted = hello.halted;
            known.denies_rest = hello.denies_rest;
        } else if self.all.len() < MAX_SESSIONS {
            self.all.push(Session {
                command: words::command(&hello.command, COMMAND),
                name: hello.session,
                terminal: hello.terminal,
                pid: hello.pid,
                halted: hello.halted,
                denies_rest: hello.denies_rest,
                ended: false,
                decisions: VecDeque::new(),
                allowed: 0,
                denied: 0,
            });
        }
    }

    pub(super) fn left(&mut self, name: &str) {
        self.all.retain(|session| session.name != name);
    }

    pub(super) fn halted(&mut self, name: &str, halted: bool) {
        if let Some(session) = self.find(name) {
            session.halted = halted;
            // A release ends both.
            session.denies_rest &= halted;
        }
    }

    pub(super) fn denies_rest(&mut self, name: &str) {
        if let Some(session) = self.find(name) {
            session.denies_rest = true;
        }
    }

    pub(super) fn happened(&mut self, name: &str, time: &str, kind: &Kind) {
        let Some(session) = self.find(name) else {
            return;
        };
        let time = clock(time);
        match kind {
            Kind::Decided {
                flow,
                verdict,
                source,
                count,
            } => session.decided(Decision {
                time,
                app: crate::show::clip(words::base(&flow.app), 40),
                target: words::target(flow),
                verdict: *verdict,
                why: words::source(source),
                count: *count,
            }),
            Kind::Refused {
                app, what, source, ..
            } => session.decided(Decision {
                time,
                app: crate::show::clip(words::base(app), 40),
                target: crate::show::clip(what, 80),
                verdict: Verdict::Deny,
                why: words::source(source),
                count: 1,
            }),
            Kind::Ended { .. } => session.ended = true,
            _ => {}
        }
    }

    fn find(&mut self, name: &str) -> Option<&mut Session> {
        self.all.iter_mut().find(|session| session.name == name)
    }
}

impl Session {
    /// Whether something in it waits to be released.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        self.halted || self.denies_rest
    }

    fn decided(&mut self, decision: Decision) {
        match decision.verdict {
            Verdict::Allow => self.allowed = self.allowed.saturating_add(decision.count),
            Verdict::Deny => self.denied = self.denied.saturating_add(decision.count),
        }
        if let Some(last) = self.decisions.front_mut()
            && (&last.app, &last.target, last.verdict, &last.why)
                == (
                    &decision.app,
                    &decision.target,
                    decision.verdict,
                    &decision.why,
                )
        {
            last.count = last.count.saturating_add(decision.count);
            last.time = decision.time;
            return;
        }
        self.decisions.push_front(decision);
        self.decisions.truncate(KEPT);
    }
}

/// The time of day of an RFC 3339 time stamp.
fn clock(time: &str) -> String {
    let day = time.split_once('T').map_or(time, |(_, rest)| rest);
    crate::show::clip(day.get(..8).unwrap_or(day), 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hallpass_policy::Protocol;
    use hallpass_session::event::FlowLine;
    use hallpass_session::verdict::Source;

    fn hello(session: &str) -> Hello {
        Hello {
            re: 1,
            version: 1,
            session: session.to_owned(),
            pid: 7,
            command: vec!["npm".to_owned(), "install".to_owned()],
            terminal: Some("pts/3".to_owned()),
            halted: false,
            denies_rest: false,
            may_save: true,
        }
    }

    fn decided(port: u16, count: u64) -> Kind {
        Kind::Decided {
            flow: FlowLine {
                pid: 8,
                app: "/usr/bin/curl".to_owned(),
                script: false,
                package: None,
                step: None,
                proto: Protocol::Tcp,
                address: [10, 0, 0, 1].into(),
                port,
                names: Vec::new(),
                look_up: false,
            },
            verdict: Verdict::Allow,
            source: Source::Default,
            count,
        }
    }

    #[test]
    fn equal_decisions_are_one_line_with_a_count() {
        let mut sessions = Sessions::default();
        sessions.joined(hello("s"));
        for kind in [decided(80, 1), decided(80, 4), decided(81, 1)] {
            sessions.happened("s", "2026-11-24T18:01:02.5Z", &kind);
        }
        let session = sessions.get("s").unwrap();
        let lines: Vec<_> = session
            .decisions
            .iter()
            .map(|d| (d.target.as_str(), d.count, d.time.as_str()))
            .collect();
        assert_eq!(
            lines,
            [
                ("10.0.0.1:81", 1, "18:01:02"),
                ("10.0.0.1:80", 5, "18:01:02")
            ]
        );
        assert_eq!((session.allowed, session.denied), (6, 0));
    }

    #[test]
    fn only_so_many_are_kept() {
        let mut sessions = Sessions::default();
        sessions.joined(hello("s"));
        for port in 1..=500 {
            sessions.happened("s", "", &decided(port, 1));
        }
        let session = sessions.get("s").unwrap();
        assert_eq!(session.decisions.len(), KEPT);
        assert_eq!(session.decisions.front().unwrap().target, "10.0.0.1:500");
    }

    #[test]
    fn a_session_that_comes_back_is_not_shown_twice() {
        let mut sessions = Sessions::default();
        sessions.joined(hello("s"));
        sessions.joined(Hello {
            halted: true,
            denies_rest: false,
            ..hello("s")
        });
        assert_eq!(sessions.iter().count(), 1);
        assert!(sessions.get("s").unwrap().halted);
        assert_eq!(sessions.get("s").unwrap().command, "npm install");
        sessions.left("s");
        assert!(sessions.is_empty());
    }
}
