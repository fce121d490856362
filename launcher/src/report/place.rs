//! Where a report goes. The directory is opened before the program starts and held, so that
//! nothing the program does to paths meanwhile leads the report elsewhere; the file is written
//! when the program is gone.

use hallpass_session::problem::show_path;
use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

/// How often a name for the new file is tried that somebody else has taken.
const TRIES: u32 = 8;

/// A file to be.
#[derive(Debug)]
pub(super) struct Place {
    dir: OwnedFd,
    name: OsString,
    /// The path as people may see it.
    shown: String,
}

impl Place {
    /// Looks at where the file is to be; the error is for a person.
    fn look(path: &Path) -> Result<(Self, Option<FileType>), String> {
        let shown = show_path(path);
        let wrong = |what: &str| format!("{shown} {what}; name a regular file");
        let Some(name) = path.file_name() else {
            return Err(wrong("is a directory"));
        };
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(parent, flags, Mode::empty()).map_err(|errno| {
            format!("the directory of {shown} cannot be opened: {errno}; make it first (mkdir -p)")
        })?;
        let kind = match rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(FileType::from_raw_mode(stat.st_mode)),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(format!("{shown} cannot be looked at: {errno}")),
        };
        if kind.is_some_and(|kind| kind != FileType::RegularFile) {
            return Err(wrong("is there and is no regular file"));
        }
        let place = Self {
            dir,
            name: name.to_owned(),
            shown,
        };
        Ok((place, kind))
    }

    /// A file that is to be made, or replaced. One that is there is removed now: should this run
    /// be killed, nobody takes an older run's report for its.
    pub(super) fn new_file(path: &Path) -> Result<Self, String> {
        let (place, kind) = Self::look(path)?;
        place.check_writable()?;
        if kind.is_some() {
            rustix::fs::unlinkat(&place.dir, &place.name, AtFlags::empty())
                .map_err(|errno| format!("{} cannot be replaced: {errno}", place.shown))?;
        }
        Ok(place)
    }

    fn check_writable(&self) -> Result<(), String> {
        let access = Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::accessat(&self.dir, ".", access, AtFlags::EACCESS).map_err(|errno| {
            format!(
                "no file can be made in the directory of {}: {errno}",
                self.shown
            )
        })
    }

    /// The path as people may see it.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// A file that stays as it is until it is replaced.
    pub(super) fn kept(path: &Path) -> Result<Self, String> {
        let (place, _) = Self::look(path)?;
        place.check_writable()?;
        Ok(place)
    }

    /// A file that is there and is to be added to.
    pub(super) fn existing(path: &Path) -> Result<Self, String> {
        match Self::look(path)? {
            (place, Some(_)) => Ok(place),
            (place, None) => Err(format!("{} is not there", place.shown)),
        }
    }

    /// Writes the file in one step: whoever looks finds all of it or none.
    pub(super) fn write(&self, text: &str) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("cannot write {}: {error}", self.shown);
        let (temporary, mut file) = self.temporary().map_err(|errno| failed(errno.into()))?;
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| {
                rustix::fs::renameat(&self.dir, &temporary, &self.dir, &self.name)
                    .map_err(Into::into)
            });
        written.map_err(|error| {
            // The old file, if any, is better than a torn one; nothing to be done about this one.
            let _ = rustix::fs::unlinkat(&self.dir, &temporary, AtFlags::empty());
            failed(error)
        })
    }

    fn temporary(&self) -> Result<(OsString, File), Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut last = Errno::EXIST;
        for number in 0..TRIES {
            let mut name = OsString::from(".");
            name.push(&self.name);
            name.push(OsStr::new(&format!(".{}-{number}", std::process::id())));
            match rustix::fs::openat(&self.dir, &name, flags, Mode::from_raw_mode(0o666)) {
                Ok(fd) => return Ok((name, File::from(fd))),
                Err(errno) => last = errno,
            }
            if last != Errno::EXIST {
                break;
            }
        }
        Err(last)
    }

    /// Adds what `text` makes of the file's present size.
    pub(super) fn append(&self, text: impl FnOnce(u64) -> String) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("cannot add to {}: {error}", self.shown);
        // NONBLOCK: opening a FIFO that the program has put there would wait for a reader.
        let flags = OFlags::WRONLY
            | OFlags::APPEND
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.dir, &self.name, flags, Mode::empty())
            .map_err(|errno| failed(errno.into()))?;
        let mut file = File::from(fd);
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() {
            return Err(format!("{} is no regular file any more", self.shown));
        }
        file.write_all(text(meta.len()).as_bytes()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::Place;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn dir() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_file_is_written_whole_and_an_older_one_is_gone_at_once() {
        let dir = dir();
        let path = dir.path().join("r.json");
        fs::write(&path, "old").unwrap();
        let place = Place::new_file(&path).unwrap();
        assert!(!path.exists());
        place.write("new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_that_is_exchanged_meanwhile_leads_nowhere_else() {
        let dir = dir();
        let (out, elsewhere) = (dir.path().join("out"), dir.path().join("elsewhere"));
        fs::create_dir(&out).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("r"), "precious").unwrap();
        let place = Place::new_file(&out.join("r")).unwrap();
        fs::rename(&out, dir.path().join("moved")).unwrap();
        symlink(&elsewhere, &out).unwrap();
        place.write("report").unwrap();
        assert_eq!(fs::read_to_string(elsewhere.join("r")).unwrap(), "precious");
        assert_eq!(
            fs::read_to_string(dir.path().join("moved/r")).unwrap(),
            "report"
        );
    }

    #[test]
    fn a_link_that_the_program_has_put_there_is_replaced_and_not_followed() {
        let dir = dir();
        let precious = dir.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        let path = dir.path().join("r");
        let place = Place::new_file(&path).unwrap();
        symlink(&precious, &path).unwrap();
        place.write("report").unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        assert_eq!(fs::read_to_string(&path).unwrap(), "report");
        // What is added to must be the file itself.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        let place = Place::existing(&path).unwrap();
        fs::remove_file(&path).unwrap();
        symlink(&precious, &path).unwrap();
        assert!(place.append(|_| "x".to_owned()).is_err());
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    }

    #[test]
    fn what_is_no_file_is_refused_before_the_program_starts() {
        let dir = dir();
        let link = dir.path().join("link");
        symlink("/dev/null", &link).unwrap();
        for path in [
            link.as_path(),
            dir.path(),
            "/dev/null".as_ref(),
            "/".as_ref(),
        ] {
            let error = Place::new_file(path).unwrap_err();
            assert!(error.contains("name a regular file"), "{error}");
        }
        let error = Place::new_file(&dir.path().join("no/r")).unwrap_err();
        assert!(error.contains("mkdir"), "{error}");
        assert!(Place::existing(&dir.path().join("no")).is_err());
    }

    #[test]
    fn what_is_added_knows_the_size() {
        let dir = dir();
        let path = dir.path().join("s");
        fs::write(&path, "12345").unwrap();
        let place = Place::existing(&path).unwrap();
        place.append(|size| format!("-{size}")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "12345-5");
    }
}
