//! The SHA-256 of what asks: computed when a client wants it, in that client's thread, never on
//! the way of a decision.
//!
//! The executable is read through /proc/PID/exe: the file that runs, also where its path leads
//! to another by now. A script is read by its path, so its sum is of what lies there now.

use crate::escape::escape;
use crate::identity;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Largest file that is read, in bytes: browsers have 250 MB.
const MAX_FILE: u64 = 512 * 1024 * 1024;
/// Read at a time.
const CHUNK: usize = 64 * 1024;
/// Longest reason that is told, in characters.
const MAX_REASON: usize = 200;

/// A file and its sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Its path, escaped, as the question has it.
    pub path: String,
    /// SHA-256, 64 lower-case hexadecimal digits; none where it could not be had.
    pub sha256: Option<String>,
    /// Why not.
    pub error: Option<String>,
}

/// The sums of a process's executable and, where it runs one, its script.
#[must_use]
pub fn of(pid: u32, exe: &str, script: Option<&str>) -> Vec<Sum> {
    // One at a time: clients that ask for many shall not take all cores from the program.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let sum = |path: &str, result: Result<String, String>| {
        let path = path.to_owned();
        match result {
            Ok(sha256) => Sum {
                path,
                sha256: Some(sha256),
                error: None,
            },
            Err(error) => Sum {
                path,
                sha256: None,
                error: Some(escape(&error, MAX_REASON)),
            },
        }
    };
    let program = || {
        if identity::exe(pid).as_deref() != Some(exe) {
            return Err("the process has ended, or runs another program now".to_owned());
        }
        let task = identity::living_thread(pid);
        hallpass_look::into(task, || file(Path::new(&format!("/proc/{task}/exe"))))
    };
    let mut sums = vec![sum(exe, program())];
    if let Some(script) = script {
        // Where it had to be escaped its path cannot be had from the question.
        let result = match script.contains('\\') {
            true => Err("its path has characters that cannot be shown".to_owned()),
            false => file(Path::new(script)),
        };
        sums.push(sum(script, result));
    }
    sums
}

fn file(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    // A pipe in a script's place must not hold this thread for ever.
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path);
    let mut file = opened.map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() {
        return Err("is no file".to_owned());
    }
    if about.len() > MAX_FILE {
        return Err(format!("is larger than {} MB", MAX_FILE / 1024 / 1024));
    }
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut left = MAX_FILE;
    loop {
        let count = file.read(&mut chunk).map_err(failed)?;
        if count == 0 {
            break;
        }
        // It may grow while it is read.
        left = left.saturating_sub(count as u64);
        if left == 0 {
            return Err("grows while it is read".to_owned());
        }
        hash.update(&chunk[..count]);
    }
    let digits = hash.finalize();
    Ok(digits.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::{file, of};
    use crate::identity;
    use std::path::Path;
    use std::process::Command;

    #[test]
    fn the_sum_is_that_of_sha256sum() {
        let pid = std::process::id();
        let exe = identity::exe(pid).unwrap();
        let output = Command::new("sha256sum").arg(&exe).output().unwrap();
        let expected = String::from_utf8(output.stdout).unwrap();
        let sums = of(pid, &exe, Some("/etc/passwd"));
        let sum = sums[0].sha256.as_deref().unwrap();
        assert_eq!(Some(sum), expected.split(' ').next());
        assert!(sums[1].sha256.is_some());
    }

    #[test]
    fn what_cannot_be_summed_says_why() {
        let error = |sums: Vec<super::Sum>, index: usize| sums[index].error.clone().unwrap();
        let pid = std::process::id();
        let other = of(pid, "/usr/bin/other", Some("/nonexistent"));
        assert!(error(other.clone(), 0).contains("another program"));
        assert!(error(other, 1).contains("cannot be read"));
        let odd = of(pid, "/x", Some("/tmp/a\\nb"));
        assert!(error(odd, 1).contains("characters"));
        assert_eq!(file(Path::new("/dev/zero")), Err("is no file".to_owned()));
        assert_eq!(file(Path::new("/tmp")), Err("is no file".to_owned()));
    }
}
