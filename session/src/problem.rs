//! What a person is told when something of theirs cannot be used: where, what, what instead.

use crate::escape::escape_bytes;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Something a person can put right. `hallpass` prints it and exits 125.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: a path, or file:line:column; safe to print.
    pub place: String,
    /// What is wrong there, in words.
    pub what: String,
    /// What to do instead; empty where nothing can be advised.
    pub instead: String,
}

impl Problem {
    /// A problem with a file or directory.
    #[must_use]
    pub fn at(path: &Path, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self {
            place: show_path(path),
            what: what.into(),
            instead: instead.into(),
        }
    }

    /// A system call that failed on a path, while `doing` (`"read"`, `"create"`).
    #[must_use]
    pub fn io(
        path: &Path,
        doing: &str,
        error: &std::io::Error,
        instead: impl Into<String>,
    ) -> Self {
        Self::at(path, format!("cannot {doing} it: {error}"), instead)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        if self.instead.is_empty() {
            return Ok(());
        }
        write!(f, "\n  {}", self.instead)
    }
}

impl std::error::Error for Problem {}

/// A path as people may see it.
#[must_use]
pub fn show_path(path: &Path) -> String {
    escape_bytes(path.as_os_str().as_bytes(), crate::escape::WHOLE_PATH)
}
