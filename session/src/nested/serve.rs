//! What a nested run says, by whichever way, and what becomes of it.

use super::Narrowing;
use super::runs::{Proc, Process};
use crate::core::Core;
use crate::event::Kind;
use crate::targets::Targets;
use hallpass_wire::Nested;

/// How often a session says that a nested run could not join.
const MAX_COMPLAINTS: u32 = 32;

impl Targets {
    /// A thread of a process says something about a nested run. Yes or no.
    pub fn nested(&mut self, core: &Core, pid: u32, tid: u32, said: &Nested) -> bool {
        let Some(lineage) = self.lineage(pid) else {
            return false;
        };
        let Some(caller) = lineage.first().copied() else {
            return false;
        };
        match said {
            Nested::Hello => true,
            Nested::Part(part) => self.runs_mut().upload(caller, part.as_bytes()),
            Nested::Join(length) => self.join(core, &lineage, *length),
            Nested::Marked => self.runs_mut().mark(caller, tid, &Proc),
            Nested::Left => {
                let over = self.runs_mut().left(caller);
                for id in &over {
                    core.nested_ended(*id);
                }
                self.forget(pid);
                !over.is_empty()
            }
            Nested::Refused(number) => {
                let kept = self.runs_mut().kept_by(caller);
                kept.is_some_and(|id| core.nested_totals(id).denied > *number)
            }
            Nested::Allowed(number) => {
                let kept = self.runs_mut().kept_by(caller);
                kept.is_some_and(|id| core.nested_totals(id).allowed > *number)
            }
        }
    }

    fn join(&mut self, core: &Core, lineage: &[Process], length: u32) -> bool {
        let Some(caller) = lineage.first().copied() else {
            return false;
        };
        for id in self.runs_mut().stillborn(&Proc) {
            core.nested_ended(id);
        }
        let joined = self
            .narrowing(caller, length)
            .and_then(|(narrowing, bytes)| {
                let id = self.runs_mut().join(lineage, bytes, &Proc)?;
                Ok((id, narrowing))
            });
        match joined {
            Ok((id, narrowing)) => {
                core.nested_began(id, caller.pid, narrowing);
                // It is in the run itself, which was not so when it was last looked at.
                self.forget(caller.pid);
                true
            }
            Err(why) => {
                self.complain(core, caller.pid, &why);
                false
            }
        }
    }

    fn narrowing(&mut self, caller: Process, length: u32) -> Result<(Narrowing, usize), String> {
        let bytes = self.runs_mut().take_upload(caller);
        let bytes = bytes.ok_or("its rules have not arrived")?;
        if u32::try_from(bytes.len()) != Ok(length) {
            return Err("its rules have not arrived whole".to_owned());
        }
        Ok((Narrowing::decode(&bytes)?, bytes.len()))
    }

    fn complain(&mut self, core: &Core, pid: u32, why: &str) {
        let complaints = self.complaints_mut();
        if *complaints < MAX_COMPLAINTS {
            *complaints += 1;
            core.record(Kind::Coverage {
                text: format!(
                    "hallpass run inside this session (process {pid}) cannot join it: {why}"
                ),
            });
        }
    }
}
