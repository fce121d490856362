//! One writer at a time, and a new file in one step.

use crate::problem::Problem;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a writer waits for others. Each holds the lock for milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the directory a file is to be in.
pub(super) fn make_parents(file: &Path) -> Result<(), Problem> {
    let Some(parent) = file.parent() else {
        return Ok(());
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
    made.map_err(|error| Problem::io(parent, "create", &error, ""))
}

/// The only writer of a file, until dropped.
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Waits for the lock. It is a file beside the rules and not the rules themselves, because
    /// those are replaced.
    pub(super) fn take(rules: &Path) -> Result<Self, Problem> {
        let path = beside(rules, ".lock");
        let failed = |error: &io::Error| Problem::io(&path, "lock", error, "");
        let start = Instant::now();
        loop {
            let open = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(&path);
            let file = open.map_err(|error| failed(&error))?;
            match file.try_lock() {
                // A lock file is removed by whoever held it; one that is gone locks nobody out.
                Ok(()) if is_still(&file, &path) => return Ok(Self { file, path }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    if start.elapsed() > PATIENCE {
                        return Err(Problem::at(
                            &path,
                            format!(
                                "another program has held the lock for {} seconds",
                                PATIENCE.as_secs()
                            ),
                            "end the hallpass command that hangs (`fuser` on this file names it) and try again",
                        ));
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // First the name, then the lock: who waits finds out that its file is gone.
        if is_still(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn is_still(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Puts `bytes` in the place of `file`. The caller holds the lock.
pub(super) fn replace(file: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let new = beside(file, ".new");
    let written = write_new(file, &new, bytes).and_then(|()| std::fs::rename(&new, file));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&new);
        Problem::io(file, "write", &error, "the rules are as they were")
    })?;
    sync_parent(file).map_err(|error| {
        Problem::at(
            file,
            format!("is written, but the disk does not confirm it: {error}"),
            "a power cut could bring the old rules back",
        )
    })
}

fn write_new(old: &Path, new: &Path, bytes: &[u8]) -> io::Result<()> {
    // Only the holder of the lock writes here: what is there was left by one that was killed.
    match std::fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(new)?;
    if let Ok(meta) = std::fs::metadata(old) {
        file.set_permissions(Permissions::from_mode(meta.permissions().mode() & 0o777))?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the new name survive a power cut.
fn sync_parent(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// A hidden file of ours beside `file`, in the same file system.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(suffix);
    file.with_file_name(name)
}
