//! Looking into processes of other users, where this process is root without CAP_SYS_PTRACE, as in
//! containers.
//!
//! The kernel asks who looks by the user and group for files (ptrace(2),
//! `PTRACE_MODE_FSCREDS`), and lets those look that the process itself runs as. So for the length
//! of one look this thread takes on just these two. Real, effective and saved ids stay, so that
//! nobody who may signal or trace the other process may do so to this thread; nor is a thread or a
//! process started meanwhile.
//!
//! What the kernel refuses even so, it refuses to everybody without the capability: a process that
//! is not dumpable, or whose real, effective and saved ids differ.
#![cfg(target_os = "linux")]

use nix::sys::prctl;
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

/// CAP_SETGID, CAP_SETUID
const SET_IDS: u64 = 1 << 6 | 1 << 7;
/// CAP_SYS_PTRACE
const TRACE: u64 = 1 << 19;

/// Which processes of other users this one may look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// As many as ever: it has the capability, or is an ordinary user, who sees none.
    Usual,
    /// It is root without CAP_SYS_PTRACE: those that may be looked into by their own user.
    AsTheirUser,
    /// It is root and may not even take on another user.
    Own,
}

/// What this process may look into.
#[must_use]
pub fn sight() -> Sight {
    static SIGHT: OnceLock<Sight> = OnceLock::new();
    *SIGHT.get_or_init(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        sight_of(&status).unwrap_or(Sight::Usual)
    })
}

/// Whether looking takes another user.
#[must_use]
pub fn is_needed() -> bool {
    sight() == Sight::AsTheirUser
}

/// What is permitted is asked for, since a thread may have put some of it aside for a while.
fn sight_of(status: &str) -> Option<Sight> {
    let field = |key: &str| {
        let mut lines = status.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| *name == key).map(|(_, value)| value)
    };
    let is_root = field("Uid")?.split_ascii_whitespace().all(|id| id == "0");
    let permitted = u64::from_str_radix(field("CapPrm")?.trim(), 16).ok()?;
    Some(if !is_root || permitted & TRACE != 0 {
        Sight::Usual
    } else if permitted & SET_IDS == SET_IDS {
        Sight::AsTheirUser
    } else {
        Sight::Own
    })
}

/// Does `look`, which looks at `/proc/TASK` and nothing else, in a way that the kernel allows if
/// there is one. `look` must not start a thread or a process.
pub fn into<T>(task: u32, look: impl FnOnce() -> T) -> T {
    let taken = is_needed().then(|| Taken::of(task)).flatten();
    let seen = look();
    drop(taken);
    seen
}

/// This thread has another's user and group for files until this is dropped.
struct Taken {
    user: Uid,
    group: Gid,
    dumpable: bool,
}

impl Taken {
    /// None where it makes no difference.
    fn of(task: u32) -> Option<Self> {
        // Effective ids; root's where the process is not dumpable (proc_pid(5)).
        let process = fs::metadata(format!("/proc/{task}")).ok()?;
        let (user, group) = (Uid::from_raw(process.uid()), Gid::from_raw(process.gid()));
        if (user.as_raw(), group.as_raw()) == (0, 0) || !file_user().is_root() {
            return None;
        }
        let dumpable = prctl::get_dumpable().ok()?;
        let group = setfsgid(group);
        // Last: without the user of root the capabilities over files are gone as well.
        let user = setfsuid(user);
        let taken = Self {
            user,
            group,
            dumpable,
        };
        taken.stay_dumpable();
        Some(taken)
    }

    /// The kernel resets it with each change of ids.
    fn stay_dumpable(&self) {
        if self.dumpable {
            let _ = prctl::set_dumpable(true);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        setfsuid(self.user);
        setfsgid(self.group);
        self.stay_dumpable();
        // Both may always be given back: they are this thread's real ids.
        if file_user() != self.user {
            std::process::abort();
        }
    }
}

/// As files are opened now: no id is refused, and nothing is changed.
fn file_user() -> Uid {
    setfsuid(Uid::from_raw(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Sight, Taken, file_user, sight_of};
    use std::fs;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    #[test]
    fn who_sees_what() {
        let status = |uid: &str, permitted: &str| format!("Uid:\t{uid}\nCapPrm:\t{permitted}\n");
        let docker = "00000000a80425fb";
        for (uid, permitted, sight) in [
            ("0\t0\t0\t0", docker, Some(Sight::AsTheirUser)),
            ("0\t0\t0\t0", "000001ffffffffff", Some(Sight::Usual)),
            ("0\t0\t0\t0", "0000000000000000", Some(Sight::Own)),
            ("1\t1\t1\t1", docker, Some(Sight::Usual)),
            ("0\t0\t0\t0", "x", None),
        ] {
            let said = sight_of(&status(uid, permitted));
            assert_eq!(said, sight, "{uid} {permitted}");
        }
        assert_eq!(sight_of(""), None);
    }

    /// With all capabilities, which show no less than none: the ids are what is tested here, and
    /// tests/suite tries the rest in a container.
    #[test]
    fn ids_are_taken_and_given_back() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let mut child = Command::new("sleep");
        child.arg("60").uid(65534).gid(65534).stdin(Stdio::null());
        let mut child = child.spawn().unwrap();
        let ids = |key: &str| {
            let status = fs::read_to_string("/proc/thread-self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_ascii_whitespace()
                .skip(1)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let before = (ids("Uid:"), ids("Gid:"), ids("CapEff:"));
        let taken = Taken::of(child.id()).unwrap();
        assert_eq!(ids("Uid:"), ["0", "0", "0", "65534"]);
        assert_eq!(ids("Gid:"), ["0", "0", "0", "65534"]);
        assert!(Taken::of(child.id()).is_none(), "twice");
        drop(taken);
        assert_eq!((ids("Uid:"), ids("Gid:"), ids("CapEff:")), before);
        assert!(file_user().is_root());
        assert!(Taken::of(std::process::id()).is_none(), "our own");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
