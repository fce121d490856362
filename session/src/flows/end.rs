//! Ends a connection from outside the program that has it.
//!
//! The socket is duplicated into the session (pidfd_getfd(2)); what is done to the duplicate is
//! done to the socket, whoever shares it. Nothing is closed in the program, and no signal is
//! sent: it meets the end where it next reads or writes.

use super::gather::{Found, Owner};
use super::socket::Socket;
use rustix::fs::{FileType, OFlags, fstat};
use rustix::io::Errno;
use rustix::net::sockopt::socket_cookie;
use rustix::net::{Shutdown, connect_unspec, shutdown};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use std::os::fd::OwnedFd;

/// Our own descriptor of a program's socket.
pub(crate) struct Duplicate(OwnedFd);

impl Duplicate {
    /// Duplicates the socket from one of the processes that have it, and makes sure that it is
    /// the one that was meant: a descriptor's number may mean another socket by now.
    ///
    /// # Errors
    /// It is gone, or may not be duplicated; in words for a person.
    pub(crate) fn of(found: &Found) -> Result<Self, String> {
        let mut refused = None;
        for owner in &found.owners {
            match duplicate(*owner) {
                Ok(fd) if is(&fd, &found.socket) => return Ok(Self(fd)),
                // Closed, or gone, in this process.
                Ok(_) | Err(Errno::BADF | Errno::SRCH | Errno::INVAL) => {}
                Err(errno) => refused = Some((owner.pid, errno)),
            }
        }
        Err(refused.map_or_else(
            || "it has just been closed".to_owned(),
            |(pid, errno)| why_refused(pid, errno),
        ))
    }

    /// Ends it in both directions: the program reads end of file and writes EPIPE; the other
    /// end reads end of file.
    ///
    /// # Errors
    /// It is no longer connected; in words for a person.
    pub(crate) fn shut_down(&self) -> Result<(), String> {
        shutdown(&self.0, Shutdown::Both).map_err(|errno| match errno {
            Errno::NOTCONN => "it is not connected any more".to_owned(),
            errno => format!("it cannot be shut down: {errno}"),
        })
    }

    /// Breaks it off: the other end reads ECONNRESET, and so does the program; one that waits in
    /// a read just now gets EPIPE (since Linux 6.7, `sk_disconnects` in net/core/stream.c).
    ///
    /// # Errors
    /// The kernel refuses; in words for a person.
    pub(crate) fn reset(&self) -> Result<(), String> {
        let result = connect_unspec(&self.0).or_else(|errno| {
            // Some kernels (6.1 to 6.6) do not disconnect under a waiting reader.
            if errno == Errno::BUSY {
                shutdown(&self.0, Shutdown::Both)?;
                connect_unspec(&self.0)
            } else {
                Err(errno)
            }
        });
        result.map_err(|errno| format!("it cannot be reset: {errno}"))
    }
}

fn duplicate(owner: Owner) -> Result<OwnedFd, Errno> {
    /// PIDFD_THREAD (pidfd_open(2), Linux 6.9), the same number as O_EXCL.
    const THREAD: PidfdFlags = PidfdFlags::from_bits_retain(OFlags::EXCL.bits());
    let task = i32::try_from(owner.task).ok().and_then(Pid::from_raw);
    let flags = match owner.task == owner.pid {
        true => PidfdFlags::empty(),
        false => THREAD,
    };
    let process = pidfd_open(task.ok_or(Errno::SRCH)?, flags)?;
    pidfd_getfd(&process, owner.fd, PidfdGetfdFlags::empty())
}

fn is(fd: &OwnedFd, socket: &Socket) -> bool {
    let Ok(stat) = fstat(fd) else {
        return false;
    };
    FileType::from_raw_mode(stat.st_mode) == FileType::Socket
        && stat.st_ino == socket.inode
        && socket
            .cookie
            .is_none_or(|cookie| socket_cookie(fd) == Ok(cookie))
}

fn why_refused(pid: u32, errno: Errno) -> String {
    match errno {
        Errno::PERM | Errno::ACCESS => format!(
            "the kernel does not let hallpass take hold of a socket of process {pid} (pidfd_getfd: {errno}): \
             it runs with other rights than hallpass, or a container's seccomp profile or \
             kernel.yama.ptrace_scope forbids it. Run hallpass as that user or as root, or in a container with \
             `--cap-add SYS_PTRACE`; or end the program with `kill {pid}`"
        ),
        Errno::NOSYS => format!(
            "this kernel cannot hand over a socket (pidfd_getfd is in Linux 5.6 and later); \
             end the program with `kill {pid}`"
        ),
        errno => format!("the socket of process {pid} cannot be duplicated: {errno}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::{Direction, State};
    use crate::flows::socket::Stage;
    use hallpass_policy::Protocol;
    use std::io::{ErrorKind, Read};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (here, listener.accept().unwrap().0)
    }

    /// This process has it open itself.
    fn found(stream: &TcpStream) -> Found {
        let path = format!("/proc/self/fd/{}", stream.as_raw_fd());
        Found {
            socket: Socket {
                protocol: Protocol::Tcp,
                local: stream.local_addr().unwrap(),
                remote: stream.peer_addr().unwrap(),
                stage: Stage::Live(State::Established),
                inode: std::fs::metadata(path).unwrap().ino(),
                cookie: Some(socket_cookie(stream).unwrap()),
                sent: None,
                received: None,
            },
            direction: Direction::Out,
            owners: vec![Owner {
                pid: std::process::id(),
                task: std::process::id(),
                fd: stream.as_raw_fd(),
            }],
        }
    }

    #[test]
    fn both_ends_read_the_end() {
        let (mut here, mut there) = pair();
        let duplicate = Duplicate::of(&found(&here)).unwrap();
        duplicate.shut_down().unwrap();
        assert_eq!(here.read(&mut [0]).unwrap(), 0);
        assert_eq!(there.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_reset_is_read_by_both() {
        let (mut here, mut there) = pair();
        let duplicate = Duplicate::of(&found(&here)).unwrap();
        duplicate.reset().unwrap();
        for end in [&mut here, &mut there] {
            let error = end.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    }

    #[test]
    fn another_socket_under_the_same_number_is_left_alone() {
        let (here, _there) = pair();
        let (other, _its_end) = pair();
        let mut meant = found(&here);
        meant.owners[0].fd = other.as_raw_fd();
        let error = Duplicate::of(&meant).err().unwrap();
        assert!(error.contains("closed"), "{error}");
        // The same inode number, but a socket of later.
        let mut meant = found(&here);
        meant.socket.cookie = Some(u64::MAX);
        assert!(Duplicate::of(&meant).is_err());
    }

    #[test]
    fn what_helps_is_said() {
        let said = why_refused(7, Errno::PERM);
        assert!(
            said.contains("kill 7") && said.contains("SYS_PTRACE"),
            "{said}"
        );
    }
}
