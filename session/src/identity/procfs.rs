//! Bounded reads of /proc (proc(5)). What is read here is written by the program being watched:
//! nothing is trusted to be short, to be UTF-8 or to still be there.

use crate::escape::{escape_bytes, escape_path};
use crate::stat::Stat;
use hallpass_look as look;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Longest command line that is read, in bytes; the rest is not looked at.
const MAX_CMDLINE: u64 = 64 * 1024;
/// Longest environment that is read; execve(2) allows more, but nobody's is.
const MAX_ENVIRON: u64 = 1024 * 1024;
/// How often the threads of a process are gone through for one that lives.
const THREAD_TRIES: usize = 3;
/// The head of /proc/PID/status is shorter than this.
const MAX_STATUS: u64 = 4096;
/// All of it: a process may be in 65,536 groups.
const MAX_WHOLE_STATUS: u64 = 1024 * 1024;

/// The command line's bytes, arguments ended by NUL.
pub(super) fn cmdline(pid: u32) -> Vec<u8> {
    let cmdline = |task: u32| {
        let bytes = read(&format!("/proc/{task}/cmdline"), MAX_CMDLINE);
        bytes.filter(|bytes| !bytes.is_empty())
    };
    by_any_thread(pid, cmdline).unwrap_or_default()
}

/// The variables a process was started with, `NAME=value` ended by NUL; it may have written over
/// them.
pub(super) fn environ(pid: u32) -> Vec<u8> {
    let environ = |task: u32| {
        let bytes = look::into(task, || read(&format!("/proc/{task}/environ"), MAX_ENVIRON));
        bytes.filter(|bytes| !bytes.is_empty())
    };
    by_any_thread(pid, environ).unwrap_or_default()
}

/// The executable's path, escaped. It says so where the path does not lead to the file that
/// runs: it was deleted, or the process lives under another root.
pub(super) fn exe(pid: u32) -> Option<String> {
    by_any_thread(pid, exe_of)
}

fn exe_of(task: u32) -> Option<String> {
    let link = format!("/proc/{task}/exe");
    let path = look::into(task, || fs::read_link(&link)).ok()?;
    let text = escape_path(&path);
    if text.ends_with(" (deleted)") || is_same_file(task, Path::new(&link), &path) {
        return Some(text);
    }
    Some(format!("{text} (another file)"))
}

fn is_same_file(pid: u32, link: &Path, other: &Path) -> bool {
    match (look::into(pid, || fs::metadata(link)), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        // A file system of its user's alone (FUSE), to which the path leads: the kernel's word for
        // the path stands. Where the path leads to what may be looked at, it is not that file.
        (Err(_), Err(_)) => true,
        _ => false,
    }
}

pub(super) fn cwd(pid: u32) -> Option<PathBuf> {
    let cwd = |task| look::into(task, || fs::read_link(format!("/proc/{task}/cwd"))).ok();
    by_any_thread(pid, cwd)
}

/// What `look` finds in `/proc/PID`; in that of another thread where the first has ended and left
/// the process to the others ([`Stat::is_headless`]). They are the process's, so the kernel shows
/// the same in each.
pub(crate) fn by_any_thread<T>(pid: u32, look: impl Fn(u32) -> Option<T>) -> Option<T> {
    look(pid).or_else(|| {
        // One may end between two reads: look again.
        (0..THREAD_TRIES)
            .take_while(|_| Stat::of(pid).is_some_and(|stat| stat.is_headless()))
            .find_map(|_| threads(pid).filter(|thread| *thread != pid).find_map(&look))
    })
}

/// The thread whose directory in /proc shows the process: the first, or one that lives.
pub(super) fn living_thread(pid: u32) -> Option<u32> {
    by_any_thread(pid, |task| {
        let stat = Stat::of(task)?;
        (!matches!(stat.state, 'Z' | 'X')).then_some(task)
    })
}

fn threads(pid: u32) -> impl Iterator<Item = u32> {
    let listing = fs::read_dir(format!("/proc/{pid}/task"));
    let names = listing.into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
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
    use super::{exe, is_same_file, uid};
    use std::path::Path;

    /// A program on a file system of its own, mounted over another's path where only it sees it.
    #[test]
    fn a_file_that_may_not_be_looked_at_is_not_the_one_that_may() {
        let [none, some] = ["/nonexistent/exe", "/bin/sh"].map(Path::new);
        let me = std::process::id();
        assert!(!is_same_file(me, none, some) && !is_same_file(me, some, none));
        assert!(is_same_file(me, none, none) && is_same_file(me, some, some));
    }

    #[test]
    fn this_process_is_seen_as_it_is() {
        let me = std::process::id();
        let path = std::env::current_exe().unwrap();
        assert_eq!(exe(me).unwrap(), path.to_str().unwrap());
        assert_eq!(uid(me).unwrap(), nix::unistd::geteuid().as_raw());
    }
}
