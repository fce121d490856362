//! The sessions that are alive, and the remains of those that are not.

use super::base;
use crate::problem::Problem;
use hallpass_wire::SessionName;
use std::fs::{File, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Begins the name of a directory that is being made and may not be locked yet.
pub(super) const UNFINISHED: &str = ".new-";
/// Nobody takes longer than this to make a directory; what is older was left by a crash.
const UNFINISHED_FOR: Duration = Duration::from_secs(60);

/// A session that is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its name.
    pub name: SessionName,
    /// Its runtime directory.
    pub dir: PathBuf,
    started: Option<SystemTime>,
}

impl Session {
    /// The session whose runtime directory this is, whether or not it is alive; none where the
    /// directory is not named like one.
    #[must_use]
    pub fn at(dir: PathBuf) -> Option<Self> {
        let name = SessionName::parse(dir.file_name()?.as_bytes())?;
        Some(Self {
            name,
            dir,
            started: None,
        })
    }

    /// Where its clients connect.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.dir.join("control")
    }
}

/// The sessions that are alive, oldest first. Clears away what dead ones left behind.
#[must_use]
pub fn sessions(bases: &[PathBuf]) -> Vec<Session> {
    let mut alive: Vec<Session> = bases.iter().flat_map(|base| examine(base)).collect();
    alive.sort_by_key(|session| (session.started, session.name.pid, session.name.nonce));
    alive
}

/// Clears away what dead sessions left behind.
pub fn sweep(bases: &[PathBuf]) {
    for base in bases {
        examine(base);
    }
}

/// Clears away what the session with this process id left behind, which has ended just now.
pub fn remove(bases: &[PathBuf], pid: u32) {
    for base in bases {
        if base::check(base).is_err() {
            continue;
        }
        for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.as_bytes();
            let name = name.strip_prefix(UNFINISHED.as_bytes()).unwrap_or(name);
            if SessionName::parse(name).is_some_and(|name| name.pid == pid) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// The session that a person means: its name, or a beginning of it that fits only one.
///
/// # Errors
/// No session that is alive is called so, or several are.
pub fn find(bases: &[PathBuf], wanted: &str) -> Result<Session, Problem> {
    let mut alive = sessions(bases);
    let names = alive
        .iter()
        .map(|session| session.name.to_string())
        .collect::<Vec<_>>()
        .join(" ");
    let fits =
        |session: &Session| session.name.to_string().starts_with(wanted) && !wanted.is_empty();
    let problem = |what: &str| Problem {
        place: crate::escape::escape(wanted, 40),
        what: what.to_owned(),
        instead: match names.as_str() {
            "" => "start one with `hallpass run -- COMMAND`".to_owned(),
            names => format!("running sessions: {names}"),
        },
    };
    if let Some(exact) = alive
        .iter()
        .position(|session| session.name.to_string() == wanted)
    {
        return Ok(alive.swap_remove(exact));
    }
    match alive.iter().filter(|session| fits(session)).count() {
        0 => Err(problem("no running session is called so")),
        1 => alive
            .into_iter()
            .find(fits)
            .ok_or_else(|| problem("no running session is called so")),
        _ => Err(problem("several running sessions begin so")),
    }
}

/// The living sessions below one base; the dead ones are removed.
fn examine(base: &Path) -> Vec<Session> {
    // What is not ours alone is not listened to either.
    if base::check(base).is_err() {
        return Vec::new();
    }
    let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| examine_one(&entry.path()))
        .collect()
}

fn examine_one(dir: &Path) -> Option<Session> {
    let file_name = dir.file_name()?.as_bytes();
    let (name, unfinished) = match file_name.strip_prefix(UNFINISHED.as_bytes()) {
        Some(rest) => (SessionName::parse(rest)?, true),
        None => (SessionName::parse(file_name)?, false),
    };
    let open = base::open_dir(dir).ok()?;
    let meta = open.metadata().ok()?;
    let young = || {
        meta.modified()
            .ok()?
            .elapsed()
            .ok()
            .map(|age| age < UNFINISHED_FOR)
    };
    if unfinished && young().unwrap_or(true) {
        return None;
    }
    if is_locked(&open) {
        let started = meta.created().or_else(|_| meta.modified()).ok();
        return (!unfinished).then(|| Session {
            name,
            dir: dir.to_owned(),
            started,
        });
    }
    // We hold the lock now, so nobody else removes the same directory.
    let _ = std::fs::remove_dir_all(dir);
    None
}

/// Whether somebody else holds the lock; where not, we do for as long as `dir` is open.
fn is_locked(dir: &File) -> bool {
    // Where the lock cannot be tried, nothing is removed.
    matches!(
        dir.try_lock(),
        Err(TryLockError::WouldBlock | TryLockError::Error(_))
    )
}
