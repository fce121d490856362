//! Finds sessions as they start: told by the kernel, and by looking every now and then.

use super::Links;
use super::follower::{Again, follow};
use hallpass_session::runtime_dir;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::collections::HashSet;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How often is looked anyway, in milliseconds: a base may not exist yet, and a session may have
/// been too busy.
const LOOK_EVERY: u16 = 2000;

/// Looks for sessions, for as long as the process lives.
pub(super) fn run(links: &Links, bases: &[PathBuf]) {
    let watch = Watch::new();
    let never: Arc<Mutex<HashSet<String>>> = Arc::default();
    loop {
        watch.add(bases);
        for session in runtime_dir::sessions(bases) {
            let name = session.name.to_string();
            if lock(&never).contains(&name) {
                continue;
            }
            let never = Arc::clone(&never);
            follow(links, session, move |again| {
                if again == Again::Never {
                    lock(&never).insert(name);
                }
            });
        }
        watch.wait();
    }
}

fn lock(set: &Mutex<HashSet<String>>) -> MutexGuard<'_, HashSet<String>> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The kernel's word that something appeared in a base.
struct Watch {
    /// None where the kernel has no more watches to give: then looking has to do.
    inotify: Option<Inotify>,
}

impl Watch {
    fn new() -> Self {
        Self {
            inotify: Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok(),
        }
    }

    /// A base that was removed and made again is another directory: added anew each time, which
    /// changes nothing where it is the same.
    fn add(&self, bases: &[PathBuf]) {
        let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        if let Some(inotify) = &self.inotify {
            for base in bases {
                // One that does not exist is looked for again.
                let _ = inotify.add_watch(base.as_path(), flags);
            }
        }
    }

    fn wait(&self) {
        let Some(inotify) = &self.inotify else {
            std::thread::sleep(std::time::Duration::from_millis(LOOK_EVERY.into()));
            return;
        };
        let mut fds = [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(LOOK_EVERY)) == Err(Errno::EINTR) {
            return;
        }
        while inotify.read_events().is_ok_and(|events| !events.is_empty()) {}
    }
}
