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

#[cfg(test)]
mod tests {
    use super::Verifier;
    use crate::flow::Flow;
    use crate::verify::Wanted;
    use std::net::IpAddr;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    fn flow(last: u8) -> Flow {
        Flow::of_nobody([10, 0, 0, last], 80)
    }

    fn wanted(name: &str) -> Vec<Wanted> {
        vec![Wanted {
            name: name.to_owned(),
            opens: true,
            of_rule: true,
        }]
    }

    #[test]
    fn all_are_there_at_once_in_their_order() {
        let verifier = Verifier::with(|name| match name {
            "first.test" => {
                std::thread::sleep(Duration::from_millis(200));
                vec![IpAddr::from([10, 0, 0, 1])]
            }
            _ => vec![IpAddr::from([10, 0, 0, 3])],
        });
        let (sender, seen) = channel();
        let flows = vec![
            (flow(1), wanted("first.test")),
            (flow(2), Vec::new()),
            (flow(3), wanted("third.test")),
        ];
        verifier.check_all(flows, move |flows| sender.send(flows).unwrap());
        let flows = seen.recv_timeout(Duration::from_secs(20)).unwrap();
        let names: Vec<Vec<&str>> = flows
            .iter()
            .map(|flow| flow.names.iter().map(|name| name.name.as_str()).collect())
            .collect();
        assert_eq!(names, [vec!["first.test"], vec![], vec!["third.test"]]);
        let (sender, seen) = channel();
        verifier.check_all(Vec::new(), move |flows| sender.send(flows.len()).unwrap());
        assert_eq!(seen.recv().unwrap(), 0);
    }
}
