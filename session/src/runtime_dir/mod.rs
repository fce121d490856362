//! The runtime directory of a session (DESIGN §2): where its sockets are, how other commands
//! find it, and how a dead session's remains are cleared away.
//!
//! `BASE/SESSION/`, BASE being `$XDG_RUNTIME_DIR/hallpass`, else `/tmp/hallpass-UID`; each 0700
//! and ours. A session is alive for as long as it holds the lock (flock) on its directory: the
//! kernel drops it however the session ends, and systemd-tmpfiles leaves a locked directory in
//! `/tmp` alone, whatever its age.

mod base;
mod list;

pub use base::{bases, usable};
pub use list::{Session, find, remove, sessions, sweep};

use crate::problem::Problem;
use hallpass_wire::SessionName;
use std::fs::{DirBuilder, File};
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Longest path of a socket: `sun_path` without its zero (unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;

/// A running session's directory. It is removed when this is dropped in the process that made it.
#[derive(Debug)]
pub struct RuntimeDir {
    name: SessionName,
    path: PathBuf,
    owner: u32,
    /// Holds the lock.
    _lock: File,
}

impl RuntimeDir {
    /// Makes the directory of this process's session below the first of `bases`, and clears away
    /// what dead sessions have left there.
    ///
    /// Call it in the session process, after it has closed the descriptors it inherited: the
    /// lock goes with a descriptor of ours, and the name with our process id.
    ///
    /// # Errors
    /// The base belongs to somebody else, is a symlink, is open to others, or cannot be made.
    pub fn create(bases: &[PathBuf]) -> Result<Self, Problem> {
        let base = base::usable(bases)?;
        sweep(std::slice::from_ref(&base));
        let owner = std::process::id();
        let nonce = random(&base)?;
        let name = SessionName { pid: owner, nonce };
        // Under its final name a directory is always locked, or what is left of a dead session.
        let unfinished = base.join(format!("{}{name}", list::UNFINISHED));
        let path = base.join(name.to_string());
        let made = DirBuilder::new().mode(0o700).create(&unfinished);
        let locked = made.and_then(|()| {
            let dir = base::open_dir(&unfinished)?;
            dir.lock()?;
            std::fs::rename(&unfinished, &path)?;
            Ok(dir)
        });
        match locked {
            Ok(lock) => Ok(Self {
                name,
                path,
                owner,
                _lock: lock,
            }),
            Err(error) => {
                let _ = std::fs::remove_dir(&unfinished);
                Err(Problem::io(&path, "create", &error, ""))
            }
        }
    }

    /// The session's name.
    #[must_use]
    pub fn name(&self) -> SessionName {
        self.name
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the hook asks.
    #[must_use]
    pub fn ask_socket(&self) -> PathBuf {
        self.path.join("ask")
    }

    /// Where clients connect.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.path.join("control")
    }
}

impl Drop for RuntimeDir {
    fn drop(&mut self) {
        // A child of ours that has not reached its exec yet must not take the sockets away.
        if std::process::id() == self.owner {
            // Whatever stays is cleared away by the next hallpass command.
            if std::fs::remove_dir_all(&self.path).is_err() {
                // To see what is in it takes a descriptor, and a target may have taken ours away.
                for name in ["ask", "control", "page"] {
                    let _ = std::fs::remove_file(self.path.join(name));
                }
                let _ = std::fs::remove_dir(&self.path);
            }
        }
    }
}

/// Tells apart two sessions that had the same process id.
fn random(base: &Path) -> Result<u32, Problem> {
    let mut bytes = [0; 4];
    let source = Path::new("/dev/urandom");
    let read = File::open(source).and_then(|mut file| file.read_exact(&mut bytes));
    match read {
        Ok(()) => Ok(u32::from_ne_bytes(bytes)),
        Err(error) => Err(Problem::io(
            source,
            "read",
            &error,
            format!(
                "it is needed to name a session below {}",
                crate::problem::show_path(base)
            ),
        )),
    }
}

#[cfg(test)]
mod tests;
