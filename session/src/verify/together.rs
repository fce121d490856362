//! Names of several flows at once: the calls that one look-up may lead to.

use super::{Verifier, Wanted};
use crate::flow::Flow;
use std::sync::{Arc, Mutex, PoisonError};

struct Gathered<Then> {
    /// In the order in which they came; nothing where one is still being checked.
    flows: Vec<Option<Flow>>,
    then: Option<Then>,
}

impl Verifier {
    /// [`Verifier::check`] for each of them; `then` is called once, with all in the same order.
    pub fn check_all(
        &self,
        flows: Vec<(Flow, Vec<Wanted>)>,
        then: impl FnOnce(Vec<Flow>) + Send + 'static,
    ) {
        if flows.is_empty() {
            return then(Vec::new());
        }
        let gathered = Arc::new(Mutex::new(Gathered {
            flows: flows.iter().map(|_| None).collect(),
            then: Some(then),
        }));
        for (place, (flow, wanted)) in flows.into_iter().enumerate() {
            let gathered = Arc::clone(&gathered);
            self.check(flow, wanted, move |flow| {
                let mut all = gathered.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(slot) = all.flows.get_mut(place) {
                    *slot = Some(flow);
                }
                if all.flows.iter().any(Option::is_none) {
                    return;
                }
                let flows = std::mem::take(&mut all.flows);
                let then = all.then.take();
                drop(all);
                if let Some(then) = then {
                    then(flows.into_iter().flatten().collect());
                }
            });
        }
    }
}
