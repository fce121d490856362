//! What is said of a program though none of its calls is refused for it: once for each program.

use super::{Decider, coverage, lock, outside, refusals};
use hallpass_guard::{Caller, Destination};
use hallpass_policy::canonical_name;
use hallpass_session::event::Kind;
use hallpass_session::flow::{App, Flow};
use hallpass_session::targets::ip;
use hallpass_wire::NameReport;

impl Decider {
    /// The C library tries a name service on each look-up and goes on without it: one line for
    /// each program, no refusal.
    pub(super) fn say_who_looks_up(&self, flow: &Flow, path: &str) {
        let app = flow.app.identity();
        if lock(&self.without_service).is_new(app) {
            let text = format!(
                "its look-ups do not go through unix:{path}, where no rule would see them; \
                 --allow unix:{path} lets them"
            );
            self.core.record(Kind::Coverage {
                text: refusals::line(app, flow.pid, &text),
            });
        }
    }

    pub(super) fn point_out_rebinding(&self, report: &NameReport) {
        let Ok(name) = canonical_name(report.name()) else {
            return;
        };
        let addresses = report.addresses().iter().map(|it| ip(*it).to_canonical());
        let mut rebound = addresses.filter(|address| self.core.is_rebound(&name, *address));
        if let Some(address) = rebound.next()
            && lock(&self.rebound).is_new(&name)
        {
            self.core.record(Kind::Coverage {
                text: format!(
                    "{name} was looked up as {address}, which is not on the internet: rules that \
                     allow the name do not count for it (DNS rebinding)"
                ),
            });
        }
    }

    /// Work that a process outside the session, `peer`, may do for the program from now on.
    pub(super) fn say_who_leaves(&self, caller: Caller, peer: u32, destination: &Destination) {
        let Some((path, what)) = outside::socket(destination) else {
            return;
        };
        let app = {
            let mut targets = lock(&self.targets);
            if targets.identify(peer).is_some() {
                return;
            }
            targets.identify(caller.pid).map(|it| it.app)
        };
        let app = app.as_deref().map_or("", App::identity);
        if lock(&self.leaving).is_new(&format!("{app}\n{path}")) {
            let listener = coverage::program_of(peer);
            let text = format!("uses {listener}[{peer}] at unix:{path}: {what}");
            self.core.record(Kind::Coverage {
                text: refusals::line(app, caller.pid, &text),
            });
        }
    }
}
