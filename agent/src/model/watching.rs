//! What a person does with sessions while they look on: live connections, halt and release, and
//! saved rules that have changed.

use super::{Model, Sent};
use hallpass_session::control::protocol::{Call, FlowId};
use std::time::Instant;

impl Model {
    /// Live connections are on screen, or not any more.
    pub fn live_on_screen(&mut self, is_on_screen: bool) {
        self.live.on_screen(is_on_screen && self.is_shown);
    }

    /// Asks for the live connections that are on screen, where it is time.
    pub fn look(&mut self, now: Instant) {
        if !self.live.is_on_screen() {
            return;
        }
        let sessions: Vec<String> = self.sessions.iter().map(|s| s.name.clone()).collect();
        for session in sessions {
            if self.live.is_due(&session, now) {
                self.send(&session, Call::Flows, Sent::Look(session.clone()));
            }
        }
    }

    /// Ends a live connection; rules stay as they are.
    pub fn end(&mut self, session: &str, flow: FlowId, now: Instant) {
        if !self.live.may_end(session, flow, now) {
            return;
        }
        let call = Call::End {
            flow,
            reset: false,
            deny: false,
        };
        self.send(session, call, Sent::End(session.to_owned(), flow));
    }

    /// Holds everything in a session, or lets it go on.
    pub fn halt(&mut self, session: &str, halt: bool) {
        let call = if halt { Call::Halt } else { Call::Release };
        self.send(session, call, Sent::Halt(session.to_owned(), halt));
    }

    /// Tells every session that the saved rules are others.
    pub fn rules_changed(&mut self) {
        let sessions: Vec<String> = self.sessions.iter().map(|s| s.name.clone()).collect();
        for session in sessions {
            self.send(&session, Call::RulesChanged, Sent::Other);
        }
    }
}
