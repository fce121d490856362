//! Names: look-ups of programs that may be held, and what names are worth.

use super::Core;
use crate::engine::{AskId, LookUp};
use crate::environment;
use crate::flow::Flow;
use crate::hold::Hold;
use crate::nested::RunId;
use crate::verdict::{Source, Verdict};
use crate::verify::Wanted;
use std::net::IpAddr;
use std::time::Instant;

/// What a look-up met.
#[derive(Clone, Debug, PartialEq)]
pub enum LookedUp {
    /// The program gets its result.
    GoesOn,
    /// It waits; its verdict comes by the callback.
    Held(AskId),
    /// It fails as a look-up fails that can never succeed.
    Refused(Source),
}

impl Core {
    /// A name was looked up, with this result: the calls it may lead to ([`crate::engine::Engine::look_up`]).
    /// `reply` is as for [`Self::ask`]. A look-up that is allowed is only let go on: the calls
    /// that follow are decided each.
    pub fn look_up(
        &self,
        flows: Vec<Flow>,
        reply: impl FnOnce(Verdict, &Source) + Send + 'static,
    ) -> LookedUp {
        let looked_up = self.put(reply, |state, ask, now, wall| {
            match state.engine.look_up(ask, flows, now, wall) {
                LookUp::GoesOn => Some(LookedUp::GoesOn),
                LookUp::Refused(source) => Some(LookedUp::Refused(source)),
                LookUp::Held => None,
            }
        });
        looked_up.unwrap_or_else(LookedUp::Held)
    }

    /// Whether look-ups may be held at all: they need not be put to [`Self::look_up`] else.
    #[must_use]
    pub fn holds_look_ups(&self) -> bool {
        self.shared.hold == Hold::Name
    }

    /// From now on only names that the session has looked up itself satisfy rules that allow.
    pub fn trust_only_verified_names(&self) {
        self.lock().engine.trust_only_verified_names();
    }

    /// Whether the process `pid`, in these nested runs, may have this name looked up. Not where no
    /// rule could open it: nobody is to be told of it then. What it knows by itself (hosts(5), the
    /// machine's name) is told to nobody in any case.
    #[must_use]
    pub fn may_be_looked_up(&self, name: &str, pid: u32, runs: &[RunId]) -> bool {
        let Ok(name) = hallpass_policy::canonical_name(name) else {
            return true;
        };
        // In this order: the file is read only where it matters.
        self.lock().engine.could_open_name(&name, runs) || environment::knows(&name, pid)
    }

    /// The names that would change what happens to this flow, if they had its address.
    #[must_use]
    pub fn names_wanted(&self, flow: &Flow) -> Vec<Wanted> {
        let wall = jiff::Timestamp::now();
        self.lock().engine.names_wanted(flow, wall)
    }

    /// The same for one of the calls that a look-up may lead to
    /// ([`crate::engine::Engine::names_wanted_by_look_up`]).
    #[must_use]
    pub fn names_wanted_by_look_up(&self, flow: &Flow) -> Vec<Wanted> {
        let wall = jiff::Timestamp::now();
        self.lock().engine.names_wanted_by_look_up(flow, wall)
    }

    /// See [`crate::engine::Engine::is_rebound`].
    #[must_use]
    pub fn is_rebound(&self, name: &str, address: IpAddr) -> bool {
        self.lock().engine.is_rebound(name, address)
    }

    /// A process has looked a name up that it had not before.
    pub fn name_learned(&self) {
        let mut state = self.lock();
        state.engine.name_learned();
        self.carry_out(&mut state, Instant::now());
    }
}
