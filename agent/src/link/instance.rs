//! One window per user: the first takes a lock, and later ones ask it to show itself.

use hallpass_session::problem::Problem;
use hallpass_session::runtime_dir;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a later one says to the first.
const SHOW: &[u8; 4] = b"show";
/// The first takes its lock a moment before it listens.
const TRIES: u32 = 50;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);
/// How long one that has connected may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(1);

/// The place of the only window; held for as long as the process lives.
#[derive(Debug)]
pub struct Instance {
    listener: UnixListener,
    _lock: File,
}

/// What a start met.
#[derive(Debug)]
pub enum Start {
    /// There is no other.
    First(Instance),
    /// Another runs.
    Other(Other),
}

/// The one that runs already.
#[derive(Debug)]
pub struct Other {
    socket: PathBuf,
}

/// Takes the place of the only window below the first of `bases`.
///
/// # Errors
/// The directory belongs to somebody else, or cannot be written to.
pub fn start(bases: &[PathBuf]) -> Result<Start, Problem> {
    let base = runtime_dir::usable(bases)?;
    let path = base.join("agent.lock");
    let socket = base.join("agent");
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let lock = opened.map_err(|error| Problem::io(&path, "open", &error, ""))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Start::Other(Other { socket })),
        Err(TryLockError::Error(error)) => return Err(Problem::io(&path, "lock", &error, "")),
    }
    let listener = listen(&socket).map_err(|error| Problem::io(&socket, "bind", &error, ""))?;
    Ok(Start::First(Instance {
        listener,
        _lock: lock,
    }))
}

fn listen(socket: &Path) -> std::io::Result<UnixListener> {
    // Left over by one that died: we hold its lock now.
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(socket)
}

impl Instance {
    /// Calls `show` each time somebody asks for the window. Returns only when the socket breaks.
    pub fn serve(&self, show: impl Fn()) {
        for stream in self.listener.incoming() {
            let Ok(mut stream) = stream else {
                return;
            };
            let mut word = [0; SHOW.len()];
            let timed = stream.set_read_timeout(Some(PATIENCE)).is_ok();
            if timed && stream.read_exact(&mut word).is_ok() && word == *SHOW {
                show();
            }
        }
    }
}

impl Other {
    /// Asks the one that runs to show its window; false where it does not listen.
    #[must_use]
    pub fn show(&self) -> bool {
        for _ in 0..TRIES {
            if let Ok(mut stream) = UnixStream::connect(&self.socket) {
                return stream.write_all(SHOW).is_ok();
            }
            std::thread::sleep(BETWEEN_TRIES);
        }
        false
    }
}
