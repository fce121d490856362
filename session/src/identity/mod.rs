//! Who a process is: executable, script, command line, parents, user. Read from /proc.

mod image;
mod package;
mod procfs;
mod script;

use crate::escape::{escape_bytes, escape_path};
use crate::flow::App;
use crate::nested::RunId;
use crate::nested::runs::{Proc, Process as Numbered, Runs};
use crate::stat::Stat;
use hallpass_policy::{Parent, Subject};
use image::Image;
use nix::unistd::{Uid, User};
use std::collections::HashMap;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// How many ancestors are looked at.
const MAX_PARENTS: usize = 32;
/// How many arguments are kept to be shown.
const MAX_ARGUMENTS: usize = 256;
/// How many characters of each.
const MAX_ARGUMENT: usize = 1024;
/// How many processes are remembered.
const MAX_REMEMBERED: usize = 4096;
/// How many processes are watched for an exec; each takes two descriptors.
const MAX_WATCHED: usize = 256;
/// A parent may die between two reads, and its child then has another parent: look again.
const TRIES: usize = 3;

/// A process of the session.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who it is.
    pub app: Arc<App>,
    /// Its pid, then its ancestors', nearest first, without the session's.
    pub lineage: Arc<[u32]>,
    /// The nested runs that it is in, outermost first.
    pub runs: Arc<[RunId]>,
}

/// Identifies processes, and remembers those it has seen.
pub struct Identifier {
    session: u32,
    /// What the session itself has started; all other children of it are orphans.
    command: Option<u32>,
    known: HashMap<u32, Known>,
    watched: HashMap<u32, (Image, Identity)>,
    seen: HashMap<u32, Seen>,
    users: HashMap<u32, String>,
    /// Nested runs.
    pub(crate) runs: Runs,
}

/// Who a process was when it first asked. Its parents are those of that moment: a parent that
/// ends later leaves its child to somebody who did not start it.
struct Known {
    image: u64,
    uid: u32,
    identity: Identity,
}

/// One process, without its parents.
struct Seen {
    started: u64,
    /// [`Stat::stack`].
    stack: u64,
    exe: Option<String>,
    cmdline: Vec<u8>,
    process: Arc<Process>,
}

struct Process {
    exe: String,
    script: Option<String>,
    name: String,
    argv: Vec<String>,
    cwd: String,
}

impl Identifier {
    /// For the targets of the session with this process id.
    #[must_use]
    pub fn new(session: u32) -> Self {
        Self {
            session,
            command: None,
            known: HashMap::new(),
            watched: HashMap::new(),
            seen: HashMap::new(),
            users: HashMap::new(),
            runs: Runs::new(false),
        }
    }

    /// Knows the session's own child from the orphans that it has taken in.
    #[must_use]
    pub fn with_command(mut self, command: u32) -> Self {
        self.command = Some(command);
        self
    }

    /// [`Self::identify`], without a look at a process that is known: `image` is another after
    /// each exec (0: not said), `uid` another after each setuid.
    pub fn identify_image(&mut self, pid: u32, image: u64, uid: u32) -> Option<Identity> {
        if image != 0
            && let Some(known) = self.known.get(&pid)
            && (known.image, known.uid) == (image, uid)
        {
            return Some(known.identity.clone());
        }
        let identity = self.identify(pid)?;
        if self.known.len() >= MAX_REMEMBERED {
            self.known.clear();
        }
        let known = Known {
            image,
            uid,
            identity: identity.clone(),
        };
        self.known.insert(pid, known);
        Some(identity)
    }

    /// [`Self::identify`], without another look at a process that still is the program that it
    /// was, whether or not anything in it says so.
    pub fn identify_running(&mut self, pid: u32) -> Option<Identity> {
        if let Some((image, identity)) = self.watched.get(&pid) {
            if image.is_there() {
                return Some(identity.clone());
            }
            self.watched.remove(&pid);
        }
        let image = Image::open(pid);
        let identity = self.identify(pid)?;
        // Another program by now: what was read is of the one or the other, but of none for long.
        if let Some(image) = image.filter(Image::is_there) {
            if self.watched.len() >= MAX_WATCHED {
                self.watched.retain(|_, (image, _)| image.is_there());
                if self.watched.len() >= MAX_WATCHED {
                    self.watched.clear();
                }
            }
            self.watched.insert(pid, (image, identity.clone()));
        }
        Some(identity)
    }

    /// Who `pid` is; none where it does not descend from the session, or is gone.
    pub fn identify(&mut self, pid: u32) -> Option<Identity> {
        let chain = self.chain(pid)?;
        let runs = self.runs.of(&chain, &Proc);
        let lineage: Vec<u32> = chain.iter().map(|process| process.pid).collect();
        let process = self.process(pid)?;
        let mut known = vec![(pid, Arc::clone(&process))];
        for pid in lineage.iter().skip(1) {
            known.extend(self.process(*pid).map(|process| (*pid, process)));
        }
        let parents = known.iter().skip(1).map(parent).collect();
        let uid = procfs::uid(pid)?;
        let is_orphan = self.command.is_some() && lineage.last() != self.command.as_ref();
        let (packages, step) = match package::package(&known, is_orphan) {
            Some(package) => (vec![package.name], package.step),
            None => (Vec::new(), None),
        };
        let app = App {
            subject: Subject {
                exe: process.exe.clone(),
                script: process.script.clone(),
                name: process.name.clone(),
                parents,
                packages,
                user: Some(self.user(uid)),
            },
            argv: process.argv.clone(),
            cwd: process.cwd.clone(),
            step,
            uid,
        };
        Some(Identity {
            app: Arc::new(app),
            lineage: lineage.into(),
            runs,
        })
    }

    /// Forgets who a process is: it is looked at again.
    pub(crate) fn forget(&mut self, pid: u32) {
        self.known.remove(&pid);
        self.watched.remove(&pid);
    }

    /// A process, then its ancestors, nearest first, without the session.
    pub(crate) fn chain(&self, pid: u32) -> Option<Vec<Numbered>> {
        (0..TRIES).find_map(|_| self.lineage(pid))
    }

    fn lineage(&self, pid: u32) -> Option<Vec<Numbered>> {
        let mut lineage = Vec::new();
        let mut at = pid;
        while lineage.len() <= MAX_PARENTS * 8 {
            let stat = Stat::of(at)?;
            // The number of a parent that has ended meanwhile is somebody else's.
            let is_given_again = |child: &Numbered| child.started < stat.started;
            if lineage.last().is_some_and(is_given_again) {
                return None;
            }
            lineage.push(Numbered {
                pid: at,
                started: stat.started,
            });
            if stat.parent == self.session {
                return Some(lineage);
            }
            if stat.parent <= 1 {
                return None;
            }
            at = stat.parent;
        }
        None
    }

    /// Whether it has not made an exec since it was looked at: another command line is a title
    /// that it has given itself.
    fn is_watched(&self, pid: u32) -> bool {
        let watched = self.watched.get(&pid);
        watched.is_some_and(|(image, _)| image.is_there())
    }

    /// A process changes its identity by exec, which changes its executable, command line or
    /// memory.
    fn process(&mut self, pid: u32) -> Option<Arc<Process>> {
        let Stat { started, stack, .. } = Stat::of(pid)?;
        let is_same = |seen: u64| seen == stack || seen == 0 || stack == 0;
        let exe = procfs::exe(pid);
        let cmdline = procfs::cmdline(pid);
        if let Some(seen) = self.seen.get(&pid)
            && seen.started == started
            && is_same(seen.stack)
            && seen.exe == exe
            && (seen.cmdline == cmdline || self.is_watched(pid))
        {
            return Some(Arc::clone(&seen.process));
        }
        let process = Arc::new(describe(pid, exe.clone(), &cmdline));
        if self.seen.len() >= MAX_REMEMBERED {
            self.seen.retain(|pid, seen| {
                Stat::of(*pid).is_some_and(|stat| stat.started == seen.started)
            });
            if self.seen.len() >= MAX_REMEMBERED {
                self.seen.clear();
            }
        }
        self.seen.insert(
            pid,
            Seen {
                started,
                stack,
                exe,
                cmdline,
                process: Arc::clone(&process),
            },
        );
        Some(process)
    }

    fn user(&mut self, uid: u32) -> String {
        let name = || user_name(Uid::from_raw(uid));
        self.users.entry(uid).or_insert_with(name).clone()
    }
}

/// A user as rules name it: by name, or by number where it has none.
#[must_use]
pub fn user_name(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => escape_bytes(user.name.as_bytes(), 64),
        _ => uid.to_string(),
    }
}

/// The executable of a process as questions show it: escaped, and it says so where the path leads
/// to another file. None where the process has gone or may not be looked at.
#[must_use]
pub fn exe(pid: u32) -> Option<String> {
    procfs::exe(pid)
}

/// How many seccomp filters a process or thread bears.
pub(crate) fn seccomp_filters(task: u32) -> Option<u32> {
    procfs::seccomp_filters(task)
}

/// The device number of a process's controlling terminal, 0 where it has none.
pub(crate) fn terminal(pid: u32) -> Option<u32> {
    Stat::of(pid).map(|stat| stat.terminal)
}

/// True while the process runs; a zombie does not.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    Stat::of(pid).is_some_and(|stat| !stat.has_ended())
}

/// The thread whose directory in /proc shows what the process has open: its first, or another where
/// that has ended. The process's own number where it is gone.
#[must_use]
pub fn living_thread(pid: u32) -> u32 {
    procfs::living_thread(pid).unwrap_or(pid)
}

/// The parent of a process; none where it is gone.
pub(crate) fn parent_of(pid: u32) -> Option<u32> {
    Stat::of(pid).map(|stat| stat.parent)
}

fn parent((pid, process): &(u32, Arc<Process>)) -> Parent {
    Parent {
        pid: *pid,
        exe: process.exe.clone(),
        script: process.script.clone(),
        name: process.name.clone(),
    }
}

fn describe(pid: u32, exe: Option<String>, cmdline: &[u8]) -> Process {
    let raw: Vec<&[u8]> = arguments(cmdline).collect();
    let cwd = procfs::cwd(pid);
    let exe = exe.unwrap_or_else(|| {
        // Another user's process, or one that made itself undumpable.
        let comm = procfs::comm(pid).unwrap_or_default();
        format!("{comm} (executable not visible)")
    });
    let program = base_name(&exe).to_owned();
    let script = script::script(&program, &raw)
        .and_then(|script| absolute(script, cwd.as_deref()))
        .filter(|path| path.is_file())
        .map(|path| escape_path(&path));
    let name = script
        .as_deref()
        .map_or(program, |path| base_name(path).to_owned());
    let argv = raw
        .iter()
        .take(MAX_ARGUMENTS)
        .map(|argument| escape_bytes(argument, MAX_ARGUMENT))
        .collect();
    let cwd = cwd.map(|path| escape_path(&path));
    Process {
        exe,
        script,
        name,
        argv,
        cwd: cwd.unwrap_or_default(),
    }
}

/// A program that gives itself a title (npm) writes it over its arguments and fills the rest of
/// their room with zeros: those are no arguments.
fn arguments(cmdline: &[u8]) -> impl Iterator<Item = &[u8]> {
    let used = cmdline.iter().rposition(|byte| *byte != 0);
    let title = cmdline.get(..used.map_or(0, |last| last + 1));
    let title = title.filter(|title| !title.contains(&0));
    let all = || cmdline.strip_suffix(b"\0").unwrap_or(cmdline);
    title.unwrap_or_else(all).split(|byte| *byte == 0)
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The path without `.` and `..`, which are resolved by their letters: a symlink keeps its name,
/// because that is the name people know (`/usr/bin/npm`).
fn absolute(script: &[u8], cwd: Option<&Path>) -> Option<PathBuf> {
    let script = PathBuf::from(std::ffi::OsString::from_vec(script.to_vec()));
    let joined = if script.is_absolute() {
        script
    } else {
        cwd?.join(script)
    };
    let mut clean = PathBuf::from("/");
    for part in joined.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::Normal(part) => clean.push(part),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Some(clean)
}

#[cfg(test)]
mod tests;
