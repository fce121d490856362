//! The wires to the sessions: finds those that run, follows each on a thread of its own, and
//! carries commands to them.

mod finder;
mod follower;
pub mod instance;
#[cfg(test)]
mod tests;

use crate::model::{Command, Report};
use std::collections::HashMap;
use std::io::{PipeWriter, Write};
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many sessions are followed at once; more are followed as others end.
const MAX_FOLLOWED: usize = 256;
/// How many commands may wait for one session: more than it can have questions.
const MAX_COMMANDS: usize = 4096;

/// Takes what sessions do. Called from many threads; must not wait for a person or a window.
pub type Listener = Arc<dyn Fn(Report) + Send + Sync>;

/// The wires to all sessions. Clones are the same wires.
#[derive(Clone)]
pub struct Links {
    shared: Arc<Shared>,
}

struct Shared {
    listener: Listener,
    wires: Mutex<HashMap<String, Wire>>,
}

/// The near end of a session's thread.
struct Wire {
    commands: SyncSender<Command>,
    /// A byte wakes the thread.
    wake: PipeWriter,
}

impl Links {
    /// Begins to follow the sessions below `bases`.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn start(bases: Vec<PathBuf>, listener: Listener) -> std::io::Result<Self> {
        let links = Self {
            shared: Arc::new(Shared {
                listener,
                wires: Mutex::default(),
            }),
        };
        let wires = links.clone();
        std::thread::Builder::new()
            .name("finder".to_owned())
            .spawn(move || finder::run(&wires, &bases))?;
        Ok(links)
    }

    /// Carries a command to its session; the answer comes as [`Report::Replied`].
    pub fn send(&self, command: Command) {
        let ticket = command.ticket;
        let sent = match self.wires().get_mut(&command.session) {
            None => Err("the session has ended"),
            Some(wire) => match wire.commands.try_send(command) {
                Ok(()) => {
                    // A thread that is gone reads no byte; what it leaves behind it reports.
                    let _ = wire.wake.write(b"!");
                    Ok(())
                }
                Err(TrySendError::Full(_)) => Err("the session does not keep up"),
                Err(TrySendError::Disconnected(_)) => Err("the session has ended"),
            },
        };
        if let Err(error) = sent {
            self.report(Report::Replied(ticket, Err(error.to_owned())));
        }
    }

    fn report(&self, report: Report) {
        (self.shared.listener)(report);
    }

    fn wires(&self) -> MutexGuard<'_, HashMap<String, Wire>> {
        // Whoever held it only moved values in and out of the map.
        self.shared
            .wires
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
