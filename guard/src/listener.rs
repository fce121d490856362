//! Where the filter is installed, and the descriptor that its notifications come from.
//!
//! A filter is inherited by whatever the installing thread starts, and can never be taken off.
//! So it is installed in a thread of its own, which starts the program and ends: the listener is
//! then in this process's descriptor table, and no other thread of it is filtered.

use crate::answer::Answer;
use crate::copies;
use crate::filter::{self, Options};
use crate::sys::{process, seccomp};
use crate::yama;
use nix::errno::Errno;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The listener of a filter: it tells of calls, and takes their answers.
///
/// It can also be made of a descriptor that somebody else has installed (`From<OwnedFd>`).
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    /// Its filter tells of sockets that are to be made.
    makes_sockets: bool,
}

/// What the kernel granted when the filter was installed; all of it is worth a line in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Targets run without the privileges of setuid and file-capability programs
    /// (`no_new_privs`): without CAP_SYS_ADMIN the kernel wants this.
    pub no_new_privs: bool,
    /// Targets cannot trace or write to older processes (a Landlock domain, Linux 6.12). Where
    /// false, ptrace and its like are closed to them altogether.
    pub landlock: bool,
    /// A call that the supervisor has seen is not undone by a signal (Linux 5.19).
    pub wait_killable: bool,
    /// The guard makes the sockets of targets, because it may not duplicate theirs (pidfd_getfd(2)
    /// is refused). A message with control data on a connected socket that several threads share
    /// cannot be made then, and is refused.
    pub makes_sockets: bool,
    /// Synchronous wake-ups (Linux 6.6): several times faster.
    pub wake_synchronously: bool,
}

/// Why there is no guard.
#[derive(Debug)]
pub enum InstallError {
    /// A filter with a listener is in place already: the kernel allows one.
    AlreadyGuarded,
    /// The kernel has no seccomp notifications, or does not let us use them.
    Refused(Errno),
    /// No call could be made on a target's behalf: pidfd_getfd(2) is refused (the first), as by
    /// the seccomp profiles of containers without CAP_SYS_PTRACE, and targets cannot be given
    /// sockets that were made here (the second).
    NoWayToSockets(Errno, Errno),
    /// Yama's `ptrace_scope`, which lets this process look into no other: neither addresses nor
    /// sockets could be had.
    NoSight(u8),
    /// The thread that was to start the program could not be made.
    Thread(io::Error),
    /// The program could not be started.
    Start(io::Error),
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyGuarded => f.write_str(
                "the kernel refuses a second seccomp listener: this already runs under one \
                 (another hallpass, or a container that supervises system calls)",
            ),
            Self::Refused(errno) => {
                write!(f, "the kernel refuses a seccomp listener: {}", errno.desc())
            }
            Self::NoWayToSockets(duplicate, give) => write!(
                f,
                "pidfd_getfd(2), by which the guard reaches a program's sockets, is refused ({}), \
                 as in containers without CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE), and so \
                 is giving it sockets made by the guard, which takes Linux 5.14 and /proc ({})",
                duplicate.desc(),
                give.desc()
            ),
            Self::NoSight(scope) => write!(
                f,
                "kernel.yama.ptrace_scope is {scope}, so that programs cannot be looked into; it \
                 has to be 1 (sysctl kernel.yama.ptrace_scope=1; from 3 only a restart leads back)"
            ),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
            Self::Start(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for InstallError {}

/// Installs the filter in a new thread, runs `start` there, and ends the thread: the program that
/// `start` forks is guarded, this process is not. `start` must not connect or send to any address:
/// nobody answers yet.
///
/// The calling thread sleeps meanwhile, so that a fork in `start` meets no lock that a running
/// thread holds, if the caller has no other threads. Nor may it make sockets, for the same reason.
///
/// # Errors
/// Where the kernel refuses, or `start` does.
pub fn install<T: Send>(
    start: impl FnOnce() -> io::Result<T> + Send,
) -> Result<(Listener, Granted, T), InstallError> {
    if let Some(scope) = yama::closes_all() {
        return Err(InstallError::NoSight(scope));
    }
    let cannot_duplicate = process::try_to_duplicate().err();
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("hallpass-start".to_owned())
            .spawn_scoped(scope, || {
                let (listener, granted) = install_here(cannot_duplicate)?;
                let started = start().map_err(InstallError::Start)?;
                Ok((listener, granted, started))
            })
            .map_err(InstallError::Thread)?;
        thread.join().unwrap_or_else(|_| {
            Err(InstallError::Start(io::Error::other(
                "starting it panicked",
            )))
        })
    })
}

/// Installs the filter for the calling thread.
fn install_here(cannot_duplicate: Option<Errno>) -> Result<(Listener, Granted), InstallError> {
    let mut no_new_privs = false;
    let landlock = enter_landlock(&mut no_new_privs);
    let program = filter::program(Options {
        close_foreign_processes: !landlock,
        make_sockets: cannot_duplicate.is_some(),
    });
    let mut wait_killable = true;
    let fd = loop {
        match seccomp::install(&program, wait_killable) {
            Ok(fd) => break fd,
            // Not privileged: the kernel wants that nobody below becomes so.
            Err(Errno::EACCES) if !no_new_privs => {
                nix::sys::prctl::set_no_new_privs().map_err(InstallError::Refused)?;
                no_new_privs = true;
            }
            Err(Errno::EINVAL) if wait_killable => wait_killable = false,
            Err(Errno::EBUSY) => return Err(InstallError::AlreadyGuarded),
            Err(errno) => return Err(InstallError::Refused(errno)),
        }
    };
    if let Some(refused) = cannot_duplicate {
        let no_way = |errno| InstallError::NoWayToSockets(refused, errno);
        seccomp::can_give(fd.as_fd()).map_err(no_way)?;
        copies::can_find(fd.as_fd()).map_err(no_way)?;
    }
    let listener = Listener {
        fd,
        makes_sockets: cannot_duplicate.is_some(),
    };
    let granted = Granted {
        no_new_privs,
        landlock,
        wait_killable,
        makes_sockets: listener.makes_sockets,
        wake_synchronously: seccomp::wake_synchronously(listener.fd.as_fd()).is_ok(),
    };
    Ok((listener, granted))
}

/// False where the kernel has no scopes, or refuses.
pub(crate) fn enter_landlock(no_new_privs: &mut bool) -> bool {
    if process::has_scopes() {
        match process::enter_landlock_domain() {
            Err(Errno::EPERM) => {
                *no_new_privs = nix::sys::prctl::set_no_new_privs().is_ok();
                process::enter_landlock_domain().is_ok()
            }
            result => result.is_ok(),
        }
    } else {
        false
    }
}

/// One call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notification {
    pub(crate) id: u64,
    /// The calling thread, as this process sees it.
    pub(crate) tid: u32,
    pub(crate) arch: u32,
    pub(crate) number: i32,
    pub(crate) arguments: [u64; 6],
}

impl Listener {
    /// The next call. None: no process is left that could make one.
    pub(crate) fn receive(&self) -> Result<Option<Notification>, Errno> {
        loop {
            match seccomp::receive(self.fd.as_fd()) {
                Ok(it) => {
                    return Ok(Some(Notification {
                        id: it.id,
                        tid: it.pid,
                        arch: it.data.arch,
                        number: it.data.nr,
                        arguments: it.data.args,
                    }));
                }
                // Its caller was killed before we came to it, or all are gone.
                Err(Errno::ENOENT) if self.is_deserted() => return Ok(None),
                Err(Errno::ENOENT | Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Nobody is left under the filter.
    fn is_deserted(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok()
            && fds[0]
                .revents()
                .is_some_and(|events| events.contains(PollFlags::POLLHUP))
    }

    /// Whether targets' sockets are made here.
    pub(crate) fn makes_sockets(&self) -> bool {
        self.makes_sockets
    }

    /// Ends the call with a duplicate of `socket` in its thread's table; see [`seccomp::give`].
    pub(crate) fn give(
        &self,
        id: u64,
        socket: BorrowedFd<'_>,
        closed_on_exec: bool,
    ) -> Result<i32, Errno> {
        seccomp::give(self.fd.as_fd(), id, socket, closed_on_exec)
    }

    /// Whether the call still waits; if so its thread has been there since it was told.
    pub(crate) fn is_waiting(&self, id: u64) -> bool {
        seccomp::is_waiting(self.fd.as_fd(), id)
    }

    /// Ends the call. It may have been killed in between: then there is nobody to tell.
    pub(crate) fn answer(&self, id: u64, answer: Answer) {
        let _ = match answer {
            Answer::Value(value) => seccomp::respond(self.fd.as_fd(), id, value, 0),
            Answer::Error(errno) => seccomp::respond(self.fd.as_fd(), id, 0, -(errno as i32)),
            Answer::Restart => {
                seccomp::respond(self.fd.as_fd(), id, 0, -crate::answer::ERESTARTSYS)
            }
            Answer::Proceed(permission) => permission.proceed(self.fd.as_fd(), id),
        };
    }
}

impl From<OwnedFd> for Listener {
    fn from(fd: OwnedFd) -> Self {
        Self {
            fd,
            makes_sockets: false,
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
