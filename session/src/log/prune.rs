//! Old logs go: the state directory stays bounded without anybody's care.

use hallpass_wire::SessionName;
use nix::fcntl::OFlag;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The log of a session that ended longer ago than this is removed.
pub const KEEP_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// The newest logs that together are no larger than this stay, in bytes.
pub const KEEP_BYTES: u64 = 512 * 1024 * 1024;

/// How long nobody looks again: thousands of logs would delay each start.
const EVERY: Duration = Duration::from_secs(3600);
/// Its time of change says when somebody last looked.
const MARKER: &str = ".pruned";

/// Once an hour, removes the logs of ended sessions that are older than [`KEEP_FOR`], and the oldest ones
/// beyond [`KEEP_BYTES`]. Touches nothing but files that are named like a session's log.
pub fn prune(dir: &Path) {
    let marker = dir.join(MARKER);
    let looked = std::fs::symlink_metadata(&marker).and_then(|meta| meta.modified());
    if looked.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < EVERY)) {
        return;
    }
    // Where it cannot be written, each session looks.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags.bits())
        .open(&marker);
    if let Ok(file) = file {
        let _ = file.set_modified(SystemTime::now());
    }
    prune_to(dir, KEEP_FOR, KEEP_BYTES);
}

pub(super) fn prune_to(dir: &Path, keep_for: Duration, keep_bytes: u64) {
    let now = SystemTime::now();
    let mut logs = logs(dir);
    logs.sort_by_key(|log| std::cmp::Reverse(log.modified));
    let mut kept: u64 = 0;
    for log in logs {
        let age = now.duration_since(log.modified).unwrap_or_default();
        kept = kept.saturating_add(log.bytes);
        if (age > keep_for || kept > keep_bytes) && has_ended(&log.path) {
            // A log that cannot be removed is tried again by the next session.
            let _ = std::fs::remove_file(&log.path);
        }
    }
}

struct OldLog {
    path: PathBuf,
    modified: SystemTime,
    bytes: u64,
}

fn logs(dir: &Path) -> Vec<OldLog> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| examine(entry.path())).collect()
}

fn examine(path: PathBuf) -> Option<OldLog> {
    let name = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
    SessionName::parse(name.as_bytes())?;
    let meta = std::fs::symlink_metadata(&path)
        .ok()
        .filter(std::fs::Metadata::is_file)?;
    let modified = meta.modified().ok()?;
    Some(OldLog {
        path,
        modified,
        bytes: meta.len(),
    })
}

/// A session holds the lock on its log for as long as it lives.
fn has_ended(log: &Path) -> bool {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(log);
    file.is_ok_and(|file| file.try_lock().is_ok())
}
