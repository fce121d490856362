//! Bounded reads of /proc (proc(5)). What is read here is written by the program being watched:
//! nothing is trusted to be short, to be UTF-8 or to still be there.

use crate::escape::{WHOLE_PATH, escape_bytes};
use hallpass_look as look;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Longest command line that is read, in bytes; the rest is not looked at.
const MAX_CMDLINE: u64 = 64 * 1024;
/// Longest environment that is read; execve(2) allows more, but nobody's is.
const MAX_ENVIRON: u64 = 1024 * 1024;
/// The head of /proc/PID/status is shorter than this.
const MAX_STATUS: u64 = 4096;
/// All of it: a process may be in 65,536 groups.
const MAX_WHOLE_STATUS: u64 = 1024 * 1024;

/// The command line's bytes, arguments ended by NUL.
pub(super) fn cmdline(pid: u32) -> Vec<u8> {
    read(&format!("/proc/{pid}/cmdline"), MAX_CMDLINE).unwrap_or_default()
}

/// The variables a process was started with, `NAME=value` ended by NUL; it may have written over
/// them.
pub(super) fn environ(pid: u32) -> Vec<u8> {
    look::into(pid, || read(&format!("/proc/{pid}/environ"), MAX_ENVIRON)).unwrap_or_default()
}

/// The executable's path, escaped. It says so where the path does not lead to the file that
/// runs: it was deleted, or the process lives under another root.
pub(super) fn exe(pid: u32) -> Option<String> {
    let link = format!("/proc/{pid}/exe");
    let path = look::into(pid, || fs::read_link(&link)).ok()?;
    let text = escape_bytes(path.as_os_str().as_bytes(), WHOLE_PATH);
    if text.ends_with(" (deleted)") || is_same_file(pid, Path::new(&link), &path) {
        return Some(text);
    }
    Some(format!("{text} (another file)"))
}

fn is_same_file(pid: u32, link: &Path, other: &Path) -> bool {
    match (look::into(pid, || fs::metadata(link)), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        // Not readable for us (another user's process): the kernel's word for the path stands.
        (Err(_), _) => true,
        (Ok(_), Err(_)) => false,
    }
}

pub(super) fn cwd(pid: u32) -> Option<PathBuf> {
    look::into(pid, || fs::read_link(format!("/proc/{pid}/cwd"))).ok()
}

/// The name the kernel keeps for a process whose executable may not be seen.
pub(super) fn comm(pid: u32) -> Option<String> {
    let text = read(&format!("/proc/{pid}/comm"), 64)?;
    Some(escape_bytes(text.strip_suffix(b"\n").unwrap_or(&text), 64))
}

/// How many seccomp filters a process or thread bears (Linux 5.9).
pub(super) fn seccomp_filters(task: u32) -> Option<u32> {
    let text = read(&format!("/proc/{task}/status"), MAX_WHOLE_STATUS)?;
    // The program's name, in the first line, has its newlines escaped.
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines();
    let number = lines.find_map(|line| line.strip_prefix("Seccomp_filters:"))?;
    number.trim().parse().ok()
}

/// The effective user id.
pub(super) fn uid(pid: u32) -> Option<u32> {
    let text = read(&format!("/proc/{pid}/status"), MAX_STATUS)?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn read(path: &str, limit: u64) -> Option<Vec<u8>> {
    // Room for what is usual, or the file is read in a handful of ever larger steps.
    let mut bytes = Vec::with_capacity(1024);
    File::open(path)
        .ok()?
        .take(limit)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{exe, uid};

    #[test]
    fn this_process_is_seen_as_it_is() {
        let me = std::process::id();
        let path = std::env::current_exe().unwrap();
        assert_eq!(exe(me).unwrap(), path.to_str().unwrap());
        assert_eq!(uid(me).unwrap(), nix::unistd::geteuid().as_raw());
    }
}
