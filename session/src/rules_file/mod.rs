//! The saved rules on disk: read with bounds, changed under a lock, replaced in one step.
//!
//! Sessions, `hallpass rules` and (later) the agent write the same file at once; none of them
//! loses what another wrote, and a crash at any moment leaves the old file or the new one.

mod read;
mod replace;

pub use read::{load, load_named, read_bounded};

use crate::problem::Problem;
use hallpass_policy::{FILE_MAX, RuleFile};
use std::path::{Path, PathBuf};

/// Changes the saved rules: `change` gets what is in the file now, and what it leaves is in the
/// file when this returns. A file that is not there yet is made (and the directories above it).
/// Where `change` changes nothing, nothing is written.
///
/// A symlink is followed: a rules.json that lives in a repository of dotfiles stays there.
///
/// # Errors
/// The file cannot be read as rules, another writer holds the lock for too long, or the disk
/// refuses. The file is then as it was.
pub fn update<R>(path: &Path, change: impl FnOnce(&mut RuleFile) -> R) -> Result<R, Problem> {
    let file = target(path)?;
    replace::make_parents(&file)?;
    let _lock = replace::Lock::take(&file)?;
    let mut rules = load(&file)?;
    let before = text(&file, &rules)?;
    let result = change(&mut rules);
    let after = text(&file, &rules)?;
    if after == before {
        return Ok(result);
    }
    if after.len() > FILE_MAX {
        return Err(Problem::at(
            &file,
            format!("would grow beyond {FILE_MAX} bytes"),
            "remove rules that are no longer needed with `hallpass rules remove`",
        ));
    }
    replace::replace(&file, after.as_bytes())?;
    Ok(result)
}

fn text(file: &Path, rules: &RuleFile) -> Result<String, Problem> {
    let text = rules.to_json_pretty();
    text.map_err(|error| Problem::at(file, format!("cannot be written: {error}"), ""))
}

/// The file that `path` stands for: itself, or what it links to.
fn target(path: &Path) -> Result<PathBuf, Problem> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_symlink() => {
            std::fs::canonicalize(path).map_err(|error| read::broken_link(path, &error))
        }
        _ => Ok(path.to_owned()),
    }
}

#[cfg(test)]
mod tests;
