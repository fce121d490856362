//! Which sockets a process has open: the links of /proc/PID/fd that read `socket:[INODE]`.

use rustix::fs::{Mode, OFlags, RawDir, open, readlinkat_raw};
use rustix::io::Errno;
use std::mem::MaybeUninit;

/// A socket among a process's descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) fd: i32,
    pub(super) inode: u64,
}

/// The sockets of `pid`, lowest descriptor first. At most `budget` descriptors are looked at;
/// what was looked at is taken off it, and where it is 0 afterwards there may be more.
///
/// # Errors
/// The process is gone, or is not ours to look into.
pub(super) fn sockets(pid: u32, budget: &mut usize) -> Result<Vec<Descriptor>, Errno> {
    hallpass_look::into(pid, || look_through(pid, budget))
}

fn look_through(pid: u32, budget: &mut usize) -> Result<Vec<Descriptor>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(format!("/proc/{pid}/fd"), flags, Mode::empty())?;
    let mut names = vec![MaybeUninit::uninit(); 32 * 1024];
    let mut listing = RawDir::new(&directory, &mut names);
    let mut found = Vec::new();
    while let Some(entry) = listing.next() {
        let entry = entry?;
        let name = entry.file_name();
        let Some(fd) = name.to_str().ok().and_then(|name| name.parse().ok()) else {
            // `.` and `..`
            continue;
        };
        if *budget == 0 {
            break;
        }
        *budget -= 1;
        // Longer than any that we want; what is longer is cut, and then none of ours.
        let mut target = [MaybeUninit::uninit(); 40];
        // Closed meanwhile: it is not there.
        if let Ok((target, _)) = readlinkat_raw(&directory, name, &mut target)
            && let Some(inode) = inode(target)
        {
            found.push(Descriptor { fd, inode });
        }
    }
    Ok(found)
}

fn inode(target: &[u8]) -> Option<u64> {
    let number = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{inode, sockets};
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;

    #[test]
    fn links_are_read() {
        assert_eq!(inode(b"socket:[77]"), Some(77));
        for other in [
            &b"pipe:[77]"[..],
            b"socket:[]",
            b"socket:[-1]",
            b"socket:[77",
            b"/tmp/socket:[77]",
            b"socket:[99999999999999999999999]",
            b"\xff",
        ] {
            assert_eq!(inode(other), None);
        }
    }

    #[test]
    fn a_socket_of_this_process_is_found_within_the_budget() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let me = std::process::id();
        let mut budget = 100_000;
        let found = sockets(me, &mut budget).unwrap();
        assert!(found.iter().any(|it| it.fd == listener.as_raw_fd()));
        assert!(budget < 100_000 && budget > 0);
        let mut budget = 1;
        assert!(sockets(me, &mut budget).unwrap().len() <= 1);
        assert_eq!(budget, 0);
        let mut budget = 9;
        assert!(sockets(u32::MAX, &mut budget).is_err());
    }
}
