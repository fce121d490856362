//! Who may speak to a session: the same user, and nobody that the session itself started.

use crate::stat::Stat;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::{PeerCredentials, PeerPidfd};
use nix::unistd::Uid;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// More ancestors than any process has; ends the walk through a /proc that lies.
const MAX_ANCESTORS: usize = 4096;
/// How often a walk is begun again because a process in the middle of it has ended.
const ATTEMPTS: usize = 5;

/// What the first thread of a session's process is called. A guard connects to UNIX sockets in its
/// targets' place, so whatever comes from a process of this name may be a target's.
pub const SESSION_THREAD: &std::ffi::CStr = c"hallpass-sessio";

/// Whether the other end of `socket` may control the session `session_pid`.
///
/// # Errors
/// Why not, in words for whoever sits at the other end.
pub(super) fn check(socket: &impl AsFd, session_pid: u32) -> Result<(), String> {
    let peer = getsockopt(socket, PeerCredentials)
        .map_err(|error| format!("cannot tell who you are: {error}"))?;
    if peer.uid() != Uid::effective().as_raw() {
        return Err(format!(
            "this session belongs to another user (you are user id {})",
            peer.uid()
        ));
    }
    let Some(pid) = u32::try_from(peer.pid()).ok().filter(|pid| *pid != 0) else {
        return Err(
            "your process is in another process namespace, where it cannot be examined".to_owned(),
        );
    };
    // The pidfd stands for the process that connected, whatever becomes of its number. Where the
    // kernel has none (before 6.5) the number has to do.
    let handle = match getsockopt(socket, PeerPidfd) {
        Ok(handle) => Some(handle),
        Err(nix::errno::Errno::ENOPROTOOPT) => None,
        Err(_) => return Err(gone()),
    };
    if descends(Path::new("/proc"), pid, session_pid)? {
        return Err(
            "programs that run under hallpass cannot control their own session; \
                    use another terminal"
                .to_owned(),
        );
    }
    if is_session(Path::new("/proc"), pid) {
        return Err(
            "programs that run under hallpass cannot control another session; \
                    use another terminal"
                .to_owned(),
        );
    }
    match handle {
        Some(handle) if has_ended(&handle) => Err(gone()),
        _ => Ok(()),
    }
}

/// A session connects to nobody's control socket for itself: its guard does, in the place of a
/// program that has found the socket where it was moved to. Sessions are known by a name that only
/// a process itself can give itself, and then only loses by: a runtime directory can be moved away.
/// One that cannot be read is none; it may have ended, which is looked at later.
fn is_session(proc: &Path, pid: u32) -> bool {
    std::fs::read(proc.join(pid.to_string()).join("comm"))
        .is_ok_and(|name| name.trim_ascii_end() == SESSION_THREAD.to_bytes())
}

fn gone() -> String {
    "the process that connected has ended".to_owned()
}

fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    // pidfd_open(2): readable once the process has ended. A poll that fails proves nothing.
    !matches!(poll(&mut fds, PollTimeout::ZERO), Ok(0))
}

/// Whether `ancestor` is `pid` or one of its ancestors. Orphans are the session's children (it
/// is a subreaper), so nothing it started can leave the family.
fn descends(proc: &Path, pid: u32, ancestor: u32) -> Result<bool, String> {
    for _ in 0..ATTEMPTS {
        if let Some(answer) = walk(proc, pid, ancestor) {
            return Ok(answer);
        }
        if parent(proc, pid).is_none() {
            break;
        }
    }
    Err("your process cannot be examined in /proc".to_owned())
}

/// None where a process on the way could not be read: it may have ended just now.
fn walk(proc: &Path, pid: u32, ancestor: u32) -> Option<bool> {
    let mut pid = pid;
    for _ in 0..MAX_ANCESTORS {
        if pid == ancestor {
            return Some(true);
        }
        if pid <= 1 {
            return Some(false);
        }
        pid = parent(proc, pid)?;
    }
    None
}

fn parent(proc: &Path, pid: u32) -> Option<u32> {
    Stat::read(&proc.join(pid.to_string())).map(|stat| stat.parent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    /// The fields after the parent.
    const REST: &str = "7 7 34816 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 1";

    fn fake(name: &str, processes: &[(u32, &str)]) -> PathBuf {
        let proc =
            std::env::temp_dir().join(format!("hallpass-peer-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&proc);
        for (pid, stat) in processes {
            let dir = proc.join(pid.to_string());
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join("stat"), format!("{stat} {REST}\n")).unwrap();
        }
        proc
    }

    #[test]
    fn ancestors_are_followed_past_hostile_names() {
        let proc = fake(
            "walk",
            &[
                (10, "10 (a) S 1 10) S 9"),
                (9, "9 (sh) S 5"),
                (5, "5 (\u{fffd} ) R) S 1"),
                (8, "8 (x) Z 7"),
            ],
        );
        assert_eq!(descends(&proc, 10, 5), Ok(true));
        assert_eq!(descends(&proc, 5, 5), Ok(true));
        assert_eq!(descends(&proc, 9, 10), Ok(false));
        assert_eq!(descends(&proc, 1, 10), Ok(false));
        assert!(
            descends(&proc, 8, 5).is_err(),
            "an ancestor that is gone proves nothing"
        );
        assert!(descends(&proc, 77, 5).is_err());
        std::fs::remove_dir_all(proc).unwrap();
    }

    #[test]
    fn a_loop_in_proc_ends_in_a_refusal() {
        let proc = fake("loop", &[(10, "10 (a) S 11"), (11, "11 (b) S 10")]);
        assert!(descends(&proc, 10, 5).is_err());
        std::fs::remove_dir_all(proc).unwrap();
    }

    #[test]
    fn sessions_are_known_by_their_name() {
        let proc = fake("comm", &[(5, ""), (6, "")]);
        std::fs::write(proc.join("5/comm"), "hallpass-sessio\n").unwrap();
        std::fs::write(proc.join("6/comm"), "hallpass\n").unwrap();
        assert!(is_session(&proc, 5));
        assert!(!is_session(&proc, 6));
        assert!(!is_session(&proc, 7));
        std::fs::remove_dir_all(proc).unwrap();
    }

    #[test]
    fn we_descend_from_our_parent_and_may_not_control_it() {
        let (socket, _other) = UnixStream::pair().unwrap();
        let refusal = check(&socket, std::os::unix::process::parent_id()).unwrap_err();
        assert!(refusal.contains("another terminal"), "{refusal}");
        assert!(check(&socket, std::process::id()).is_err());
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        assert_eq!(check(&socket, child.id()), Ok(()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
