//! Control sockets are out of every target's reach: their sessions would take the guard, which
//! makes the call, for a person.

use hallpass_session::paths;
use hallpass_session::runtime_dir;
use hallpass_wire::SessionName;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file: device and inode.
type File = (u64, u64);

/// Sockets that no target may connect to.
pub(super) struct OutOfReach {
    bases: Vec<PathBuf>,
    /// Our own, which a target may have moved or linked elsewhere.
    own: Vec<File>,
}

impl OutOfReach {
    /// Those in this session's runtime directory, and those of the user's other sessions.
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            bases: runtime_dir::bases(&paths::environment),
            own: files(dir).collect(),
        }
    }

    /// Whether the file with this resolved path is one of them.
    pub(super) fn has(&self, path: &[u8], file: File) -> bool {
        // By its place, by what it is, by what is there: a target may have mounted it elsewhere.
        is_in_runtime_dir(path)
            || self.own.contains(&file)
            || self.others().any(|other| other == file)
    }

    fn others(&self) -> impl Iterator<Item = File> {
        let sessions = self.bases.iter().flat_map(fs::read_dir).flatten().flatten();
        sessions.flat_map(|session| files(&session.path()).collect::<Vec<_>>())
    }
}

fn files(dir: &Path) -> impl Iterator<Item = File> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let file = entry.metadata().ok()?;
        Some((file.dev(), file.ino()))
    })
}

/// `…/SESSION/NAME` below a directory that is called as those of runtime directories are.
fn is_in_runtime_dir(path: &[u8]) -> bool {
    let mut parts = path.rsplit(|byte| *byte == b'/').skip(1);
    let session = parts.next().and_then(SessionName::parse);
    let base = parts.next().unwrap_or_default();
    session.is_some() && (base == b"hallpass" || base.starts_with(b"hallpass-"))
}

#[cfg(test)]
mod tests {
    use super::{OutOfReach, files, is_in_runtime_dir};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::UnixListener;

    #[test]
    fn runtime_directories_are_known_by_their_names() {
        for path in [
            "/run/user/1/hallpass/4711-0badcafe/control",
            "/tmp/hallpass-1000/1-00000000/ask",
        ] {
            assert!(is_in_runtime_dir(path.as_bytes()), "{path}");
        }
        for path in [
            "",
            "/",
            "/run/user/1/hallpass/control",
            "/home/me/hallpass/x/control",
            "/run/nscd/socket",
            "/run/user/1/bus",
        ] {
            assert!(!is_in_runtime_dir(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn a_socket_is_known_wherever_it_was_moved() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let _listener = UnixListener::bind(dir.path().join("control")).unwrap();
        let reach = OutOfReach::new(dir.path());
        let (file,) = (files(dir.path()).next().unwrap(),);
        let moved = elsewhere.path().join("innocent");
        std::fs::rename(dir.path().join("control"), &moved).unwrap();
        assert!(reach.has(moved.as_os_str().as_bytes(), file));
        let _other = UnixListener::bind(elsewhere.path().join("other")).unwrap();
        let other = files(elsewhere.path()).find(|it| *it != file).unwrap();
        assert!(!reach.has(b"/somewhere/other", other));
    }
}
