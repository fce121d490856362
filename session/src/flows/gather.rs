//! All live connections of a session's processes, in one picture.

use super::descriptors;
use super::socket::{Socket, Stage};
use super::{netlink, proc_net, targets};
use crate::control::protocol::Direction;
use crate::identity::{is_alive, living_thread};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;

/// How many descriptors are looked at for one picture, in all: some hundred milliseconds' worth.
const MAX_DESCRIPTORS: usize = 400_000;
/// How many connections a picture has; it is for people, who read the first few.
const MAX_CONNECTIONS: usize = 20_000;
/// How many other network namespaces are looked into.
const MAX_NAMESPACES: usize = 32;

/// A process that has a socket open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: u32,
    /// The thread that shows what it has open ([`living_thread`]).
    pub(super) task: u32,
    pub(super) fd: i32,
}

/// A live connection.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) socket: Socket,
    pub(crate) direction: Direction,
    /// Each process once, lowest number first; never empty.
    pub(crate) owners: Vec<Owner>,
}

/// What was open at one time, or nearly so.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    /// By inode number: about the order in which they were made.
    pub(crate) found: Vec<Found>,
    /// What could not be seen, in words.
    pub(crate) missing: Vec<String>,
}

impl Picture {
    /// Takes the picture of the processes that descend from `session`.
    pub(crate) fn take(session: u32) -> Self {
        let mut picture = Self::default();
        let owners = picture.owners(session);
        if owners.is_empty() {
            return picture;
        }
        let sockets = picture.sockets(&owners);
        let listening = listening(&sockets);
        let live = sockets.into_iter().filter_map(|socket| {
            matches!(socket.stage, Stage::Live(_)).then(|| Found {
                direction: direction(&listening, socket.local),
                owners: owners.get(&socket.inode).cloned().unwrap_or_default(),
                socket,
            })
        });
        picture.found = live.filter(|found| !found.owners.is_empty()).collect();
        picture.found.sort_by_key(|found| found.socket.inode);
        if let Some(beyond) = picture.found.len().checked_sub(MAX_CONNECTIONS + 1) {
            picture.found.truncate(MAX_CONNECTIONS);
            picture
                .missing
                .push(format!("{} more connections", beyond + 1));
        }
        picture
    }

    /// Who has which socket.
    fn owners(&mut self, session: u32) -> HashMap<u64, Vec<Owner>> {
        let mut owners: HashMap<u64, Vec<Owner>> = HashMap::new();
        let mut budget = MAX_DESCRIPTORS;
        let (mut refused, mut unseen) = (Vec::new(), 0_usize);
        for pid in targets::of(session) {
            if budget == 0 {
                unseen += 1;
                continue;
            }
            let task = living_thread(pid);
            match descriptors::sockets(task, &mut budget) {
                Ok(sockets) => {
                    for it in sockets {
                        let of_this = owners.entry(it.inode).or_default();
                        // Two descriptors of one process are one owner.
                        if of_this.last().is_none_or(|last| last.pid != pid) {
                            let fd = it.fd;
                            of_this.push(Owner { pid, task, fd });
                        }
                    }
                }
                Err(Errno::ACCESS | Errno::PERM) if is_alive(pid) => refused.push(pid),
                // It has ended.
                Err(_) => {}
            }
        }
        if budget == 0 {
            self.missing.push(format!(
                "only the first {MAX_DESCRIPTORS} open files were looked at ({unseen} processes not at all)"
            ));
        }
        if let Some(first) = refused.first() {
            self.missing.push(format!(
                "connections of {} with other rights than hallpass (process {first}): \
                 the kernel does not let us look",
                crate::render::count(refused.len() as u64, "process", "processes")
            ));
        }
        owners
    }

    /// These sockets, as the kernel describes them: in our own network namespace with byte
    /// counts, elsewhere by the tables of a process that is there.
    fn sockets(&mut self, owners: &HashMap<u64, Vec<Owner>>) -> Vec<Socket> {
        let is_owned = |socket: &Socket| owners.contains_key(&socket.inode);
        let listing = netlink::sockets(is_owned);
        if listing.is_cut {
            self.missing
                .push("this machine has more sockets than are looked at".to_owned());
        }
        let mut sockets = listing.sockets;
        let mut seen: HashSet<u64> = sockets.iter().map(|socket| socket.inode).collect();
        if let Some(error) = listing.failed {
            self.missing.push(format!(
                "byte counts: the kernel's socket diagnostics cannot be used ({error})"
            ));
            let wanted = |socket: &Socket| is_owned(socket) && !seen.contains(&socket.inode);
            let more = proc_net::sockets(std::process::id(), wanted);
            seen.extend(more.iter().map(|socket| socket.inode));
            sockets.extend(more);
        }
        let tasks: BTreeSet<u32> = owners.values().flatten().map(|owner| owner.task).collect();
        let mut elsewhere = BTreeMap::new();
        let ours = namespace("self");
        for task in tasks {
            if let Some(there) = hallpass_look::into(task, || namespace(&task.to_string()))
                && Some(there) != ours
            {
                elsewhere.entry(there).or_insert(task);
            }
        }
        let mut uncounted = 0;
        for task in elsewhere.values().take(MAX_NAMESPACES) {
            let wanted = |socket: &Socket| is_owned(socket) && !seen.contains(&socket.inode);
            let more = proc_net::sockets(*task, wanted);
            uncounted += more.len();
            seen.extend(more.iter().map(|socket| socket.inode));
            sockets.extend(more);
        }
        if uncounted > 0 {
            self.missing.push(
                "byte counts of what is in another network namespace: the kernel shows them only there"
                    .to_owned(),
            );
        }
        sockets
    }
}

/// The number of a process's network namespace.
/// Whether a process of the session listens for TCP connections to `at`. False also where the
/// kernel does not let us look.
#[must_use]
pub fn has_listener(session: u32, at: SocketAddr) -> bool {
    let mut picture = Picture::default();
    let owners = picture.owners(session);
    if owners.is_empty() {
        return false;
    }
    is_at(&listening(&picture.sockets(&owners)), at)
}

fn namespace(pid: &str) -> Option<u64> {
    fs::metadata(format!("/proc/{pid}/ns/net"))
        .ok()
        .map(|there| there.ino())
}

fn listening(sockets: &[Socket]) -> HashSet<SocketAddr> {
    let listening = sockets
        .iter()
        .filter(|socket| socket.stage == Stage::Listening);
    listening.map(|socket| socket.local).collect()
}

/// The kernel does not say who began a connection. One whose local port is listened on was
/// accepted there.
fn direction(listening: &HashSet<SocketAddr>, local: SocketAddr) -> Direction {
    if is_at(listening, local) {
        Direction::In
    } else {
        Direction::Out
    }
}

/// Whether one of them is for this address, or for any.
fn is_at(listening: &HashSet<SocketAddr>, local: SocketAddr) -> bool {
    let any = |address: &str| {
        address
            .parse()
            .is_ok_and(|any| listening.contains(&SocketAddr::new(any, local.port())))
    };
    listening.contains(&local) || any("0.0.0.0") || any("::")
}

#[cfg(test)]
mod tests {
    use super::{Direction, direction};
    use std::net::SocketAddr;

    #[test]
    fn what_came_to_a_port_that_is_listened_on_came_in() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let listening = ["0.0.0.0:80", "[::]:81", "127.0.0.1:82"].map(at).into();
        for local in ["10.0.0.1:80", "10.0.0.1:81", "[fd00::1]:81", "127.0.0.1:82"] {
            assert_eq!(direction(&listening, at(local)), Direction::In, "{local}");
        }
        for local in ["10.0.0.1:82", "10.0.0.1:40000"] {
            assert_eq!(direction(&listening, at(local)), Direction::Out, "{local}");
        }
    }
}
