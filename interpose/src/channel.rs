//! One connection to the session, from connect to close.

use crate::forks::Noted;
use crate::patience::Patience;
use crate::settings;
use crate::signals::{Blocked, Due};
use crate::sys::{self, Fd};
use core::ffi::c_int;
use core::mem::offset_of;
use hallpass_wire::{REPLY_LEN, Reply, SUN_PATH_LEN, SessionName, abstract_ask_name};
use libc::{pollfd, sockaddr_un};

/// Why there is no reply.
pub(crate) enum Failure {
    /// No session, or one that is silent, dead, or not the one it should be.
    NoSession,
    /// The session says what makes no sense.
    BadFrame,
    /// A signal wants to be delivered first.
    Signal(Due),
}

/// A connection whose other end is the session. Signals must be blocked while it lives.
pub(crate) struct Channel<'a> {
    /// Made when the session lets us wait. Dropped before the descriptors are: a child forked in
    /// between keeps a copy, but never closes what took its number meanwhile.
    noted: [Option<Noted>; 2],
    socket: Fd,
    /// Made when the session lets us wait.
    signals: Option<Fd>,
    blocked: &'a Blocked,
    /// Begins when the first reply is late: no look at the clock for those that are not.
    patience: Option<Patience>,
    frame: [u8; REPLY_LEN],
    filled: usize,
}

/// How long the first reply may take before signals are watched, in milliseconds. What a rule
/// decides comes sooner, and costs nothing more.
const SHORT: u64 = 20;
/// How often to look at pending signals where there was no descriptor to be told by.
const LOOK: u64 = 100;
/// How long to wait for room in the session's backlog before the next try, in milliseconds.
const RETRY: u64 = 10;

impl<'a> Channel<'a> {
    /// Connects to the abstract name, else to `DIR/ask`, and makes sure who listens there.
    pub(crate) fn open(session: SessionName, blocked: &'a Blocked) -> Result<Self, Failure> {
        let mut address = sockaddr_un {
            sun_family: libc::AF_UNIX as u16,
            sun_path: [0; SUN_PATH_LEN],
        };
        let mut path = [0; SUN_PATH_LEN];
        let len = abstract_ask_name(session, &mut path);
        set_path(&mut address, &path);
        let socket = match connect(session, &address, len, blocked) {
            Err(Failure::NoSession) => {
                // The zero at the end belongs to a path.
                let len = settings::ask_path(&mut path)
                    .ok_or(Failure::NoSession)?
                    .saturating_add(1);
                set_path(&mut address, &path);
                connect(session, &address, len, blocked)?
            }
            done => done?,
        };
        Ok(Self {
            noted: [None, None],
            socket,
            signals: None,
            blocked,
            patience: None,
            frame: [0; REPLY_LEN],
            filled: 0,
        })
    }

    /// Sends a request.
    pub(crate) fn send(&self, request: &[u8]) -> Result<(), Failure> {
        sys::send(&self.socket, request).map_err(|_| Failure::NoSession)
    }

    /// Waits for the next reply. `held` says that the session has let us wait before.
    pub(crate) fn reply(&mut self, held: bool) -> Result<Reply, Failure> {
        if !held {
            self.wait(SHORT);
        }
        loop {
            if let Some(reply) = self.read()? {
                return Ok(reply);
            }
            let patience = self.patience.get_or_insert_with(Patience::new);
            if patience.is_over() {
                return Err(Failure::NoSession);
            }
            let slice = patience.slice();
            if let Some(due) = self.blocked.due() {
                // Closing is not enough where a child was forked meanwhile: it has the socket too.
                sys::shut_down(&self.socket);
                return Err(Failure::Signal(due));
            }
            if self.signals.is_none() {
                self.signals = sys::signal_fd(self.blocked.wanted()).ok();
                self.noted = [
                    Some(Noted::new(&self.socket)),
                    self.signals.as_ref().map(Noted::new),
                ];
            }
            self.wait(if self.signals.is_some() {
                slice
            } else {
                slice.min(LOOK)
            });
        }
    }

    /// Reads without waiting; a whole frame or nothing.
    fn read(&mut self) -> Result<Option<Reply>, Failure> {
        while let Some(rest) = self
            .frame
            .get_mut(self.filled..)
            .filter(|rest| !rest.is_empty())
        {
            match sys::receive(&self.socket, rest) {
                Ok(0) => return Err(Failure::NoSession),
                Ok(count) => self.filled = self.filled.saturating_add(count),
                Err(libc::EAGAIN) => return Ok(None),
                Err(libc::EINTR) => {}
                Err(_) => return Err(Failure::NoSession),
            }
        }
        self.filled = 0;
        self.patience = None;
        Reply::decode(&self.frame)
            .map(Some)
            .map_err(|_| Failure::BadFrame)
    }

    fn wait(&self, millis: u64) {
        let watch = |fd: c_int| pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        // A negative descriptor is left out.
        let signals = self.signals.as_ref().map_or(-1, Fd::number);
        let _ = sys::poll(&mut [watch(self.socket.number()), watch(signals)], millis);
    }
}

fn set_path(address: &mut sockaddr_un, path: &[u8; SUN_PATH_LEN]) {
    for (to, from) in address.sun_path.iter_mut().zip(path) {
        *to = from.cast_signed() as core::ffi::c_char;
    }
}

/// A connection to `len` bytes of path. A full backlog is a busy or stopped session: it gets the
/// same patience as one that does not reply.
fn connect(
    session: SessionName,
    address: &sockaddr_un,
    len: usize,
    blocked: &Blocked,
) -> Result<Fd, Failure> {
    let socket = sys::unix_stream().map_err(|_| Failure::NoSession)?;
    let len = len.saturating_add(offset_of!(sockaddr_un, sun_path));
    let mut patience = None;
    loop {
        match sys::connect_unix(&socket, address, len) {
            Ok(()) => break,
            Err(libc::EAGAIN | libc::EINTR) => {}
            Err(_) => return Err(Failure::NoSession),
        }
        if patience.get_or_insert_with(Patience::new).is_over() {
            return Err(Failure::NoSession);
        }
        if let Some(due) = blocked.due() {
            return Err(Failure::Signal(due));
        }
        let _ = sys::poll(&mut [], RETRY);
    }
    if is_session(&socket, session) {
        Ok(socket)
    } else {
        Err(Failure::NoSession)
    }
}

/// Whether the process that listens is the session, by what the kernel says.
fn is_session(socket: &Fd, session: SessionName) -> bool {
    let mut peer = libc::ucred {
        pid: -1,
        uid: 0,
        gid: 0,
    };
    match sys::option(
        socket.number(),
        libc::SOL_SOCKET,
        libc::SO_PEERCRED,
        &mut peer,
    ) {
        Err(_) => false,
        // The kernel has no number for a process outside our pid namespace.
        Ok(()) if peer.pid == 0 => !in_first_pid_namespace(),
        Ok(()) => u32::try_from(peer.pid) == Ok(session.pid),
    }
}

/// In the first namespace every process has a number, so none may hide behind 0. Where /proc
/// cannot be read, we count as being there.
fn in_first_pid_namespace() -> bool {
    // PROC_PID_INIT_INO of include/linux/proc_ns.h, 0xEFFFFFFC.
    const FIRST: &[u8] = b"pid:[4026531836]";
    let mut link = [0; 32];
    let len = sys::read_link(c"/proc/self/ns/pid", &mut link).unwrap_or(0);
    match link.get(..len) {
        None | Some([]) => true,
        Some(link) => link == FIRST,
    }
}
