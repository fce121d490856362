//! One window per user: the first takes a lock, and later ones ask it to show itself.

use hallpass_session::problem::Problem;
use hallpass_session::runtime_dir;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a later one says to the first: show the window, or only: are you there?
const SHOW: &[u8; 4] = b"show";
const ASK: &[u8; 4] = b"ask?";
/// What the first replies.
const HERE: &[u8; 4] = b"here";
/// For how long a place is tried for that is taken by somebody who does not reply: one that has
/// just been killed, or is just starting.
const PATIENCE: Duration = Duration::from_secs(3);
const BETWEEN_TRIES: Duration = Duration::from_millis(20);
/// How long a word may take.
const WORD: Duration = Duration::from_secs(1);

/// The place of the only window; held for as long as the process lives.
#[derive(Debug)]
pub struct Instance {
    listener: UnixListener,
    _lock: File,
}

/// Takes the place of the only window below the first of `bases`. None where another runs, which
/// has been told to `show` its window if so wished.
///
/// # Errors
/// The directory belongs to somebody else or cannot be written to, or the one that runs does not
/// reply.
pub fn start(bases: &[PathBuf], show: bool) -> Result<Option<Instance>, Problem> {
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
    let end = Instant::now() + PATIENCE;
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(Problem::io(&path, "lock", &error, "")),
        }
        if tell(&socket, if show { SHOW } else { ASK }) {
            return Ok(None);
        }
        if end <= Instant::now() {
            let what = "a window runs already and does not reply";
            return Err(Problem::at(&socket, what, "end that hallpass-agent"));
        }
        std::thread::sleep(BETWEEN_TRIES);
    }
    let listener = listen(&socket).map_err(|error| Problem::io(&socket, "bind", &error, ""))?;
    Ok(Some(Instance {
        listener,
        _lock: lock,
    }))
}

/// Says a word to the one that runs; false where it does not reply.
fn tell(socket: &Path, word: &[u8; 4]) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket) else {
        return false;
    };
    let mut reply = [0; HERE.len()];
    stream.set_read_timeout(Some(WORD)).is_ok()
        && stream.write_all(word).is_ok()
        && stream.read_exact(&mut reply).is_ok()
        && reply == *HERE
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
            let timed = stream.set_read_timeout(Some(WORD)).is_ok();
            if timed && stream.read_exact(&mut word).is_ok() {
                // Who does not wait for the reply does not need it.
                let _ = stream.write_all(HERE);
                if word == *SHOW {
                    show();
                }
            }
        }
    }
}
