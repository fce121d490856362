//! The log of a session: its events, one JSON object per line (docs/control.md), in
//! `$XDG_STATE_HOME/hallpass/SESSION.jsonl`, readable by its user only.
//!
//! Writing has a thread of its own: a full, slow or broken disk never delays a decision. What
//! comes faster than it can be written is merged with its equals, and what cannot be written at
//! all is counted, so that the totals of a log stay exact.

mod bounded;
mod merged;
mod prune;

pub use bounded::LIMIT;
pub use prune::{KEEP_BYTES, KEEP_FOR, prune};

use crate::event::{Event, Kind};
use crate::problem::Problem;
use bounded::BoundedLog;
use merged::Merged;
use nix::fcntl::OFlag;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc::{
    Receiver, RecvError, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many events may wait for the disk.
const QUEUE: usize = 8192;

/// How long events gather after one has been written: waking the writer for each of thousands
/// would cost the decisions more than the events do.
const GATHER: Duration = Duration::from_millis(20);

/// Where events go; cheap to clone.
#[derive(Clone)]
pub struct Log {
    queue: SyncSender<Item>,
    /// What found the queue full.
    late: Arc<Mutex<Merged>>,
}

/// The writing end; keep it and [`LogWriter::finish`] it.
pub struct LogWriter {
    log: Log,
    /// Ends the gathering.
    hurry: SyncSender<()>,
    done: Receiver<()>,
}

enum Item {
    Event(Box<Event>),
    End,
}

impl Log {
    /// Starts the log of a session in `path` and clears away logs that are too old. `complain`
    /// is called at most once, with the first thing that goes wrong; decisions go on without.
    pub fn start(
        path: &Path,
        complain: impl FnOnce(Problem) + Send + 'static,
    ) -> (Self, LogWriter) {
        let (queue, events) = sync_channel(QUEUE);
        let (done_tx, done) = sync_channel(1);
        let (hurry, hurried) = sync_channel(1);
        let log = Self {
            queue,
            late: Arc::default(),
        };
        let thread = Writer {
            path: path.to_owned(),
            late: Arc::clone(&log.late),
            complain: Some(Box::new(complain)),
            hurried,
        };
        let started = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                thread.run(&events);
                let _ = done_tx.send(());
            });
        // Where no thread can be had, the queue has no reader and record() counts in vain: the
        // session has greater worries then, and they are reported where they occur.
        drop(started);
        (log.clone(), LogWriter { log, hurry, done })
    }

    /// Records an event. Never waits.
    pub fn record(&self, event: Event) {
        if let Err(TrySendError::Full(Item::Event(event))) =
            self.queue.try_send(Item::Event(Box::new(event)))
        {
            self.late
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .add(*event);
        }
    }
}

impl LogWriter {
    /// Waits until everything recorded so far is written, at most `patience` long; true if it is.
    /// What is recorded afterwards is not written.
    pub fn finish(self, patience: Duration) -> bool {
        let mut waited = Duration::ZERO;
        let pause = Duration::from_millis(5);
        while let Err(TrySendError::Full(_)) = self.log.queue.try_send(Item::End) {
            if waited >= patience {
                return false;
            }
            std::thread::sleep(pause);
            waited += pause;
        }
        // Full means that it has been told before.
        let _ = self.hurry.try_send(());
        let rest = patience.saturating_sub(waited);
        !matches!(self.done.recv_timeout(rest), Err(RecvTimeoutError::Timeout))
    }
}

struct Writer {
    path: std::path::PathBuf,
    late: Arc<Mutex<Merged>>,
    complain: Option<Box<dyn FnOnce(Problem) + Send>>,
    hurried: Receiver<()>,
}

impl Writer {
    fn run(mut self, events: &Receiver<Item>) {
        let opened = open(&self.path);
        if let Some(dir) = self.path.parent() {
            prune(dir);
        }
        let file = match opened {
            Ok(file) => file,
            Err(problem) => {
                self.complain(problem);
                while let Ok(Item::Event(_)) = events.recv() {}
                return;
            }
        };
        let mut log = BoundedLog::new(file, LIMIT);
        while let Ok(Item::Event(event)) = self.next(events) {
            if matches!(event.kind, Kind::Totals { .. }) {
                log.absorb(self.take_late());
            }
            let written = log.write(*event);
            self.check(written);
        }
        log.absorb(self.take_late());
        let written = log.finish();
        self.check(written);
    }

    fn take_late(&self) -> Merged {
        std::mem::take(&mut *self.late.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn next(&self, events: &Receiver<Item>) -> Result<Item, RecvError> {
        match events.try_recv() {
            Ok(item) => Ok(item),
            Err(TryRecvError::Disconnected) => Err(RecvError),
            Err(TryRecvError::Empty) => {
                let _ = self.hurried.recv_timeout(GATHER);
                events.recv()
            }
        }
    }

    fn check(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.complain(Problem::io(
                &self.path,
                "write",
                &error,
                "the session goes on without a complete log",
            ));
        }
    }

    fn complain(&mut self, problem: Problem) {
        if let Some(complain) = self.complain.take() {
            complain(problem);
        }
    }
}

/// Tries to make a log in `dir`, and removes it.
///
/// # Errors
/// Why a session would have none.
pub fn try_in(dir: &Path) -> Result<(), Problem> {
    let path = dir.join(format!("try-{}.jsonl", std::process::id()));
    open(&path)?;
    let _ = std::fs::remove_file(path);
    Ok(())
}

/// Makes the log; its lock tells [`prune`] that the session is alive.
fn open(path: &Path) -> Result<File, Problem> {
    let failed =
        |error: &io::Error| Problem::io(path, "create", error, "the session goes on without a log");
    if let Some(dir) = path.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|error| failed(&error))?;
    }
    let mut options = OpenOptions::new();
    options
        .append(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits());
    let file = options.open(path).map_err(|error| failed(&error))?;
    let _ = file.try_lock();
    Ok(file)
}

#[cfg(test)]
mod tests;
