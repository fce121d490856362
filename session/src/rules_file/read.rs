//! Reading a file that a person named: regular or a shell's pipe, bounded, and with a clear word
//! where not.

use crate::problem::{Problem, show_path};
use hallpass_policy::{FILE_MAX, FileError, RuleFile};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

const EXAMPLE: &str = r#"remove it, or write { "version": 1, "rules": [] }"#;

/// The saved rules; none where there is no file.
///
/// # Errors
/// The file is there and is not one of rules: what is wrong with it, where, and what to write
/// instead.
pub fn load(path: &Path) -> Result<RuleFile, Problem> {
    match read_bounded(path, FILE_MAX)? {
        None => Ok(RuleFile::default()),
        Some(bytes) => parse(path, &bytes),
    }
}

/// The rules of a file that a person named, with `--policy` or to `hallpass check`: it has to be
/// there.
///
/// # Errors
/// See [`load`].
pub fn load_named(path: &Path) -> Result<RuleFile, Problem> {
    match read_bounded(path, FILE_MAX)? {
        None => Err(Problem::at(path, "there is no such file", "check the name")),
        Some(bytes) => parse(path, &bytes),
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<RuleFile, Problem> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::at(path, "is empty", EXAMPLE));
    }
    RuleFile::parse(bytes, "").map_err(|error| {
        let FileError {
            line,
            column,
            message,
            remedy,
            ..
        } = error;
        Problem {
            place: format!("{}:{line}:{column}", show_path(path)),
            what: message,
            instead: remedy,
        }
    })
}

/// The content of a regular file, or of a pipe without a name (a shell's `<(…)`), of at most `max`
/// bytes; None where there is no such file. Waits only for who writes such a pipe, whatever stands
/// at `path`.
///
/// # Errors
/// It is something else, cannot be read, or is too long.
pub fn read_bounded(path: &Path, max: usize) -> Result<Option<Vec<u8>>, Problem> {
    // O_NONBLOCK: opening a FIFO would wait for a writer.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return missing(path, &error),
        Err(error) => return Err(unreadable(path, &error)),
    };
    if is_nameless_pipe(&file) {
        // It is ours alone: opening it in /proc has made it anew.
        fcntl(&file, FcntlArg::F_SETFL(OFlag::empty()))
            .map_err(|errno| unreadable(path, &errno.into()))?;
    } else {
        regular(path, &file)?;
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() > max {
        return Err(Problem::at(
            path,
            format!("is longer than {max} bytes"),
            "split it, or put long lists of destinations into fewer, wider ones",
        ));
    }
    Ok(Some(bytes))
}

fn is_nameless_pipe(file: &File) -> bool {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    link.is_ok_and(|link| link.as_os_str().as_bytes().starts_with(b"pipe:["))
}

fn regular(path: &Path, file: &File) -> Result<(), Problem> {
    let kind = file
        .metadata()
        .map_err(|error| unreadable(path, &error))?
        .file_type();
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "is a directory",
        kind if kind.is_fifo() => "is a FIFO",
        kind if kind.is_char_device() || kind.is_block_device() => "is a device",
        _ => "is not a regular file",
    };
    Err(Problem::at(path, what, "name a regular file"))
}

/// A link to nowhere is not the same as no file: rules that were meant to hold are missing.
fn missing(path: &Path, error: &io::Error) -> Result<Option<Vec<u8>>, Problem> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Err(broken_link(path, error)),
        Err(_) => Ok(None),
    }
}

pub(super) fn broken_link(path: &Path, error: &io::Error) -> Problem {
    Problem::at(
        path,
        format!("is a symlink that leads nowhere: {error}"),
        "mend it or remove it",
    )
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let instead = match error.raw_os_error().map(nix::errno::Errno::from_raw) {
        Some(nix::errno::Errno::EACCES) => "make it readable for you (chmod u+r), or remove it",
        // A socket cannot be opened at all.
        Some(nix::errno::Errno::ENXIO) => "name a regular file",
        _ => "",
    };
    Problem::io(path, "read", error, instead)
}
