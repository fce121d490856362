//! Live connections: what is open, by which decision, and its end.

use super::recent::{self, Place};
use super::{Core, PoisonError};
use crate::control::protocol::{FlowId, Flows, LiveFlow, State};
use crate::engine::ClientId;
use crate::event::{FlowLine, Kind};
use crate::flow::Flow;
use crate::flows::{Duplicate, Found, MAX_SHOWN_PIDS, Numbers, Picture, Socket, Stage};
use crate::identity::{Identifier, Identity};
use hallpass_policy::Protocol;
use std::collections::HashMap;
use std::time::Instant;

/// What looking for connections remembers from one time to the next.
pub(super) struct Looking {
    numbers: Numbers,
    identifier: Identifier,
}

impl Default for Looking {
    fn default() -> Self {
        Self {
            numbers: Numbers::default(),
            identifier: Identifier::new(std::process::id()),
        }
    }
}

/// A live connection, and what is needed to end it.
struct Live {
    shown: LiveFlow,
    found: Found,
    /// Whose it is; none where that process has just ended.
    identity: Option<Identity>,
}

impl Core {
    pub(super) fn live_flows(&self) -> Flows {
        let mut looking = self.looking();
        let (live, missing) = self.look(&mut looking);
        Flows {
            flows: live.into_iter().map(|live| live.shown).collect(),
            more: 0,
            missing,
        }
    }

    pub(super) fn end_flow(
        &self,
        client: ClientId,
        id: FlowId,
        reset: bool,
        deny: bool,
    ) -> Result<usize, String> {
        let mut looking = self.looking();
        let was_given = looking.numbers.was_given(id);
        let (live, missing) = self.look(&mut looking);
        let Some(live) = live.into_iter().find(|live| live.shown.id == id) else {
            return Err(match (was_given, missing.as_slice()) {
                (true, []) => format!("connection {id} has ended by itself, or was ended before"),
                (true, missing) => format!(
                    "connection {id} is seen no more: it has ended, or is among what cannot be seen ({})",
                    missing.join("; ")
                ),
                (false, _) => format!("there is no connection {id}; `hallpass flows` lists them"),
            });
        };
        let failed = |error| format!("connection {id}: {error}");
        if reset && live.shown.proto != Protocol::Tcp {
            let error = "only TCP connections can be reset; end it without";
            return Err(failed(error.to_owned()));
        }
        // Before anything is refused, so that a mistake changes nothing.
        let duplicate = Duplicate::of(&live.found).map_err(failed)?;
        let (rule, settled) = match deny {
            true => self
                .refuse(&live)
                .map(|(rule, settled)| (Some(rule), settled)),
            false => Ok((None, 0)),
        }
        .map_err(failed)?;
        let ended = if reset {
            duplicate.reset()
        } else {
            duplicate.shut_down()
        };
        ended.map_err(|error| match &rule {
            Some(rule) => failed(format!("{error}; from now on: {rule}")),
            None => failed(error),
        })?;
        let mut state = self.lock();
        let by = state.client_name(client);
        let kind = Kind::Disconnected {
            flow: line(&live.shown),
            by,
            reset,
            rule,
        };
        self.publish(&mut state, kind);
        Ok(settled)
    }

    /// Refuses its program the same host from now on; gives the rule in words, and how many
    /// waiting calls it settled.
    fn refuse(&self, live: &Live) -> Result<(String, usize), String> {
        let Some(identity) = &live.identity else {
            return Err("its program has just ended".to_owned());
        };
        let flow = Flow {
            pid: live.shown.pids.first().copied().unwrap_or(0),
            app: identity.app.clone(),
            protocol: live.shown.proto,
            address: live.shown.address.into(),
            scope_id: 0,
            port: live.shown.port,
            names: live.shown.names.clone(),
            runs: identity.runs.clone(),
        };
        let mut state = self.lock();
        let now = Instant::now();
        let wall = jiff::Timestamp::now();
        let (rule, settled) = state.engine.refuse_from_now_on(&flow, now, wall)?;
        self.carry_out(&mut state, now);
        Ok((rule.to_string(), settled))
    }

    fn looking(&self) -> std::sync::MutexGuard<'_, Looking> {
        let looking = self.shared.looking.lock();
        looking.unwrap_or_else(PoisonError::into_inner)
    }

    /// All live connections, by number, and what could not be seen. Decisions do not wait for it:
    /// the core's lock is held only to copy what was allowed of late.
    fn look(&self, looking: &mut Looking) -> (Vec<Live>, Vec<String>) {
        let picture = Picture::take(std::process::id());
        let sockets: Vec<&Socket> = picture.found.iter().map(|found| &found.socket).collect();
        let numbers = looking.numbers.of(&sockets);
        let mut whose: HashMap<u32, Option<Identity>> = HashMap::new();
        for owner in picture.found.iter().flat_map(shown_owners) {
            whose
                .entry(owner)
                .or_insert_with(|| looking.identifier.identify(owner));
        }
        let allowed = {
            let mut state = self.lock();
            self.take_counts(&mut state);
            state.recent.picture()
        };
        let now = Instant::now();
        let live = picture.found.into_iter().zip(numbers);
        let mut live: Vec<Live> = live
            .filter_map(|(found, id)| describe(found, id, &whose, &allowed, now))
            .collect();
        live.sort_by_key(|live| live.shown.id);
        (live, picture.missing)
    }
}

fn shown_owners(found: &Found) -> impl Iterator<Item = u32> + '_ {
    let pids = found.owners.iter().map(|owner| owner.pid);
    pids.take(MAX_SHOWN_PIDS)
}

/// None for a socket that only listens.
fn describe(
    found: Found,
    id: FlowId,
    whose: &HashMap<u32, Option<Identity>>,
    allowed: &recent::Picture,
    now: Instant,
) -> Option<Live> {
    let state = state(&found.socket)?;
    let place = Place {
        protocol: found.socket.protocol,
        address: found.socket.remote.ip(),
        port: found.socket.remote.port(),
    };
    let owners = || shown_owners(&found).filter_map(|pid| whose.get(&pid)?.as_ref());
    let decided = owners().find_map(|identity| {
        let allowed = allowed.find(place, &identity.lineage, identity.app.identity())?;
        Some((identity, allowed))
    });
    let identity = decided.map(|(identity, _)| identity).or(owners().next());
    let decided = decided.map(|(_, allowed)| allowed);
    let age = decided.map(|decided| decided.age(now));
    let shown = LiveFlow {
        id,
        pids: shown_owners(&found).collect(),
        shared_by: found.owners.len(),
        app: identity.map_or_else(String::new, |it| it.app.identity().to_owned()),
        direction: found.direction,
        proto: found.socket.protocol,
        address: found.socket.remote.ip(),
        port: found.socket.remote.port(),
        local_address: found.socket.local.ip(),
        local_port: found.socket.local.port(),
        names: decided.map_or_else(Vec::new, |decided| decided.names.clone()),
        state,
        sent: found.socket.sent,
        received: found.socket.received,
        age_ms: age.map(|(age, _)| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        age_is_exact: age.is_some_and(|(_, is_exact)| is_exact),
        source: decided.map(|decided| decided.source.clone()),
    };
    let identity = identity.cloned();
    Some(Live {
        shown,
        found,
        identity,
    })
}

fn state(socket: &Socket) -> Option<State> {
    match socket.stage {
        Stage::Live(state) => Some(state),
        Stage::Listening => None,
    }
}

fn line(flow: &LiveFlow) -> FlowLine {
    FlowLine {
        pid: flow.pids.first().copied().unwrap_or(0),
        app: flow.app.clone(),
        script: false,
        package: None,
        step: None,
        proto: flow.proto,
        address: flow.address.into(),
        port: flow.port,
        names: flow.names.clone(),
        look_up: false,
    }
}
