//! `hallpass run` inside the session: its rules narrow what its own processes may do. A call is
//! refused if the session or a nested run refuses it, asked about if one of them asks, and allowed
//! only if all allow it.
//!
//! An answer settles what nested runs ask about as well. Where only they ask, an answer that allows
//! is kept apart from the session's own rules: a target may bring rules that ask, and must not get
//! a person to open more than what the session would have allowed in any case.

use super::kept::HangsOn;
use super::{Engine, Ruling, SocketRules, Totals, naming, source_of};
use crate::flow::Flow;
use crate::nested::{Narrowing, RunId};
use crate::verdict::{Fallback, Source, Verdict};
use hallpass_policy::{Action, Policy, Query};
use std::sync::Arc;

/// A nested run that has joined.
pub(super) struct NestedRun {
    /// The process that keeps it.
    keeper: u32,
    name: String,
    policy: Policy,
    asks_nobody: bool,
    pub(super) hangs_on: HangsOn,
    pub(super) sockets: Arc<SocketRules>,
    /// The names that its rules are written with.
    pub(super) rule_names: Vec<String>,
    totals: Totals,
}

/// Whose rules ask about a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct AskedBy {
    /// The session's own.
    pub(super) session: bool,
    /// Nested runs', outermost first.
    runs: Vec<RunId>,
}

/// Why somebody is asked.
#[derive(Clone, Debug)]
pub(super) struct Why {
    /// For people.
    pub(super) text: String,
    pub(super) by: AskedBy,
}

impl AskedBy {
    pub(super) fn session() -> Self {
        Self {
            session: true,
            runs: Vec::new(),
        }
    }

    /// Whether an answer to these is one to the others as well.
    pub(super) fn covers(&self, others: &Self) -> bool {
        (self.session || !others.session) && others.runs.iter().all(|run| self.runs.contains(run))
    }
}

impl Why {
    pub(super) fn of_session(text: String) -> Self {
        Self {
            text,
            by: AskedBy::session(),
        }
    }
}

impl NestedRun {
    fn source(&self, source: Source) -> Source {
        Source::Nested {
            run: self.keeper,
            name: self.name.clone(),
            source: Box::new(source),
        }
    }

    pub(super) fn could_open_name(&self, name: &str) -> bool {
        self.policy.could_open_name(name)
    }

    /// Why it asks, for people.
    fn why(&self, source: &Source) -> String {
        let Self { keeper, name, .. } = self;
        match source {
            Source::Rule { layer, rule } => {
                format!("{layer}: {rule} of the nested run {keeper} ({name})")
            }
            _ => format!(
                "no rule of the nested run {keeper} ({name}) matches, and its default is ask"
            ),
        }
    }
}

impl Engine {
    /// A process has joined with rules for what it starts.
    pub fn nested_began(&mut self, id: RunId, keeper: u32, narrowing: Narrowing) {
        let Narrowing {
            name,
            policy,
            asks_nobody,
        } = narrowing;
        let run = NestedRun {
            keeper,
            name,
            hangs_on: HangsOn::of(&policy),
            sockets: SocketRules::of(&policy),
            rule_names: naming::rule_names(&policy),
            policy,
            asks_nobody,
            totals: Totals::default(),
        };
        self.nested.insert(id, run);
        self.generation += 1;
    }

    /// Nothing of it is left.
    pub fn nested_ended(&mut self, id: RunId) {
        if self.nested.remove(&id).is_some() {
            self.generation += 1;
        }
    }

    /// Calls of a nested run so far.
    #[must_use]
    pub fn nested_totals(&self, id: RunId) -> Totals {
        self.nested
            .get(&id)
            .map_or_else(Totals::default, |run| run.totals)
    }

    /// [`Engine::count`], also for the nested runs that the calls were made in.
    pub fn count_for(&mut self, verdict: Verdict, count: u64, runs: &[RunId]) {
        self.count(verdict, count);
        for id in runs {
            if let Some(run) = self.nested.get_mut(id) {
                run.totals.count(verdict, count);
            }
        }
    }

    /// The nested runs that a flow is made in, outermost first.
    pub(super) fn nested_of(&self, flow: &Flow) -> impl Iterator<Item = &NestedRun> {
        flow.runs.iter().filter_map(|id| self.nested.get(id))
    }

    /// What the session's rules and those of the flow's nested runs say together.
    pub(super) fn rule_with_nested(
        &self,
        flow: &Flow,
        query: &Query<'_>,
        wall: jiff::Timestamp,
    ) -> Ruling {
        let own = if self.socket_rules.concern(&flow.address) {
            self.session_rule(query, wall)
        } else {
            Ruling::Settled(Verdict::Allow, Source::Default)
        };
        let (mut allowed, mut texts, mut session) = (Source::Default, Vec::new(), false);
        match own {
            Ruling::Settled(Verdict::Deny, _) => return own,
            Ruling::Settled(Verdict::Allow, source) => allowed = source,
            Ruling::Ask { why } => {
                session = true;
                texts.push(why.text);
            }
        }
        let mut runs = Vec::new();
        for id in flow.runs.iter() {
            let Some(run) = self.nested.get(id) else {
                continue;
            };
            if !run.sockets.concern(&flow.address) {
                continue;
            }
            let decision = run.policy.decide(query, &self.environment, wall);
            let source = source_of(&decision);
            match decision.action {
                Action::Allow => {}
                Action::Deny => return Ruling::Settled(Verdict::Deny, run.source(source)),
                Action::Ask => match self.answered(query, wall) {
                    Some((Verdict::Allow, answer)) => allowed = answer,
                    Some((Verdict::Deny, answer)) => {
                        return Ruling::Settled(Verdict::Deny, answer);
                    }
                    None if run.asks_nobody => {
                        let reason = Fallback::NobodyToAsk;
                        let source = run.source(Source::Fallback { reason });
                        return Ruling::Settled(Verdict::Deny, source);
                    }
                    None => {
                        runs.push(*id);
                        texts.push(run.why(&source));
                    }
                },
            }
        }
        if !session && runs.is_empty() {
            return Ruling::Settled(Verdict::Allow, allowed);
        }
        let why = Why {
            text: texts.join("; and "),
            by: AskedBy { session, runs },
        };
        Ruling::Ask { why }
    }

    /// What a person has answered about such a call in this run.
    fn answered(&self, query: &Query<'_>, wall: jiff::Timestamp) -> Option<(Verdict, Source)> {
        let decision = self.answers.decide(query, &self.environment, wall);
        decision.winner?;
        let verdict = match decision.action {
            Action::Allow => Verdict::Allow,
            Action::Deny => Verdict::Deny,
            Action::Ask => return None,
        };
        Some((verdict, source_of(&decision)))
    }
}
