//! The hook as a file: written from the copy inside this program to a place from which every
//! target can load it, under a name made from its content, and checked before each use.
//!
//! It is never deleted: a session whose hook has vanished would go on *unhooked*.

use hallpass_session::paths;
use hallpass_session::problem::show_path;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::Uid;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The hook, as launcher/build.rs has built it.
const HOOK: &[u8] = include_bytes!(env!("HALLPASS_HOOK"));

/// Other user ids must be able to load it: a program may drop its privileges.
const MODE: u32 = 0o555;

/// Gives the path of the hook's file; writes it first where it is not there. The error is for a
/// person.
pub(crate) fn place() -> Result<PathBuf, String> {
    let mut refused = Vec::new();
    for dir in candidates() {
        match place_in(&dir, HOOK) {
            Ok(path) => return Ok(path),
            Err(why) => refused.push(format!("{}: {why}", show_path(&dir))),
        }
    }
    Err(format!(
        "there is no directory for the hook library: {}; set XDG_CACHE_HOME to a directory of \
         your own on a file system that is not noexec, without space or colon in its path",
        refused.join("; ")
    ))
}

/// Where the file may be, best first.
fn candidates() -> Vec<PathBuf> {
    let variables: paths::Variables<'_> = &paths::environment;
    let absolute = |name: &str| {
        variables(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let uid = Uid::effective();
    let mut dirs = Vec::new();
    if let Some(cache) = absolute("XDG_CACHE_HOME") {
        dirs.push(cache.join("hallpass"));
    }
    if uid.is_root() {
        // Others can enter it, root's home they often cannot.
        dirs.push("/var/cache/hallpass".into());
    } else if let Some(home) = absolute("HOME") {
        dirs.push(home.join(".cache/hallpass"));
    }
    dirs.push(format!("/var/tmp/hallpass-{uid}").into());
    dirs.push(format!("/tmp/hallpass-{uid}-hook").into());
    dirs
}

/// Puts `hook` into `dir`, or says why not.
fn place_in(dir: &Path, hook: &[u8]) -> Result<PathBuf, String> {
    // ld.so(8): LD_PRELOAD is a list, and both separate its items; there is no escaping.
    if dir
        .as_os_str()
        .as_bytes()
        .iter()
        .any(|byte| b" :\n\t".contains(byte))
    {
        return Err("its path has a space or colon, which LD_PRELOAD cannot hold".into());
    }
    make(dir).map_err(|error| format!("cannot make it: {error}"))?;
    check_dir(dir)?;
    let path = dir.join(format!("hook-{}.so", digest(hook)));
    if check_file(&path, hook).is_ok() {
        return Ok(path);
    }
    write(dir, &path, hook).map_err(|error| format!("cannot write: {error}"))?;
    check_file(&path, hook)?;
    Ok(path)
}

/// Makes `dir` and what is missing above it; others may enter it but not write.
fn make(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(dir)
}

/// Somebody who may write to the directory could put another library in the hook's place.
fn check_dir(dir: &Path) -> Result<(), String> {
    let meta = std::fs::symlink_metadata(dir).map_err(|error| error.to_string())?;
    if !meta.is_dir() {
        return Err("it is not a directory".into());
    }
    if meta.uid() != Uid::effective().as_raw() {
        return Err(format!("it belongs to user id {}, not to you", meta.uid()));
    }
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(format!("others may write to it (mode {mode:o})"));
    }
    let flags = statvfs(dir)
        .map_err(|errno| errno.desc().to_owned())?
        .flags();
    if flags.contains(FsFlags::ST_NOEXEC) {
        return Err("its file system is mounted noexec, so nothing can be loaded from it".into());
    }
    Ok(())
}

/// Whether `path` is a file of ours that holds exactly `hook` and that nobody else can change.
fn check_file(path: &Path, hook: &[u8]) -> Result<(), String> {
    let check = || -> io::Result<Result<(), &str>> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() || meta.uid() != Uid::effective().as_raw() {
            return Ok(Err("is not a file of yours"));
        }
        if meta.permissions().mode() & 0o7777 != MODE {
            return Ok(Err("has another mode than it was written with"));
        }
        let mut content = Vec::with_capacity(hook.len() + 1);
        let limit = u64::try_from(hook.len())
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        file.take(limit).read_to_end(&mut content)?;
        Ok(if content == hook {
            Ok(())
        } else {
            Err("holds something else than it was written with")
        })
    };
    match check() {
        Ok(Ok(())) => Ok(()),
        Ok(Err(what)) => Err(format!("{} {what}", show_path(path))),
        Err(error) => Err(format!("{}: {error}", show_path(path))),
    }
}

/// Writes beside and renames, so that no run ever loads half a library.
fn write(dir: &Path, path: &Path, hook: &[u8]) -> io::Result<()> {
    let beside = dir.join(format!(".hook-{}.new", std::process::id()));
    // Left by a run that died here and had our number.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let finish = |mut file: File| {
        file.write_all(hook)?;
        // Not subject to the umask, unlike the mode at creation.
        file.set_permissions(std::fs::Permissions::from_mode(MODE))?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .and_then(finish);
    if written.is_err() {
        // Nothing more can be done about a file that cannot be removed either.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// A name for the content (FNV-1a, 128 bits). The content itself is compared before each use, so
/// the name need not withstand anybody.
fn digest(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(
        0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128,
        |hash, byte| {
            (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        },
    );
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use super::{check_file, digest, place_in};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("hp-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
            Self(path)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn written_once_and_found_again() {
        let dir = Dir::new("once");
        let below = dir.0.join("a/b");
        let first = place_in(&below, b"hook").unwrap();
        let made = fs::metadata(&first).unwrap();
        assert_eq!(made.permissions().mode() & 0o7777, 0o555);
        assert_eq!(place_in(&below, b"hook").unwrap(), first);
        let again = fs::metadata(&first).unwrap();
        assert_eq!(made.modified().unwrap(), again.modified().unwrap());
        assert_ne!(place_in(&below, b"newer hook").unwrap(), first);
        assert_eq!(fs::read_dir(&below).unwrap().count(), 2);
    }

    #[test]
    fn a_changed_file_is_written_again() {
        let dir = Dir::new("changed");
        let path = place_in(&dir.0, b"hook").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        fs::write(&path, b"hoof").unwrap();
        assert!(check_file(&path, b"hook").is_err());
        assert_eq!(place_in(&dir.0, b"hook").unwrap(), path);
        assert_eq!(fs::read(&path).unwrap(), b"hook");
        fs::remove_file(&path).unwrap();
        symlink("/etc/passwd", &path).unwrap();
        assert_eq!(place_in(&dir.0, b"hook").unwrap(), path);
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }

    #[test]
    fn unfit_directories_are_refused() {
        let dir = Dir::new("unfit");
        for bad in ["with space", "with:colon"] {
            assert!(place_in(&dir.0.join(bad), b"hook").is_err(), "{bad}");
        }
        let open = dir.0.join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        assert!(place_in(&open, b"hook").unwrap_err().contains("777"));
        let link = dir.0.join("link");
        symlink(&dir.0, &link).unwrap();
        assert!(place_in(&link, b"hook").is_err());
    }

    #[test]
    fn the_digest_is_fnv_1a() {
        // The offset basis itself, and a published vector: http://www.isthe.com/chongo/tech/comp/fnv/
        assert_eq!(digest(b""), "6c62272e07bb014262b821756295c58d");
        assert_eq!(digest(b"a"), "d228cb696f1a8caf78912b704e4a8964");
    }
}
