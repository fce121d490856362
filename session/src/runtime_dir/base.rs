//! Choosing and checking the directory that all runtime directories of a user are in.

use super::LONGEST_SOCKET_PATH;
use crate::paths::{Variables, xdg_runtime_dir};
use crate::problem::Problem;
use nix::fcntl::OFlag;
use nix::unistd::Uid;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// `/SESSION/control` at its longest.
const BELOW: usize = "/4294967295-00000000/control".len();

/// Where sessions may be: the first is where new ones are made, and other commands look in all,
/// because they may have been started with another environment (ssh, cron, sudo).
#[must_use]
pub fn bases(variables: Variables<'_>) -> Vec<PathBuf> {
    let uid = Uid::effective();
    let given = xdg_runtime_dir(variables).filter(|dir| is_ours(dir, uid));
    let login = PathBuf::from(format!("/run/user/{uid}"));
    let mut bases: Vec<PathBuf> = Vec::new();
    bases.extend(
        given
            .map(|dir| dir.join("hallpass"))
            .filter(|base| sockets_fit(base)),
    );
    bases.push(PathBuf::from(format!("/tmp/hallpass-{uid}")));
    let login = login.join("hallpass");
    if !bases.contains(&login) {
        bases.push(login);
    }
    bases
}

/// A runtime directory of somebody else (left in the environment by su or sudo) is not for us.
fn is_ours(dir: &Path, uid: Uid) -> bool {
    std::fs::metadata(dir).is_ok_and(|meta| meta.is_dir() && meta.uid() == uid.as_raw())
}

fn sockets_fit(base: &Path) -> bool {
    base.as_os_str().as_bytes().len() + BELOW <= LONGEST_SOCKET_PATH
}

/// The first of `bases`, made where it does not exist, and checked.
///
/// # Errors
/// It belongs to somebody else, is a symlink, is open to others, or cannot be made.
pub fn usable(bases: &[PathBuf]) -> Result<PathBuf, Problem> {
    let Some(base) = bases.first() else {
        return Err(Problem {
            place: "$XDG_RUNTIME_DIR".to_owned(),
            what: "there is no place for a session's sockets".to_owned(),
            instead: "set it to a directory of your own".to_owned(),
        });
    };
    match DirBuilder::new().mode(0o700).create(base) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(Problem::io(
                base,
                "create",
                &error,
                "set XDG_RUNTIME_DIR to a directory of your own",
            ));
        }
    }
    check(base)?;
    Ok(base.clone())
}

/// Whether `base` is a directory that only we can reach.
pub(super) fn check(base: &Path) -> Result<(), Problem> {
    let trouble = |what: String, instead: &str| Err(Problem::at(base, what, instead));
    let remove = "remove it, or set XDG_RUNTIME_DIR to a directory of your own";
    let link = std::fs::symlink_metadata(base)
        .map_err(|error| Problem::io(base, "examine", &error, remove))?;
    if link.is_symlink() {
        return trouble(
            "is a symlink; somebody could point it elsewhere".to_owned(),
            remove,
        );
    }
    if !link.is_dir() {
        return trouble("is not a directory".to_owned(), remove);
    }
    let dir = open_dir(base).map_err(|error| Problem::io(base, "open", &error, remove))?;
    let meta = dir
        .metadata()
        .map_err(|error| Problem::io(base, "examine", &error, remove))?;
    if meta.uid() != Uid::effective().as_raw() {
        return trouble(
            format!("belongs to user id {}, not to you", meta.uid()),
            "ask its owner to remove it, or set XDG_RUNTIME_DIR to a directory of your own",
        );
    }
    if mode(&meta) & 0o077 != 0 {
        return trouble(
            format!("is open to other users (mode {:o})", mode(&meta)),
            "chmod 700 it",
        );
    }
    Ok(())
}

fn mode(meta: &Metadata) -> u32 {
    meta.permissions().mode() & 0o7777
}

/// Opens a directory, and nothing that only looks like one.
pub(super) fn open_dir(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}
