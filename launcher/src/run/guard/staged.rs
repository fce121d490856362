//! A call on its way to the engine: first the names that matter to it are looked up, then it is
//! put to the engine, which may hold it. It can be withdrawn at any time.

use super::{lock, settle};
use hallpass_guard::{Reply, Verdict, Withdraw, Withdrawn};
use hallpass_session::core::{Asked, Core};
use hallpass_session::engine::AskId;
use hallpass_session::flow::Flow;
use hallpass_session::identity::is_alive;
use hallpass_session::verify::{Verifier, Wanted};
use std::sync::{Arc, Mutex};

/// Where the call is.
enum Stage {
    /// Its names are being looked up.
    LookingUp,
    /// The engine holds it.
    Held(AskId),
    /// It has its verdict, or nobody wants it any more.
    Over,
}

/// Puts a call to the engine as it is. What is returned is called when it is not waited for any
/// more; nothing where it has its verdict.
pub(super) fn ask(core: &Core, flow: Flow, reply: Reply) -> Option<Withdraw> {
    let pid = flow.pid;
    let id = put(core, flow, reply)?;
    let core = core.clone();
    Some(Box::new(move |why| {
        core.withdraw(id, may_return(why, pid));
    }))
}

/// The same after these names have been looked up.
pub(super) fn ask_with_names(
    core: &Core,
    verifier: &Verifier,
    flow: Flow,
    wanted: Vec<Wanted>,
    reply: Reply,
) -> Option<Withdraw> {
    let pid = flow.pid;
    let stage = Arc::new(Mutex::new(Stage::LookingUp));
    let (then_stage, then_core) = (Arc::clone(&stage), core.clone());
    verifier.check(flow, wanted, move |flow| {
        // Held meanwhile, so that a withdrawal finds either the look-up or what came of it.
        let mut stage = lock(&then_stage);
        if matches!(*stage, Stage::LookingUp) {
            *stage = match put(&then_core, flow, reply) {
                Some(id) => Stage::Held(id),
                None => Stage::Over,
            };
        }
    });
    let core = core.clone();
    Some(Box::new(move |why| {
        let was = std::mem::replace(&mut *lock(&stage), Stage::Over);
        if let Stage::Held(id) = was {
            core.withdraw(id, may_return(why, pid));
        }
    }))
}

/// The engine's number for it, if it holds the call.
fn put(core: &Core, flow: Flow, reply: Reply) -> Option<AskId> {
    // Whoever comes first, this or the callback, takes it.
    let reply = Arc::new(Mutex::new(Some(reply)));
    let late = Arc::clone(&reply);
    let asked = core.ask(flow, move |verdict, _| settle(&late, verdict));
    match asked {
        Asked::Decided { verdict, .. } => {
            settle(&reply, verdict);
            None
        }
        Asked::Held(id) => Some(id),
    }
}

fn may_return(why: Withdrawn, pid: u32) -> bool {
    match why {
        Withdrawn::Interrupted | Withdrawn::TimedOut => true,
        Withdrawn::Gone => is_alive(pid),
    }
}

/// A call that nobody asks about: it tells a source address and can send nothing.
pub(super) fn probe(reply: Reply) -> Option<Withdraw> {
    reply.settle(Verdict::Probe);
    None
}
