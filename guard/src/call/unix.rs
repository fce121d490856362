//! The socket behind a path, looked up as the caller would, once: what was found is decided on,
//! and connected to, whatever the path means by then.

use super::Context;
use crate::decide::Destination;
use crate::rights::Rights;
use crate::target::errno;
use hallpass_look as look;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::{Mode, fstat};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A file that was found, and how a sockaddr of ours says so.
#[derive(Debug)]
pub(super) struct Found {
    _file: OwnedFd,
    address: Vec<u8>,
}

impl Found {
    fn new(file: OwnedFd) -> Self {
        let mut address = (libc::AF_UNIX as libc::sa_family_t).to_ne_bytes().to_vec();
        address.extend(format!("/proc/self/fd/{}\0", file.as_raw_fd()).bytes());
        Self {
            _file: file,
            address,
        }
    }

    /// The bytes of the sockaddr; good as long as this lives.
    pub(super) fn address(&self) -> &[u8] {
        &self.address
    }
}

/// Looks `path` up from the target's root and working directory, with its rights.
pub(super) fn find(
    context: &Context<'_>,
    rights: &Rights,
    path: &[u8],
) -> Result<(Found, Destination), Errno> {
    let file = open_for(context, rights, path)?;
    let status = fstat(&file)?;
    let found = Found::new(file);
    let link =
        fs::read_link(format!("/proc/self/fd/{}", found._file.as_raw_fd())).map_err(errno)?;
    let destination = Destination::Path {
        path: link.as_os_str().as_bytes().to_vec(),
        device: status.st_dev,
        inode: status.st_ino,
    };
    Ok((found, destination))
}

fn open_for(context: &Context<'_>, rights: &Rights, path: &[u8]) -> Result<OwnedFd, Errno> {
    let target = context.target;
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let pid = target.caller.tid;
    // A descriptor of the caller's own: how programs get around the length of a sockaddr.
    if let Some((fd, rest)) = own_descriptor(path) {
        let directory = target.place(fd)?;
        return if rest.is_empty() {
            Ok(directory)
        } else {
            context.with(rights, || openat(&directory, rest, flags, Mode::empty()))
        };
    }
    let at = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        look::into(pid, || open(path.as_str(), flags, Mode::empty()))
    };
    let in_root = OpenHow::new()
        .flags(flags)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    if path.starts_with(b"/") {
        let root = at("root")?;
        return context.with(rights, || openat2(&root, path, in_root));
    }
    if has_our_root(pid) {
        let cwd = at("cwd")?;
        return context.with(rights, || openat(&cwd, path, flags, Mode::empty()));
    }
    // Another root: links and `..` must not lead out of it, so we start there.
    let read = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        look::into(pid, || fs::read_link(path)).map_err(errno)
    };
    let (root, cwd) = (read("root")?, read("cwd")?);
    let inside = cwd.strip_prefix(&root).map_or(cwd.clone(), PathBuf::from);
    let full = inside.join(std::ffi::OsStr::from_bytes(path));
    let root = at("root")?;
    context.with(rights, || openat2(&root, &full, in_root))
}

/// Whether the process has this process's root directory.
fn has_our_root(pid: u32) -> bool {
    let place = |process: &str| {
        let root = fs::metadata(format!("/proc/{process}/root")).ok()?;
        let mounts = fs::read_link(format!("/proc/{process}/ns/mnt")).ok()?;
        Some((root.dev(), root.ino(), mounts))
    };
    let theirs = look::into(pid, || place(&pid.to_string()));
    theirs.is_some() && theirs == place("self")
}

/// Splits `/proc/self/fd/7/name`: `self` would be this process.
fn own_descriptor(path: &[u8]) -> Option<(i32, &[u8])> {
    let rest = [
        b"/proc/self/fd/".as_slice(),
        b"/dev/fd/",
        b"/proc/thread-self/fd/",
    ]
    .iter()
    .find_map(|prefix| path.strip_prefix(*prefix))?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at(digits);
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    match rest {
        [] => Some((number, rest)),
        [b'/', name @ ..] => Some((number, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::own_descriptor;

    #[test]
    fn descriptors_of_the_callers_own_are_seen() {
        assert_eq!(
            own_descriptor(b"/proc/self/fd/7/x"),
            Some((7, b"x".as_slice()))
        );
        assert_eq!(own_descriptor(b"/dev/fd/12"), Some((12, b"".as_slice())));
        assert_eq!(own_descriptor(b"/proc/self/fd/7x"), None);
        assert_eq!(own_descriptor(b"/proc/self/fd/"), None);
        assert_eq!(own_descriptor(b"/proc/self/fd/99999999999"), None);
        assert_eq!(own_descriptor(b"/run/x"), None);
    }
}
