//! What the lock of a [`super::Core`] protects.

use super::beginning::Beginning;
use super::recent::Recent;
use super::tally::{Kept, Tally};
use super::{Reply, Sink};
use crate::control::Outlet;
use crate::engine::{AskId, ClientId, Engine};
use crate::event::FlowLine;
use crate::flow::Flow;
use crate::verdict::{Source, Verdict};
use hallpass_wire::Keep;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

pub(super) struct State {
    pub(super) engine: Engine,
    pub(super) replies: HashMap<AskId, Reply>,
    pub(super) clients: HashMap<ClientId, Client>,
    pub(super) sinks: Vec<Sink>,
    pub(super) last_ask: AskId,
    pub(super) last_client: ClientId,
    pub(super) last_event: u64,
    pub(super) beginning: Beginning,
    /// Who reads the saved rules gets the next number; the highest that is done is in force.
    pub(super) last_rules_turn: u64,
    pub(super) rules_turn_in_force: u64,
    pub(super) is_over: bool,
    /// What was allowed of late, for whoever asks what is open.
    pub(super) recent: Recent,
    pub(super) tally: Option<Tally>,
    /// The engine's generation that kept verdicts are of.
    pub(super) generation: u64,
    /// When counts are taken next.
    pub(super) next_taking: Option<Instant>,
    /// Until when the clock sleeps; none where it sleeps until it is woken.
    pub(super) clock_sleeps_until: Option<Instant>,
}

pub(super) struct Client {
    /// Its own word for itself, escaped.
    pub(super) name: String,
    pub(super) events: bool,
    pub(super) asks: bool,
    pub(super) outlet: Outlet,
}

impl State {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let next = self.engine.next_deadline().into_iter();
        next.chain(self.next_taking).min()
    }

    pub(super) fn keep(
        &mut self,
        flow: &Flow,
        verdict: Verdict,
        source: &Source,
        now: Instant,
        wall: jiff::Timestamp,
    ) -> Option<Keep> {
        // The ask may itself have let an answer run out: its verdict is of the generation after.
        let is_current = self.generation == self.engine.generation();
        let tally = self.tally.as_mut()?;
        if !is_current || !self.engine.may_be_kept(flow, source, wall) {
            return None;
        }
        let counter = tally.counter(Kept {
            flow: FlowLine::of(flow),
            verdict,
            source: source.clone(),
            runs: Arc::clone(&flow.runs),
        })?;
        // Sooner, never later: counts must be taken also while verdicts are being kept.
        let soon = tally.pause().map(|pause| now + pause);
        self.next_taking = [self.next_taking, soon].into_iter().flatten().min();
        Some(Keep {
            generation: tally.page().generation()?,
            counter,
        })
    }

    pub(super) fn client_name(&self, client: ClientId) -> String {
        let client = self.clients.get(&client);
        client.map_or_else(|| "somebody".to_owned(), |client| client.name.clone())
    }
}
