//! Looks at the running targets now and then, and names those that the hook is not in, once each;
//! under the guard those that run without the privileges of their files.
//!
//! It looks at facts: is the hook mapped into this process? A program that comes and goes between
//! two looks is not named, unless the hook in what starts it says so (`Note::Unprivileged`). That is the price
//! of costing other programs nothing.

use super::{Missing, Named, Reason, has_privileges, unreached};
use nix::unistd::Uid;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between two looks while programs come and go, and while none do.
const BUSY: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_secs(1);
/// How many processes are looked at: a fork bomb is not to keep us busy.
const MAX_PROCESSES: usize = 4096;

/// A program's file: device and inode.
type Image = (u64, u64);

/// Looks, for as long as the session lives.
pub(in crate::run) fn run(missing: Missing, hook: &Path, named: Named, report: impl Fn(String)) {
    let mut watch = Watch::new(missing, hook, named);
    let mut pause = BUSY;
    loop {
        std::thread::sleep(pause);
        let is_new = watch.look(&report);
        pause = if is_new { BUSY } else { (pause * 2).min(IDLE) };
    }
}

struct Watch {
    missing: Missing,
    session: u32,
    /// Our own program: the child that is about to become CMD still is it.
    own: Option<Image>,
    hook: Vec<u8>,
    named: Named,
    /// What files say, so that each is read once.
    files: HashMap<Image, Option<Reason>>,
    seen: HashMap<u32, Seen>,
}

/// A process as it was at the last look.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    image: Option<Image>,
    /// Nothing more is to be found out about it.
    settled: bool,
}

impl Watch {
    fn new(missing: Missing, hook: &Path, named: Named) -> Self {
        Self {
            missing,
            session: std::process::id(),
            own: image(Path::new("/proc/self/exe")),
            hook: hook.file_name().unwrap_or_default().as_bytes().to_vec(),
            named,
            files: HashMap::new(),
            seen: HashMap::new(),
        }
    }

    /// Looks at every target once. True where one of them is new.
    fn look(&mut self, report: &impl Fn(String)) -> bool {
        let mut is_new = false;
        let mut seen = HashMap::new();
        for pid in descendants(self.session) {
            let process = PathBuf::from(format!("/proc/{pid}"));
            let image = image(&process.join("exe"));
            if image.is_some() && image == self.own {
                continue;
            }
            let before = self.seen.get(&pid).filter(|seen| seen.image == image);
            let settled = match before {
                Some(Seen { settled: true, .. }) => true,
                // The second look: what has just been started has not loaded anything yet.
                Some(_) => {
                    self.judge(&process, image, report);
                    true
                }
                None => {
                    is_new = true;
                    self.judge_file(&process, image, report)
                }
            };
            seen.insert(pid, Seen { image, settled });
        }
        self.seen = seen;
        is_new
    }

    /// What its file says needs no second look.
    fn judge_file(
        &mut self,
        process: &Path,
        image: Option<Image>,
        report: &impl Fn(String),
    ) -> bool {
        let Some(image) = image else {
            return false;
        };
        let file = process.join("exe");
        let missing = self.missing;
        let look = || match missing {
            Missing::Hook => unreached(&file),
            Missing::Privileges => has_privileges(&file).then_some(Reason::Unprivileged),
        };
        let reason = *self.files.entry(image).or_insert_with(look);
        if let Some(reason) = reason {
            self.name(process, reason, report);
        }
        reason.is_some() || missing == Missing::Privileges
    }

    fn judge(&mut self, process: &Path, image: Option<Image>, report: &impl Fn(String)) {
        let reason = match fs::read(process.join("maps")) {
            // Gone, or a zombie.
            Ok(maps) if maps.is_empty() => None,
            Ok(maps) if self.has_hook(&maps) => None,
            Ok(_) => Some(match fs::read_link(process.join("root")) {
                Ok(root) if root != Path::new("/") => Reason::OtherRoot,
                _ => Reason::NotLoaded,
            }),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                is_privileged(process).then_some(Reason::Privileged)
            }
            Err(_) => None,
        };
        // It may have become another program since.
        if let Some(reason) = reason
            && self::image(&process.join("exe")) == image
        {
            self.name(process, reason, report);
        }
    }

    fn has_hook(&self, maps: &[u8]) -> bool {
        maps.split(|byte| *byte == b'\n').any(|line| {
            let path = line.strip_suffix(b" (deleted)").unwrap_or(line);
            path.ends_with(&self.hook)
        })
    }

    fn name(&mut self, process: &Path, reason: Reason, report: &impl Fn(String)) {
        let program = program(process);
        if self.named.is_new(&program) {
            report(reason.line(&program));
        }
    }
}

/// Its file's path, or the short name where that cannot be read.
pub(super) fn program(process: &Path) -> OsString {
    if let Ok(path) = fs::read_link(process.join("exe")) {
        return path.into_os_string();
    }
    let name = fs::read(process.join("comm")).unwrap_or_default();
    OsString::from_vec(name.trim_ascii_end().to_vec())
}

/// The file it runs; none for a process that is gone or that we may not look into.
fn image(exe: &Path) -> Option<Image> {
    fs::metadata(exe).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Whether it has more rights than its user: another effective user or group, or capabilities
/// (proc_pid_status(5)). A program can also forbid to be looked into, without having any.
fn is_privileged(process: &Path) -> bool {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(|rest| rest.split_ascii_whitespace().collect::<Vec<_>>())
    };
    let differs = |name| field(name).is_some_and(|ids| ids.first() != ids.get(1));
    let is_root = Uid::effective().is_root();
    let has_capabilities = || {
        let set = field("CapEff:");
        set.is_some_and(|set| {
            set.first()
                .is_some_and(|set| !set.trim_matches('0').is_empty())
        })
    };
    differs("Uid:") || differs("Gid:") || (!is_root && has_capabilities())
}

/// All processes below `pid`, by the kernel's lists of children (proc_pid_children(5)). A picture
/// that is out of date as soon as it is taken.
fn descendants(pid: u32) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    let mut next = children(pid);
    while let Some(pid) = next.pop() {
        if found.len() >= MAX_PROCESSES {
            break;
        }
        found.push(pid);
        next.extend(children(pid));
    }
    found
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            let numbers = list.split_ascii_whitespace();
            numbers
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Missing, Named, Watch, descendants, is_privileged};
    use std::path::Path;
    use std::process::{Command, Stdio};

    #[test]
    fn a_hook_is_found_by_its_files_name() {
        let watch = Watch::new(
            Missing::Hook,
            Path::new("/cache/hallpass/hook-1234.so"),
            Named::default(),
        );
        let line = |path: &str| format!("7f00-7f01 r-xp 00000000 00:1c 77   {path}\n");
        assert!(watch.has_hook(line("/cache/hallpass/hook-1234.so").as_bytes()));
        assert!(watch.has_hook(line("/cache/hallpass/hook-1234.so (deleted)").as_bytes()));
        assert!(!watch.has_hook(line("/usr/lib/libc.so.6").as_bytes()));
        assert!(!watch.has_hook(b""));
    }

    #[test]
    fn children_are_found_and_have_no_more_rights_than_we() {
        let mut child = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        let found = descendants(std::process::id()).contains(&pid);
        let privileged = is_privileged(Path::new(&format!("/proc/{pid}")));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found && !privileged);
    }
}
