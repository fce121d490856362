//! What clients of the control socket may do with a session.

use super::{Client, Core, State};
use crate::control::protocol::{
    Answer, Duration as For, FlowId, Flows, Message, Question, QuestionId, Scope,
};
use crate::control::{About, Controlled, Outlet, Wants};
use crate::engine::ClientId;
use crate::verdict::Verdict;
use hallpass_policy::Rule;
use std::time::Instant;

impl Controlled for Core {
    fn about(&self) -> About {
        let (halted, denies_rest) = {
            let engine = &self.lock().engine;
            (engine.is_halted(), engine.denies_rest())
        };
        About {
            session: self.shared.session.clone(),
            pid: std::process::id(),
            command: self.shared.command.clone(),
            terminal: self.shared.terminal.clone(),
            halted,
            denies_rest,
            may_save: self.shared.saved.is_some(),
        }
    }

    fn subscribe(&self, wants: Wants, client: &str, outlet: Outlet) -> ClientId {
        let Wants {
            events,
            earlier,
            asks,
        } = wants;
        let mut state = self.lock();
        let now = Instant::now();
        state.last_client += 1;
        let id = state.last_client;
        if earlier {
            for message in state.beginning.messages() {
                outlet(message.clone());
            }
        }
        if asks {
            for question in state.engine.pending(now) {
                outlet(Message::Question(Box::new(question)));
            }
            state.engine.client_joined(id);
        }
        let name = client.to_owned();
        let client = Client {
            name,
            events,
            asks,
            outlet,
        };
        state.clients.insert(id, client);
        if asks {
            tell_who_answers(&state, id);
        }
        self.carry_out(&mut state, now);
        id
    }

    fn unsubscribe(&self, client: ClientId) {
        let mut state = self.lock();
        let gone = state.clients.remove(&client);
        if gone.is_some_and(|gone| gone.asks) {
            tell_who_answers(&state, client);
        }
        let now = Instant::now();
        state.engine.client_left(client, now);
        self.carry_out(&mut state, now);
    }

    fn pending(&self) -> Vec<Question> {
        self.lock().engine.pending(Instant::now())
    }

    fn answer(&self, client: ClientId, id: QuestionId, answer: Answer) -> Result<usize, String> {
        let (rule, for_nested) = {
            let state = self.lock();
            let rule = state.engine.plan(id, &answer)?;
            (rule, state.engine.is_for_nested(id))
        };
        self.answer_with(client, id, &answer, &rule, for_nested)
    }

    fn answer_to(
        &self,
        client: ClientId,
        id: QuestionId,
        verdict: Verdict,
        duration: For,
        to: &[String],
    ) -> Result<usize, String> {
        let (rule, for_nested) = {
            let state = self.lock();
            let rule = state.engine.plan_to(id, verdict, duration, to)?;
            (rule, state.engine.is_for_nested(id))
        };
        let answer = Answer {
            verdict,
            duration,
            scope: Scope::default(),
        };
        self.answer_with(client, id, &answer, &rule, for_nested)
    }

    fn dismiss(&self, client: ClientId, id: QuestionId) -> Result<usize, String> {
        let mut state = self.lock();
        let by = state.client_name(client);
        let settled = state.engine.dismiss(id, &by)?;
        self.carry_out(&mut state, Instant::now());
        Ok(settled)
    }

    fn touch(&self, client: ClientId, id: QuestionId) -> Result<(), String> {
        let mut state = self.lock();
        let now = Instant::now();
        state.engine.touch(id, client, now)?;
        self.carry_out(&mut state, now);
        Ok(())
    }

    fn rules_changed(&self) -> Result<(), String> {
        let Some(saved) = &self.shared.saved else {
            // A hermetic run leaves saved rules out, so no edit of them concerns it.
            return Ok(());
        };
        // Read without the lock, a large file takes long. Whoever starts to read later sees at
        // least what whoever started before has seen, so its rules are the ones that stay.
        let turn = {
            let mut state = self.lock();
            state.last_rules_turn += 1;
            state.last_rules_turn
        };
        let rules = saved.load()?;
        let mut state = self.lock();
        if turn < state.rules_turn_in_force {
            return Ok(());
        }
        state.rules_turn_in_force = turn;
        let now = Instant::now();
        let wall = jiff::Timestamp::now();
        state.engine.saved_rules_changed(rules, now, wall);
        self.carry_out(&mut state, now);
        Ok(())
    }

    fn halt(&self) {
        let mut state = self.lock();
        state.engine.halt();
        self.carry_out(&mut state, Instant::now());
    }

    fn deny_rest(&self, client: ClientId) -> usize {
        let mut state = self.lock();
        let by = state.client_name(client);
        let now = Instant::now();
        let settled = state.engine.deny_rest(&by, now, jiff::Timestamp::now());
        self.carry_out(&mut state, now);
        settled
    }

    fn release(&self) {
        let mut state = self.lock();
        let now = Instant::now();
        state.engine.release(now, jiff::Timestamp::now());
        self.carry_out(&mut state, now);
    }

    fn flows(&self) -> Flows {
        self.live_flows()
    }

    fn end(
        &self,
        client: ClientId,
        flow: FlowId,
        reset: bool,
        deny: bool,
    ) -> Result<usize, String> {
        self.end_flow(client, flow, reset, deny)
    }
}

impl Core {
    /// Puts an answer into force; `rule` is what the engine has planned for it.
    fn answer_with(
        &self,
        client: ClientId,
        id: QuestionId,
        answer: &Answer,
        rule: &Rule,
        for_nested: bool,
    ) -> Result<usize, String> {
        // An answer for good is saved before it counts, and without the lock: fsync may take
        // long, and decisions must not wait for a disk.
        if answer.duration == For::Always
            && let Some(saved) = &self.shared.saved
        {
            saved.add(rule)?;
        }
        let mut state = self.lock();
        let by = state.client_name(client);
        let now = Instant::now();
        let wall = jiff::Timestamp::now();
        let settled = state
            .engine
            .answer_for(id, answer, rule, &by, for_nested, now, wall);
        self.carry_out(&mut state, now);
        Ok(settled)
    }
}

/// Tells those who can answer who else can. `changed` has come or gone; where it has come and is
/// alone, there is nothing to tell.
fn tell_who_answers(state: &State, changed: ClientId) {
    let asked = || state.clients.iter().filter(|(_, client)| client.asks);
    for (id, client) in asked() {
        let others = asked().filter(|(other, _)| *other != id);
        let clients: Vec<String> = others.map(|(_, other)| other.name.clone()).collect();
        if *id != changed || !clients.is_empty() {
            (client.outlet)(Message::Answering { clients });
        }
    }
}
