//! `--hold=name`: a look-up waits where a call to one of its addresses would have to. Event loops
//! look names up in another thread, so they go on meanwhile.
//!
//! Which port the program is after is known only where it told the look-up (getaddrinfo's
//! service). Where it did not, the question is for the name and every port; and it is not asked
//! if some rule allows the name at some port, because that may be the one.

use super::nested::{AskedBy, Why};
use super::passes::For;
use super::question::Key;
use super::{AskId, Call, Engine, Ruling, Step};
use crate::flow::Flow;
use crate::hold::Hold;
use crate::verdict::{Source, Verdict};
use crate::verify::Wanted;
use std::time::Instant;

/// For how many ports the names are sought that matter to a look-up that did not say its port:
/// each costs a decision for each name in the rules. Where a rule is for none of them, and its
/// name has not been looked up otherwise, the connection is asked about by itself.
const MAX_PORTS_TRIED: usize = 16;

/// What a look-up met at once.
#[derive(Clone, Debug, PartialEq)]
pub enum LookUp {
    /// The program gets its result.
    GoesOn,
    /// It waits; its verdict comes by [`super::Effect::Settle`].
    Held,
    /// It fails.
    Refused(Source),
}

/// What calls to an address of a look-up would meet.
enum Prospect {
    Allowed(Source),
    Asked { why: Why },
    Denied(Source),
}

impl Engine {
    /// The question that a call belongs to, by what a person may answer about it.
    pub(super) fn key(&self, call: &Call, by: AskedBy) -> Key {
        let offered = self.offered(&call.flow);
        match call.look_up {
            Some(_) => Key::of_look_up(&offered, by),
            None => Key::of(&offered, by),
        }
    }

    /// A look-up that has succeeded: the calls it may lead to, one for each address, all with the
    /// name first among their names, and with port 0 where the port is not known.
    pub fn look_up(
        &mut self,
        ask: AskId,
        flows: Vec<Flow>,
        now: Instant,
        wall: jiff::Timestamp,
    ) -> LookUp {
        self.expire(now);
        let Some(first) = flows.first().cloned() else {
            return LookUp::GoesOn;
        };
        if self.settings.hold != Hold::Name {
            return LookUp::GoesOn;
        }
        let step = if self.halted {
            let call = Call {
                flow: first,
                look_up: Some(flows),
            };
            self.hold_or_refuse(ask, call, None, now)
        } else {
            let Some((flow, why)) = self.undecided(&flows, now, wall) else {
                return LookUp::GoesOn;
            };
            let call = Call {
                flow,
                look_up: Some(flows),
            };
            self.ask_somebody(ask, call, why, now)
        };
        match step {
            Step::Held => LookUp::Held,
            Step::Decided(_, source) => LookUp::Refused(source),
        }
    }

    /// [`Self::names_wanted`] for one of the calls that a look-up may lead to.
    #[must_use]
    pub fn names_wanted_by_look_up(&self, flow: &Flow, wall: jiff::Timestamp) -> Vec<Wanted> {
        if flow.port != 0 {
            return self.names_wanted(flow, wall);
        }
        let mut all: Vec<Wanted> = Vec::new();
        for port in self.ports_for(flow).into_iter().take(MAX_PORTS_TRIED) {
            let at_port = Flow {
                port,
                ..flow.clone()
            };
            for wanted in self.names_wanted(&at_port, wall) {
                match all.iter_mut().find(|it| it.name == wanted.name) {
                    Some(known) => {
                        known.opens |= wanted.opens;
                        known.of_rule |= wanted.of_rule;
                    }
                    None => all.push(wanted),
                }
            }
        }
        all
    }

    /// [`Self::rule_on`] for whatever waits.
    pub(super) fn rule_on_call(&self, call: &Call, now: Instant, wall: jiff::Timestamp) -> Ruling {
        let Some(flows) = &call.look_up else {
            return self.rule_on(&call.flow, wall);
        };
        if let Some((_, why)) = self.undecided(flows, now, wall) {
            return Ruling::Ask { why };
        }
        let mut denied = None;
        for flow in flows {
            match self.prospect(flow, wall) {
                Prospect::Allowed(source) => return Ruling::Settled(Verdict::Allow, source),
                // An answer for once covers it, or it would be undecided.
                Prospect::Asked { .. } => {
                    return Ruling::Settled(Verdict::Allow, Source::Default);
                }
                Prospect::Denied(source) => denied = denied.or(Some(source)),
            }
        }
        Ruling::Settled(Verdict::Deny, denied.unwrap_or(Source::Default))
    }

    /// Lets the calls that an allowed look-up leads to pass once, where no rule does.
    pub(super) fn let_look_up_connect(
        &mut self,
        ask: AskId,
        by: &str,
        now: Instant,
        wall: jiff::Timestamp,
    ) {
        let Some(waiting) = self.waiting.get(&ask) else {
            return;
        };
        let Some(flows) = &waiting.call.look_up else {
            return;
        };
        if let Some((_, why)) = self.undecided(flows, now, wall) {
            // One for all, but where the name is only claimed: then it counts for nothing, and
            // each address is a question of its own.
            let mut keys: Vec<Key> = Vec::new();
            for flow in flows {
                let key = Key::of_look_up(&self.offered(flow), why.by.clone());
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
            let pid = waiting.call.flow.pid;
            self.passes
                .add(keys, For::Process(pid), Verdict::Allow, by, now);
        }
    }

    /// The first of these calls that somebody would have to be asked about, and why.
    fn undecided(
        &self,
        flows: &[Flow],
        now: Instant,
        wall: jiff::Timestamp,
    ) -> Option<(Flow, Why)> {
        flows
            .iter()
            .find_map(|flow| match self.prospect(flow, wall) {
                Prospect::Asked { why }
                    if !self.passes.cover(&self.offered(flow), &why.by, now) =>
                {
                    Some((flow.clone(), why))
                }
                _ => None,
            })
    }

    fn prospect(&self, flow: &Flow, wall: jiff::Timestamp) -> Prospect {
        if flow.port != 0 {
            return match self.rule_on(flow, wall) {
                Ruling::Settled(Verdict::Allow, source) => Prospect::Allowed(source),
                Ruling::Settled(Verdict::Deny, source) => Prospect::Denied(source),
                Ruling::Ask { why } => Prospect::Asked { why },
            };
        }
        let (mut asked, mut denied) = (None, None);
        for port in self.ports_for(flow) {
            let at_port = Flow {
                port,
                ..flow.clone()
            };
            match self.rule_on(&at_port, wall) {
                Ruling::Settled(Verdict::Allow, source) => return Prospect::Allowed(source),
                Ruling::Settled(Verdict::Deny, source) => denied = denied.or(Some(source)),
                Ruling::Ask { why } => asked = asked.or(Some(why)),
            }
        }
        match asked {
            Some(why) => Prospect::Asked { why },
            None => Prospect::Denied(denied.unwrap_or(Source::Default)),
        }
    }
}
