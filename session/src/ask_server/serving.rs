//! What a caller of this session has asked for, and what it gets.

use super::{AskServer, verdict_reply};
use crate::core::{Asked, LookedUp};
use crate::event::Kind;
use crate::identity::Identity;
use crate::names::Noted;
use crate::targets::{protocol, socket_address};
use crate::verdict::{Fallback, Source, Verdict};
use hallpass_wire::{Ask, NameReport, Refused, Reply, Request};
use mio::Token;

impl AskServer {
    pub(super) fn serve(&mut self, token: Token, pid: u32, identity: &Identity, request: &Request) {
        match request {
            Request::Ask(ask) => self.ask(token, pid, identity, ask),
            Request::Names(report) => self.look_up(token, pid, identity, report),
            Request::Refused(refused) => {
                self.core
                    .record_refusal(refused_by_hook(pid, identity, *refused), &identity.runs);
                self.say(token, Reply::Noted);
            }
            Request::Started => {
                // Not by its stamp, which tells nobody who it is as a parent.
                let _ = self.targets.identify(pid);
                self.say(token, Reply::Noted);
            }
            // No filter marks a process here, so the thread does not matter.
            Request::Nested(said) => {
                let reply = if self.targets.nested(&self.core, pid, pid, said) {
                    Reply::Noted
                } else {
                    verdict_reply(Verdict::Deny, &Source::Default)
                };
                self.say(token, reply);
            }
        }
    }

    fn ask(&mut self, token: Token, pid: u32, identity: &Identity, ask: &Ask) {
        let to = socket_address(ask.address, ask.port);
        let flow = self.targets.flow(pid, identity, protocol(ask.protocol), to);
        let later = self.later(token);
        let core = self.core.clone();
        let asked = core.ask_at_once(
            flow,
            |verdict, source, keep| {
                let mut reply = verdict_reply(verdict, source);
                if let Reply::Verdict { keep: kept, .. } = &mut reply {
                    *kept = keep;
                }
                // Nothing is held for this caller, so this does not come back to the core.
                self.say(token, reply);
            },
            move |verdict, source| later(verdict_reply(verdict, source)),
        );
        if let Asked::Held(id) = asked {
            self.hold(token, id);
        }
    }

    fn look_up(&mut self, token: Token, pid: u32, identity: &Identity, report: &NameReport) {
        let (name, runs) = (report.name(), &identity.runs);
        if report.addresses().is_empty() && !self.core.may_be_looked_up(name, pid, runs) {
            let reason = Fallback::NoRuleForName;
            let what = crate::verdict::look_up_of(name);
            let refused = Kind::refused(pid, Some(&identity.app), what, reason);
            self.core.record_refusal(refused, runs);
            let source = Source::Fallback { reason };
            return self.say(token, verdict_reply(Verdict::Deny, &source));
        }
        if self.targets.note(pid, report) == Noted::Name {
            self.core.name_learned();
        }
        if !self.core.holds_look_ups() {
            return self.say(token, Reply::Noted);
        }
        let flows = self.targets.looked_up(pid, identity, report);
        let later = self.later(token);
        let looked_up = self.core.look_up(flows, move |verdict, source| {
            later(match verdict {
                Verdict::Allow => Reply::Noted,
                Verdict::Deny => verdict_reply(verdict, source),
            });
        });
        match looked_up {
            LookedUp::GoesOn => self.say(token, Reply::Noted),
            LookedUp::Refused(source) => self.say(token, verdict_reply(Verdict::Deny, &source)),
            LookedUp::Held(id) => self.hold(token, id),
        }
    }
}

fn refused_by_hook(pid: u32, identity: &Identity, refused: Refused) -> Kind {
    let what = format!(
        "{:?} on a socket of family {} to an address of family {}",
        refused.call, refused.socket_family, refused.address_family
    );
    Kind::refused(pid, Some(&identity.app), what, Fallback::UnknownFamily)
}
