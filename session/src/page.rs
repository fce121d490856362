//! The session's side of the shared page: verdicts that hooks may keep, and for how long.

use crate::sys;
use hallpass_wire::{PAGE_LEN, Page};
use nix::unistd::gettid;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Name of the page's file in the session's runtime directory.
pub const FILE: &str = "page";

/// The page, mapped and open.
#[derive(Clone, Copy)]
pub struct SharedPage {
    page: &'static Page,
}

impl SharedPage {
    /// Makes the page in a session's runtime directory. The calling thread must live as long as
    /// the session: its death, however it comes, makes every kept verdict invalid.
    ///
    /// # Errors
    /// The file cannot be made or mapped, or the kernel has no robust futexes.
    pub fn create(dir: &Path) -> io::Result<Self> {
        let file = open(dir)?;
        file.set_len(PAGE_LEN as u64)?;
        let page = sys::map_page(&file)?;
        sys::hold_robustly(page.owner())?;
        page.open(gettid().as_raw().cast_unsigned());
        Ok(Self { page })
    }

    /// Makes every kept verdict invalid.
    pub(crate) fn bump(self) {
        self.page.bump();
    }

    /// What a verdict given now is of.
    pub(crate) fn generation(self) -> Option<u64> {
        self.page.generation()
    }

    /// Takes what hooks have counted.
    pub(crate) fn take(self, counter: u32) -> u64 {
        self.page.take(counter)
    }
}

fn open(dir: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(dir.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::{FILE, SharedPage};
    use crate::sys;
    use std::fs::{File, OpenOptions};
    use std::path::Path;

    /// As a hook opens it.
    fn opened(dir: &Path) -> File {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        options.open(dir.join(FILE)).unwrap()
    }

    #[test]
    fn a_dead_session_voids_what_it_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let session = std::thread::spawn(move || {
            let page = SharedPage::create(&path).unwrap();
            page.bump();
            page.generation()
        });
        // The thread plays the session: it has ended when it is joined.
        let generation = session.join().unwrap();
        let seen = sys::map_page(&opened(dir.path())).unwrap();
        assert_eq!(generation, Some(2));
        assert_eq!(seen.generation(), None);
    }

    #[test]
    fn a_live_session_is_seen_through_another_mapping() {
        let dir = tempfile::tempdir().unwrap();
        let page = SharedPage::create(dir.path()).unwrap();
        let seen = sys::map_page(&opened(dir.path())).unwrap();
        assert_eq!(seen.generation(), Some(1));
        seen.count(7);
        seen.count(7);
        seen.count(u32::MAX);
        assert_eq!((page.take(7), page.take(7), page.take(8)), (2, 0, 0));
        page.bump();
        assert_eq!(seen.generation(), Some(2));
    }
}
