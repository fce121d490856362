//! How a nested run speaks to the session that it is in: as its hook would (docs/wire.md).

use crate::sys;
use hallpass_wire::{
    Nested, Note, REPLY_LEN, Reply, Request, SUN_PATH_LEN, SessionName, abstract_ask_name,
    path_ask_name,
};
use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

/// How long the session may take to answer, as for a hook.
const PATIENCE: Duration = Duration::from_secs(5);

/// A way to the session.
#[derive(Clone, Debug)]
pub(in crate::run) enum Channel {
    /// Its guard sees `connect(-1, …)`.
    Guard,
    /// Without a guard: its ask socket.
    Asks {
        /// Which session.
        session: SessionName,
        /// Its runtime directory.
        dir: Option<Vec<u8>>,
    },
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// The guard of a session that is gone.
    Killed,
    /// Nobody listens.
    Nobody,
    /// Whoever listens is not the session, or speaks otherwise.
    Stranger,
}

impl Channel {
    pub(in crate::run) fn has_guard(&self) -> bool {
        matches!(self, Self::Guard)
    }

    /// Says it, and waits for yes or no. The calling thread is who says it.
    pub(super) fn say(&self, said: Nested) -> Result<bool, Silence> {
        match self {
            Self::Guard => loop {
                match sys::connect_nothing(Note::Nested(said).encode().as_bytes()) {
                    // What the kernel says by itself.
                    Errno::EBADF => return Ok(false),
                    Errno::ECONNREFUSED => return Ok(true),
                    Errno::EINTR => {}
                    Errno::ENOSYS => return Err(Silence::Killed),
                    _ => return Err(Silence::Stranger),
                }
            },
            Self::Asks { session, dir } => ask(*session, dir.as_deref(), said),
        }
    }
}

fn ask(session: SessionName, dir: Option<&[u8]>, said: Nested) -> Result<bool, Silence> {
    let mut stream = connect(session, dir).ok_or(Silence::Nobody)?;
    let peer = getsockopt(&stream, PeerCredentials).map_err(|_| Silence::Nobody)?;
    // 0: it lives in a process namespace around this one.
    let is_session = u32::try_from(peer.pid()).is_ok_and(|pid| pid == session.pid || pid == 0);
    if !is_session {
        return Err(Silence::Stranger);
    }
    let talk = |stream: &mut UnixStream| -> std::io::Result<[u8; REPLY_LEN]> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(&Request::Nested(said).encode())?;
        let mut reply = [0; REPLY_LEN];
        stream.read_exact(&mut reply)?;
        Ok(reply)
    };
    let reply = talk(&mut stream).map_err(|_| Silence::Nobody)?;
    match Reply::decode(&reply) {
        Ok(Reply::Noted) => Ok(true),
        Ok(Reply::Verdict { .. }) => Ok(false),
        Ok(Reply::Held) | Err(_) => Err(Silence::Stranger),
    }
}

/// By the abstract name, else, from another network namespace, by the path.
fn connect(session: SessionName, dir: Option<&[u8]>) -> Option<UnixStream> {
    let mut name = [0; SUN_PATH_LEN];
    let length = abstract_ask_name(session, &mut name);
    // The first byte, zero, says that it is abstract.
    let by_name = name.get(1..length).and_then(|name| {
        let address = SocketAddr::from_abstract_name(name).ok()?;
        UnixStream::connect_addr(&address).ok()
    });
    by_name.or_else(|| {
        let length = path_ask_name(dir?, &mut name)?;
        let path = name.get(..length)?;
        let path = path.split(|byte| *byte == 0).next()?;
        UnixStream::connect(OsStr::from_bytes(path)).ok()
    })
}
