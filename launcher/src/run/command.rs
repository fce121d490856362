//! Starting CMD: forked by the session into the front's process group, held at a gate until
//! somebody can be asked, then executed with everything as our caller left it.

use super::user::User;
use crate::sys;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use nix::unistd::{ForkResult, Pid, execvpe, pipe2, read, setpgid, write};
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// CMD's arguments and environment.
#[derive(Clone, Debug)]
pub(super) struct Command {
    /// Program and arguments.
    pub(super) argv: Vec<OsString>,
    /// Environment, in the caller's order.
    pub(super) environment: Vec<(OsString, OsString)>,
    /// Who it is started as, if not as whoever started us.
    user: Option<User>,
}

/// CMD after the fork.
#[derive(Debug)]
pub(super) struct Started {
    /// Its process id.
    pub(super) pid: Pid,
    /// Writing a byte lets it go on; closing it ends it.
    pub(super) gate: OwnedFd,
    /// Four bytes of errno where it could not be executed, end of file where it was.
    pub(super) failure: OwnedFd,
}

impl Command {
    /// The command with our caller's environment.
    pub(super) fn new(argv: &[OsString]) -> Self {
        Self {
            argv: argv.to_vec(),
            environment: std::env::vars_os().collect(),
            user: None,
        }
    }

    /// Starts it as this user, in whose home and by whose name it finds itself.
    pub(super) fn start_as(&mut self, user: User) {
        for (name, value) in user.variables() {
            self.set(name, value);
        }
        self.user = Some(user);
    }

    /// The value of a variable.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_os_str())
    }

    /// Sets a variable in its place, or at the end.
    pub(super) fn set(&mut self, name: &str, value: OsString) {
        match self.environment.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.environment.push((name.into(), value)),
        }
    }

    /// Forks CMD into the process group `group`. `mask` is the signal mask it gets back.
    pub(super) fn start(&self, group: Pid, mask: &SigSet) -> io::Result<Started> {
        let argv = strings(
            self.argv
                .iter()
                .map(|argument| argument.as_bytes().to_vec()),
        )?;
        let environment = strings(self.environment.iter().map(|(name, value)| {
            let mut entry = name.clone().into_vec();
            entry.push(b'=');
            entry.extend_from_slice(value.as_bytes());
            entry
        }))?;
        let (gate_read, gate) = pipe2(OFlag::O_CLOEXEC)?;
        let (failure, failure_write) = pipe2(OFlag::O_CLOEXEC)?;
        match sys::fork()? {
            ForkResult::Parent { child } => Ok(Started {
                pid: child,
                gate,
                failure,
            }),
            ForkResult::Child => {
                drop((gate, failure));
                let errno = become_command(
                    &argv,
                    &environment,
                    group,
                    mask,
                    &gate_read,
                    self.user.as_ref(),
                );
                // Nobody may be there to read it; the status says that it failed all the same.
                let _ = write(&failure_write, &(errno as i32).to_ne_bytes());
                sys::exit_now(crate::exit::Exit::Ours.code().into())
            }
        }
    }
}

/// Never returns where all goes well.
fn become_command(
    argv: &[CString],
    environment: &[CString],
    group: Pid,
    mask: &SigSet,
    gate: &OwnedFd,
    user: Option<&User>,
) -> Errno {
    let ready = || -> Result<(), Errno> {
        setpgid(Pid::from_raw(0), group)?;
        let mut byte = [0];
        loop {
            match read(gate, &mut byte) {
                Err(Errno::EINTR) => {}
                // The session is gone, and with it whoever would decide.
                Ok(0) => return Err(Errno::ECANCELED),
                Ok(_) => break,
                Err(errno) => return Err(errno),
            }
        }
        for fd in (0..3).filter(|fd| sys::closed_at_start(*fd)) {
            sys::close_inherited(fd);
        }
        sys::restore_dispositions()?;
        if let Some(user) = user {
            user.become_it()?;
        }
        // Last, so that a signal that waits already finds everything in its place.
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(mask), None)
    };
    if let Err(errno) = ready() {
        return errno;
    }
    let Some(program) = argv.first() else {
        return Errno::ENOENT;
    };
    match execvpe(program, argv, environment) {
        Err(errno) => errno,
        Ok(never) => match never {},
    }
}

fn strings(entries: impl Iterator<Item = Vec<u8>>) -> io::Result<Vec<CString>> {
    entries
        .map(|entry| CString::new(entry).map_err(io::Error::from))
        .collect()
}

impl Started {
    /// Lets CMD go on.
    pub(super) fn open_gate(&self) -> Result<(), Errno> {
        write(&self.gate, &[1]).map(drop)
    }

    /// The errno with which CMD could not be executed; none where it was.
    pub(super) fn failure(&self) -> Option<Errno> {
        let mut bytes = [0; 4];
        loop {
            return match read(&self.failure, &mut bytes) {
                Err(Errno::EINTR) => continue,
                Ok(4) => Some(Errno::from_raw(i32::from_ne_bytes(bytes))),
                _ => None,
            };
        }
    }
}
