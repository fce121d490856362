//! What is not covered: of CMD before it starts, of its children while they run ([`watch`]).
//!
//! Without the guard that is what the hook is not in: without a dynamic linker nothing is loaded
//! into a program. With it every call is seen, but where the kernel grants the guard only with
//! no_new_privs, programs run without the privileges that their files give them.

pub(super) mod watch;

use hallpass_guard::Granted;
use hallpass_session::escape::escape_bytes;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How many programs are named in one session.
const MAX_NAMED: usize = 256;
/// ELF header and program headers of any program are well within it.
const HEAD: u64 = 64 * 1024;
/// Program header type of the dynamic linker's name (elf(5)).
const PT_INTERP: u32 = 3;
/// Characters of the program's name that are shown.
const SHOWN: usize = 200;

/// The programs that a line has named, so that each is named once.
#[derive(Clone, Debug, Default)]
pub(super) struct Named(Arc<Mutex<HashSet<OsString>>>);

impl Named {
    /// With the program that was named before it started.
    pub(super) fn new(first: Option<PathBuf>) -> Self {
        let named = first.into_iter().map(PathBuf::into_os_string).collect();
        Self(Arc::new(Mutex::new(named)))
    }

    fn is_new(&self, program: &OsStr) -> bool {
        let mut named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        named.len() < MAX_NAMED && named.insert(program.to_owned())
    }

    /// The line for a file that the process `pid` says it is about to start without the file's
    /// privileges; none where it has none, or that has been said.
    pub(super) fn unprivileged(&self, pid: u32, path: &[u8]) -> Option<String> {
        let path = Path::new(OsStr::from_bytes(path));
        let file = match path.strip_prefix("/") {
            Ok(inside) => PathBuf::from(format!("/proc/{pid}/root")).join(inside),
            Err(_) => PathBuf::from(format!("/proc/{pid}/cwd")).join(path),
        };
        let process = std::fs::metadata(format!("/proc/{pid}")).ok()?;
        let file = hallpass_look::into(pid, || {
            let gives = gives_privileges(&file, process.uid(), process.gid());
            gives.then(|| std::fs::canonicalize(&file).unwrap_or(file))
        })?;
        let is_new = self.is_new(file.as_os_str());
        is_new.then(|| Reason::Unprivileged.line(file.as_os_str()))
    }
}

/// The name of the program that a process runs, to be shown.
pub(super) fn program_of(pid: u32) -> String {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let program = hallpass_look::into(pid, || watch::program(&process));
    let name = Path::new(&program).file_name().unwrap_or_default();
    escape_bytes(name.as_bytes(), SHOWN)
}

/// What there is to look for while the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// Programs that the hook is not in.
    Hook,
    /// Programs whose files' privileges do not count.
    Privileges,
}

impl Missing {
    /// Under a guard as it was granted; without one. None: nothing.
    pub(super) fn of(guard: Option<&Granted>) -> Option<Self> {
        match guard {
            None => Some(Self::Hook),
            Some(granted) => granted.no_new_privs.then_some(Self::Privileges),
        }
    }
}

/// Whether CMD would run under the guard without the privileges that it is there for.
///
/// # Errors
/// It would; what to do instead.
pub(super) fn check_privileges(program: &OsStr, search: Option<&OsStr>) -> Result<(), String> {
    let Some(path) = find(program, search) else {
        return Ok(());
    };
    if !has_privileges(&path) || may_guard_privileges() {
        return Ok(());
    }
    Err(format!(
        "{} {PRIVILEGED}: under the guard the kernel would run it without its privileges; start \
         hallpass as root, or with --guard=off, where its connections are NOT decided",
        escape_bytes(program.as_bytes(), SHOWN)
    ))
}

/// CAP_SYS_ADMIN: the kernel then installs a filter without no_new_privs (seccomp(2)).
fn may_guard_privileges() -> bool {
    const CAP_SYS_ADMIN: u32 = 21;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    set.is_some_and(|set| set & (1 << CAP_SYS_ADMIN) != 0)
}

const PRIVILEGED: &str = "is a set-user-id or set-group-id program, or one with file capabilities";

/// A line for a person where CMD's own connections would go unseen, and the file it is about.
pub(super) fn warning(program: &OsStr, search: Option<&OsStr>) -> Option<(String, PathBuf)> {
    let path = find(program, search)?;
    let reason = if has_privileges(&path) {
        Reason::Privileged
    } else {
        unreached(&path)?
    };
    let file = std::fs::canonicalize(&path).unwrap_or(path);
    Some((reason.line(program), file))
}

/// Why the hook sees nothing of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Static,
    Go,
    Privileged,
    OtherRoot,
    NotLoaded,
    /// Under the guard: its file gives it rights that it does not get.
    Unprivileged,
}

impl Reason {
    /// The line for a person.
    fn line(self, program: &OsStr) -> String {
        let name = escape_bytes(program.as_bytes(), SHOWN);
        let unseen = |why: &str| {
            format!(
                "{name} {why}: hallpass cannot see its connections, so they are NOT decided; \
                 --guard=on decides them"
            )
        };
        match self {
            Self::Static => unseen("is statically linked"),
            Self::Go => unseen("is a Go program, which connects by itself"),
            Self::Privileged => format!(
                "{name} {PRIVILEGED}, into which nothing is loaded: hallpass cannot see its \
                 connections, so they are NOT decided"
            ),
            Self::OtherRoot => {
                unseen("was started in another root directory, where the hook is not")
            }
            Self::NotLoaded => unseen("was started without the hook"),
            Self::Unprivileged => format!(
                "{name} {PRIVILEGED}: under the guard it runs without its privileges, and may fail"
            ),
        }
    }
}

/// What a program's file says.
fn unreached(path: &Path) -> Option<Reason> {
    let head = read_head(path)?;
    match linkage(&head)? {
        Linkage::Static => Some(Reason::Static),
        Linkage::Dynamic if is_go(&head) => Some(Reason::Go),
        Linkage::Dynamic => None,
    }
}

/// As execvp(3): a name with a slash is a path, else the first executable in $PATH.
pub(crate) fn find(program: &OsStr, search: Option<&OsStr>) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(program.into());
    }
    let search = search.unwrap_or(OsStr::new("/bin:/usr/bin"));
    std::env::split_paths(search)
        .map(|dir| dir.join(program))
        .find(|path| {
            std::fs::metadata(path)
                .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
}

/// Whether a file gives this process more than it has.
fn has_privileges(path: &Path) -> bool {
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    gives_privileges(path, user.as_raw(), group.as_raw())
}

/// The same for a process of this user and group.
fn gives_privileges(path: &Path, user: u32, group: u32) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| {
        let mode = meta.permissions().mode();
        (mode & 0o4000 != 0 && meta.uid() != user)
            || (mode & 0o2010 == 0o2010 && meta.gid() != group)
            // Root has them anyway.
            || (user != 0 && has_file_capabilities(path))
    })
}

/// The attribute that capabilities(7) keeps them in.
fn has_file_capabilities(path: &Path) -> bool {
    let mut value = [0_u8; 64];
    rustix::fs::getxattr(path, c"security.capability", &mut value).is_ok_and(|length| length > 0)
}

fn read_head(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let file = File::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    file.take(HEAD).read_to_end(&mut head).ok()?;
    Some(head)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Linkage {
    Static,
    Dynamic,
}

/// How an ELF file is linked; none for scripts, and for files that are not whole.
fn linkage(elf: &[u8]) -> Option<Linkage> {
    let ident = elf.get(..16)?;
    if !ident.starts_with(b"\x7fELF") {
        return None;
    }
    let is_64 = ident[4] == 2;
    let is_little = ident[5] == 1;
    let number = |offset: usize, length: usize| -> Option<u64> {
        let bytes = elf.get(offset..offset.checked_add(length)?)?;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if is_little {
            bytes.iter().rev().fold(0, fold)
        } else {
            bytes.iter().fold(0, fold)
        })
    };
    let (start, size, count) = if is_64 {
        (number(32, 8)?, number(54, 2)?, number(56, 2)?)
    } else {
        (number(28, 4)?, number(42, 2)?, number(44, 2)?)
    };
    for index in 0..count {
        let offset = usize::try_from(start.checked_add(index.checked_mul(size)?)?).ok()?;
        if number(offset, 4)? == u64::from(PT_INTERP) {
            return Some(Linkage::Dynamic);
        }
    }
    Some(Linkage::Static)
}

/// Go's linker leaves a note with this owner's name in each program, near its start.
fn is_go(head: &[u8]) -> bool {
    // namesz 4, descsz, type 4 (Go build id), "Go\0\0"
    head.windows(16)
        .any(|note| note.starts_with(&[4, 0, 0, 0]) && note[8..] == [4, 0, 0, 0, b'G', b'o', 0, 0])
}

#[cfg(test)]
mod tests {
    use super::{Linkage, find, is_go, linkage, read_head, warning};
    use std::ffi::OsStr;
    use std::path::Path;

    #[test]
    fn this_program_is_dynamic() {
        let head = read_head(Path::new("/proc/self/exe")).unwrap();
        assert_eq!(linkage(&head), Some(Linkage::Dynamic));
        assert!(!is_go(&head));
        assert_eq!(warning(OsStr::new("/proc/self/exe"), None), None);
    }

    #[test]
    fn without_an_interpreter_it_is_static() {
        let mut elf = vec![0; 64 + 56];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[32] = 64;
        elf[54] = 56;
        elf[56] = 1;
        elf[64] = 1;
        assert_eq!(linkage(&elf), Some(Linkage::Static));
        elf[64] = 3;
        assert_eq!(linkage(&elf), Some(Linkage::Dynamic));
        assert_eq!(linkage(&elf[..64]), None);
        assert_eq!(linkage(b"#!/bin/sh\necho hello, world"), None);
        assert_eq!(linkage(b""), None);
    }

    #[test]
    fn names_are_searched_and_paths_are_not() {
        let sh = find(OsStr::new("sh"), Some(OsStr::new("/nonexistent:/bin")));
        assert_eq!(sh.as_deref(), Some(Path::new("/bin/sh")));
        assert_eq!(find(OsStr::new("nosuch"), Some(OsStr::new("/bin"))), None);
        assert!(find(OsStr::new("./sh"), None).is_some());
    }

    #[test]
    fn a_set_user_id_program_is_named() {
        if nix::unistd::geteuid().is_root() {
            // It keeps its user id, so nothing special happens to it.
            return;
        }
        if Path::new("/usr/bin/passwd").exists() {
            let (line, _) = warning(OsStr::new("/usr/bin/passwd"), None).unwrap();
            assert!(line.contains("set-user-id"), "{line}");
        }
    }
}
