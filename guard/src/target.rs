//! The calling thread: its handle and its descriptors.

mod memory;
mod status;

use crate::copies::Copies;
use crate::decide::Caller;
use crate::sys::process;
use hallpass_look as look;
pub(crate) use memory::{Memory, Piece};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
pub(crate) use status::{Status, status_of};
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

/// A thread that has made a call. Whatever is read here belongs to it only if the call turns out
/// to wait still *after* the reading ([`crate::listener::Listener::is_waiting`]).
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) caller: Caller,
    handle: OwnedFd,
    copies: Option<Arc<Copies>>,
}

/// Threads met lately. A handle stays the handle of one thread, even after its number belongs to
/// another; a dead one says ESRCH.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    known: Mutex<HashMap<u32, Arc<Target>>>,
    /// Where nothing can be duplicated.
    copies: Option<Arc<Copies>>,
}

/// Handles that are kept; a program with more threads pays for opening them again.
const KNOWN_MAX: usize = 256;

impl Targets {
    pub(crate) fn new(copies: Option<Arc<Copies>>) -> Self {
        Self {
            known: Mutex::default(),
            copies,
        }
    }

    /// The thread.
    pub(crate) fn get(&self, tid: u32) -> Result<Arc<Target>, Errno> {
        let known = self.lock().get(&tid).map(Arc::clone);
        match known {
            Some(target) if !target.has_ended() => Ok(target),
            _ => self.open(tid),
        }
    }

    /// The thread, and our own duplicate of its descriptor `fd`.
    pub(crate) fn descriptor(&self, tid: u32, fd: i32) -> Result<(Arc<Target>, OwnedFd), Errno> {
        let known = self.lock().get(&tid).map(Arc::clone);
        if let Some(target) = known {
            match process::get_descriptor(target.handle.as_fd(), fd) {
                Err(Errno::ESRCH) => {}
                result => return result.map(|own| (target, own)),
            }
        }
        let target = self.open(tid)?;
        let own = process::get_descriptor(target.handle.as_fd(), fd)?;
        Ok((target, own))
    }

    /// The thread, newly looked at.
    pub(crate) fn open(&self, tid: u32) -> Result<Arc<Target>, Errno> {
        let target = Arc::new(Target::open(tid, self.copies.clone())?);
        let mut known = self.lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(tid, Arc::clone(&target));
        Ok(target)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Arc<Target>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    fn open(tid: u32, copies: Option<Arc<Copies>>) -> Result<Self, Errno> {
        let leads = match process::open_process(tid) {
            Ok(handle) => Some(handle),
            Err(Errno::EINVAL | Errno::ENOENT) => None,
            Err(errno) => return Err(errno),
        };
        let pid = if leads.is_some() {
            tid
        } else {
            Status::read(tid)?.pid
        };
        let handle = match process::open_thread(tid) {
            Ok(handle) => handle,
            // Before Linux 6.9: the table of the process, which is the thread's own but where it
            // has unshared it. Then the call is decided and made on another socket of the program.
            Err(Errno::EINVAL) => match leads {
                Some(handle) => handle,
                None => process::open_process(pid)?,
            },
            Err(errno) => return Err(errno),
        };
        Ok(Self {
            caller: Caller { pid, tid },
            handle,
            copies,
        })
    }

    /// Whether the thread is gone, whoever has its number by now.
    pub(crate) fn has_ended(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut fds = [PollFd::new(self.handle.as_fd(), PollFlags::POLLIN)];
        // Readable, or worse, once it has ended (pidfd_open(2)).
        !matches!(poll(&mut fds, PollTimeout::ZERO), Ok(0))
    }

    /// Our own duplicate of another descriptor of it, to be sent on.
    pub(crate) fn descriptor(&self, fd: i32) -> Result<OwnedFd, Errno> {
        match &self.copies {
            None => process::get_descriptor(self.handle.as_fd(), fd),
            Some(copies) => copies.pass(self.caller.tid, fd),
        }
    }

    /// The file that a descriptor of it is open on, to look something up from.
    pub(crate) fn place(&self, fd: i32) -> Result<OwnedFd, Errno> {
        if self.copies.is_none() {
            return process::get_descriptor(self.handle.as_fd(), fd);
        }
        let path = format!("/proc/{}/fd/{fd}", self.caller.tid);
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        look::into(self.caller.tid, || {
            open(path.as_str(), flags, Mode::empty())
        })
    }
}

pub(crate) fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::Targets;
    use nix::errno::Errno;
    use std::os::fd::AsRawFd;

    #[test]
    fn descriptors_are_duplicated_and_misses_are_errors() {
        let targets = Targets::default();
        let (file, tid) = (tempfile::tempfile().unwrap(), std::process::id());
        for _ in 0..2 {
            let (target, own) = targets.descriptor(tid, file.as_raw_fd()).unwrap();
            assert_eq!(target.caller.pid, tid);
            assert_ne!(own.as_raw_fd(), file.as_raw_fd());
        }
        let bad = targets.descriptor(tid, 9999).map(drop);
        assert_eq!(bad, Err(Errno::EBADF));
    }
}
