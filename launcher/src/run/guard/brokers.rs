//! Which UNIX sockets are put to the engine: brokers always, what a `unix:` rule names, and what a
//! desktop needs where a rule is about that.
//!
//! A socket is known by its file, wherever it was linked, mounted or moved to, and never by what
//! the program wrote: the files at the known paths are looked at anew for each call, and those
//! that were there before are remembered.

use hallpass_look as look;
use hallpass_policy::{Group, is_session_bus_path};
use hallpass_session::address::Socket;
use hallpass_session::engine::SocketRules;
use hallpass_session::escape::escape_bytes;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::collections::HashMap;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A file: device and inode.
type File = (u64, u64);

/// Files that are remembered; a broker has a new one each time it starts.
const MAX_SEEN: usize = 1024;
/// Characters of a path: no path is longer (PATH_MAX).
const MAX_PATH: usize = 4096;

/// See the module's text.
pub(super) struct Brokers {
    /// Files of brokers and of what a desktop needs, with the path that each was found at first.
    seen: Mutex<HashMap<File, String>>,
}

impl Default for Brokers {
    fn default() -> Self {
        let brokers = Self {
            seen: Mutex::default(),
        };
        // What a target may move away before it connects.
        for group in [Group::Broker, Group::Desktop] {
            for (path, file) in files(group, Path::new("/")) {
                brokers.remember(file, &path);
            }
        }
        brokers
    }
}

impl Brokers {
    /// The socket to be decided behind a resolved path, as the process `pid` would find it; none
    /// where it passes.
    pub(super) fn at_path(
        &self,
        path: &[u8],
        file: File,
        pid: u32,
        rules: &SocketRules,
    ) -> Option<Socket> {
        let own = escape_bytes(path, MAX_PATH);
        let mut known = Vec::new();
        let mut roots = vec![PathBuf::from("/")];
        let other = Root::of(pid);
        roots.extend(other.as_ref().map(Root::path));
        for root in &roots {
            for (path, found) in files(Group::Broker, root) {
                self.remember(found, &path);
                if found == file {
                    known.push(path);
                }
            }
            let named = rules.paths.iter().filter(|path| path.starts_with('/'));
            let named = named.filter(|path| file_at(&below(root, path)) == Some(file));
            known.extend(named.cloned());
            if rules.desktop || rules.session_bus {
                let desktop = files(Group::Desktop, root);
                known.extend(desktop.filter(|(_, it)| *it == file).map(|(path, _)| path));
            }
        }
        known.extend(self.remembered(file));
        decided(own, known, rules)
    }

    /// The same for an abstract name.
    pub(super) fn at_name(&self, name: &[u8], rules: &SocketRules) -> Option<Socket> {
        let own = format!("@{}", escape_bytes(name, MAX_PATH));
        decided(own, Vec::new(), rules)
    }

    fn remember(&self, file: File, path: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < MAX_SEEN {
            seen.entry(file).or_insert_with(|| path.to_owned());
        }
    }

    fn remembered(&self, file: File) -> Option<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&file).cloned()
    }
}

/// The socket by all its paths that matter. `known` are those that its file was found at, in the
/// session's root directory first; `own` is where the program found it, which it may have mounted
/// there, so that of a broker it comes after what is known.
fn decided(own: String, known: Vec<String>, rules: &SocketRules) -> Option<Socket> {
    let is_own = Group::Broker.has_socket(&own)
        || Group::Desktop.has_socket(&own)
        || rules.paths.contains(&own);
    let mut paths: Vec<String> = Vec::new();
    for path in known.into_iter().chain(is_own.then_some(own)) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    // Stable: brokers, then the session bus, then the others, each as they were found.
    paths.sort_by_key(|path| (!Group::Broker.has_socket(path), !is_session_bus_path(path)));
    let is_decided = |path: &String| {
        Group::Broker.has_socket(path)
            || rules.paths.contains(path)
            || (rules.desktop && Group::Desktop.has_socket(path))
            || (rules.session_bus && is_session_bus_path(path))
    };
    if !paths.iter().any(is_decided) {
        return None;
    }
    let mut paths = paths.into_iter();
    Some(Socket::new(paths.next()?, paths))
}

/// The files at the paths of a group's sockets, in a root directory.
fn files(group: Group, root: &Path) -> impl Iterator<Item = (String, File)> {
    let patterns = group.socket_paths().filter(|it| it.starts_with('/'));
    let paths = patterns.flat_map(|pattern| expand(root, pattern));
    paths.filter_map(|(path, full)| {
        let file = file_at(&full)?;
        Some((escape_bytes(path.as_bytes(), MAX_PATH), file))
    })
}

/// The paths of a pattern in which `*` stands for any run of characters but `/`: as it reads in
/// the root directory, and from outside of that.
fn expand(root: &Path, pattern: &str) -> Vec<(String, PathBuf)> {
    let mut found = vec![(String::new(), root.to_path_buf())];
    for segment in pattern.split('/').skip(1) {
        found = match segment.split_once('*') {
            None => {
                let down = |(path, full): (String, PathBuf)| {
                    (format!("{path}/{segment}"), full.join(segment))
                };
                found.into_iter().map(down).collect()
            }
            Some((front, back)) => {
                let down = |(path, full): (String, PathBuf)| {
                    let entries = fs::read_dir(full).into_iter().flatten().flatten();
                    let named = entries.filter_map(move |entry| {
                        let name = entry.file_name().into_string().ok()?;
                        let fits = name.len() > front.len() + back.len()
                            && name.starts_with(front)
                            && name.ends_with(back);
                        fits.then(|| (format!("{path}/{name}"), entry.path()))
                    });
                    named.collect::<Vec<_>>()
                };
                found.into_iter().flat_map(down).collect()
            }
        };
    }
    found
}

/// The root directory of a process, which may be another than ours. Once it is open, paths below it
/// are looked at with all rights of ours, whoever may look into the process.
struct Root(OwnedFd);

impl Root {
    /// None where it is ours, or cannot be had.
    fn of(pid: u32) -> Option<Self> {
        if has_our_root(pid) {
            return None;
        }
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let path = format!("/proc/{pid}/root");
        let root = look::into(pid, || open(path.as_str(), flags, Mode::empty()));
        root.ok().map(Self)
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

/// Whether the process finds the same files under the same paths as this one.
fn has_our_root(pid: u32) -> bool {
    let view = |process: &str| {
        let root = file_at(Path::new(&format!("/proc/{process}/root")))?;
        let mounts = fs::read_link(format!("/proc/{process}/ns/mnt")).ok()?;
        Some((root, mounts))
    };
    let theirs = look::into(pid, || view(&pid.to_string()));
    theirs.is_some() && theirs == view("self")
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn file_at(path: &Path) -> Option<File> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::UnixListener;

    fn paths(socket: Option<Socket>) -> Vec<String> {
        let socket = socket.into_iter();
        socket
            .flat_map(|it| {
                let others: Vec<String> = it.others().map(str::to_owned).collect();
                std::iter::once(it.path().to_owned()).chain(others)
            })
            .collect()
    }

    fn known(own: &str, known: &[&str], rules: &SocketRules) -> Vec<String> {
        let known = known.iter().map(|it| (*it).to_owned()).collect();
        paths(decided(own.to_owned(), known, rules))
    }

    #[test]
    fn a_broker_goes_by_its_own_path_first() {
        let rules = SocketRules {
            paths: vec!["/home/me/allowed".to_owned()],
            ..SocketRules::default()
        };
        let docker = "/run/docker.sock";
        assert_eq!(known("/home/me/x", &[docker], &rules), [docker]);
        let mounted = known("/home/me/allowed", &["/home/me/allowed", docker], &rules);
        assert_eq!(mounted, [docker, "/home/me/allowed"]);
        let in_other_root = known("/run/user/7/docker.sock", &[docker], &rules);
        assert_eq!(in_other_root, [docker, "/run/user/7/docker.sock"]);
        assert_eq!(known("/home/me/allowed", &[], &rules), ["/home/me/allowed"]);
        assert!(known("/home/me/x", &[], &rules).is_empty());
    }

    #[test]
    fn a_desktops_sockets_pass_where_no_rule_is_about_them() {
        let (x, bus) = ("/tmp/.X11-unix/X0", "/run/user/7/bus");
        let mut rules = SocketRules::default();
        assert!(known(x, &[], &rules).is_empty() && known(bus, &[], &rules).is_empty());
        rules.session_bus = true;
        assert!(known(x, &[], &rules).is_empty());
        assert_eq!(known(bus, &[], &rules), [bus]);
        rules.desktop = true;
        assert_eq!(known(x, &[], &rules), [x]);
        assert_eq!(known(x, &[bus], &rules), [bus, x]);
    }

    #[test]
    fn abstract_names_are_known_by_name() {
        let brokers = Brokers::default();
        let rules = SocketRules {
            paths: vec!["@mine".to_owned()],
            session_bus: true,
            ..SocketRules::default()
        };
        for (name, is_decided) in [("mine", true), ("/tmp/dbus-aB3", true), ("other", false)] {
            let socket = brokers.at_name(name.as_bytes(), &rules);
            assert_eq!(socket.is_some(), is_decided, "{name}");
        }
    }

    #[test]
    fn a_rules_socket_is_known_by_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let (named, linked) = (dir.path().join("named"), dir.path().join("linked"));
        let _listener = UnixListener::bind(&named).unwrap();
        std::fs::hard_link(&named, &linked).unwrap();
        let rules = SocketRules {
            paths: vec![named.to_str().unwrap().to_owned()],
            ..SocketRules::default()
        };
        let at = |path: &Path, rules| {
            let file = file_at(path).unwrap();
            let path = path.as_os_str().as_bytes();
            Brokers::default().at_path(path, file, std::process::id(), rules)
        };
        assert_eq!(paths(at(&linked, &rules)), rules.paths);
        assert!(at(&linked, &SocketRules::default()).is_none());
    }

    #[test]
    fn patterns_are_looked_up_below_a_root() {
        let root = tempfile::tempdir().unwrap();
        for path in ["run/user/7", "run/user/8"] {
            std::fs::create_dir_all(root.path().join(path)).unwrap();
        }
        std::fs::write(root.path().join("run/user/8/wayland-1"), "").unwrap();
        let found = expand(root.path(), "/run/user/*/wayland-*");
        let full = root.path().join("run/user/8/wayland-1");
        assert_eq!(found, [("/run/user/8/wayland-1".to_owned(), full)]);
    }
}
