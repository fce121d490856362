//! The calling thread: its memory, its descriptors, what signals wait for it.

use crate::copies::Copies;
use crate::decide::Caller;
use crate::sys::process;
use hallpass_look as look;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

/// A thread that has made a call. Whatever is read here belongs to it only if the call turns out
/// to wait still *after* the reading ([`crate::listener::Listener::is_waiting`]).
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) caller: Caller,
    handle: OwnedFd,
    copies: Option<Arc<Copies>>,
}

/// Threads met lately. A handle stays the handle of one thread, even after its number belongs to
/// another; a dead one says ESRCH.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    known: Mutex<HashMap<u32, Arc<Target>>>,
    /// Where nothing can be duplicated.
    copies: Option<Arc<Copies>>,
}

/// Handles that are kept; a program with more threads pays for opening them again.
const KNOWN_MAX: usize = 256;

impl Targets {
    pub(crate) fn new(copies: Option<Arc<Copies>>) -> Self {
        Self {
            known: Mutex::default(),
            copies,
        }
    }

    /// The thread.
    pub(crate) fn get(&self, tid: u32) -> Result<Arc<Target>, Errno> {
        let known = self.lock().get(&tid).map(Arc::clone);
        match known {
            Some(target) if !target.has_ended() => Ok(target),
            _ => self.open(tid),
        }
    }

    /// The thread, and our own duplicate of its descriptor `fd`.
    pub(crate) fn descriptor(&self, tid: u32, fd: i32) -> Result<(Arc<Target>, OwnedFd), Errno> {
        let known = self.lock().get(&tid).map(Arc::clone);
        if let Some(target) = known {
            match process::get_descriptor(target.handle.as_fd(), fd) {
                Err(Errno::ESRCH) => {}
                result => return result.map(|own| (target, own)),
            }
        }
        let target = self.open(tid)?;
        let own = process::get_descriptor(target.handle.as_fd(), fd)?;
        Ok((target, own))
    }

    /// The thread, newly looked at.
    pub(crate) fn open(&self, tid: u32) -> Result<Arc<Target>, Errno> {
        let target = Arc::new(Target::open(tid, self.copies.clone())?);
        let mut known = self.lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(tid, Arc::clone(&target));
        Ok(target)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Arc<Target>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    fn open(tid: u32, copies: Option<Arc<Copies>>) -> Result<Self, Errno> {
        let leads = match process::open_process(tid) {
            Ok(handle) => Some(handle),
            Err(Errno::EINVAL | Errno::ENOENT) => None,
            Err(errno) => return Err(errno),
        };
        let pid = if leads.is_some() {
            tid
        } else {
            Status::read(tid)?.pid
        };
        let handle = match process::open_thread(tid) {
            Ok(handle) => handle,
            // Before Linux 6.9: the table of the process, which is the thread's own but where it
            // has unshared it. Then the call is decided and made on another socket of the program.
            Err(Errno::EINVAL) => match leads {
                Some(handle) => handle,
                None => process::open_process(pid)?,
            },
            Err(errno) => return Err(errno),
        };
        Ok(Self {
            caller: Caller { pid, tid },
            handle,
            copies,
        })
    }

    /// Whether the thread is gone, whoever has its number by now.
    pub(crate) fn has_ended(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut fds = [PollFd::new(self.handle.as_fd(), PollFlags::POLLIN)];
        // Readable, or worse, once it has ended (pidfd_open(2)).
        !matches!(poll(&mut fds, PollTimeout::ZERO), Ok(0))
    }

    /// Our own duplicate of another descriptor of it, to be sent on.
    pub(crate) fn descriptor(&self, fd: i32) -> Result<OwnedFd, Errno> {
        match &self.copies {
            None => process::get_descriptor(self.handle.as_fd(), fd),
            Some(copies) => copies.pass(self.caller.tid, fd),
        }
    }

    /// The file that a descriptor of it is open on, to look something up from.
    pub(crate) fn place(&self, fd: i32) -> Result<OwnedFd, Errno> {
        if self.copies.is_none() {
            return process::get_descriptor(self.handle.as_fd(), fd);
        }
        let path = format!("/proc/{}/fd/{fd}", self.caller.tid);
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        look::into(self.caller.tid, || {
            open(path.as_str(), flags, Mode::empty())
        })
    }
}

/// Memory of the thread `tid`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    tid: u32,
}

/// A piece of a target's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) address: u64,
    pub(crate) length: usize,
}

impl Piece {
    /// As long as the kernel sends at once.
    pub(crate) fn of(address: u64, length: u64) -> Self {
        /// MAX_RW_COUNT
        const MAX: usize = 0x7fff_f000;
        let length = usize::try_from(length).unwrap_or(MAX).min(MAX);
        Self { address, length }
    }

    fn remote(&self) -> RemoteIoVec {
        RemoteIoVec {
            base: self.address as usize,
            len: self.length,
        }
    }
}

impl Memory {
    pub(crate) fn of(tid: u32) -> Self {
        Self { tid }
    }

    /// Fills `buffer` from `address`; EFAULT where not all of it can be read.
    pub(crate) fn read(self, address: u64, buffer: &mut [u8]) -> Result<(), Errno> {
        let length = buffer.len();
        if length == 0 {
            return Ok(());
        }
        let pieces = [Piece { address, length }];
        if self.gather(&pieces, buffer)? == length {
            Ok(())
        } else {
            Err(Errno::EFAULT)
        }
    }

    /// Reads `pieces` one after the other into `buffer`, which is as long as all of them; returns
    /// how much could be read before a fault. EFAULT where that is nothing.
    pub(crate) fn gather(self, pieces: &[Piece], buffer: &mut [u8]) -> Result<usize, Errno> {
        let read = |remote: &[RemoteIoVec], buffer: &mut [u8]| {
            process_vm_readv(self.pid(), &mut [IoSliceMut::new(buffer)], remote)
        };
        let result = match pieces {
            [piece] => read(&[piece.remote()], buffer),
            _ => {
                let remote: Vec<RemoteIoVec> = pieces.iter().map(|it| it.remote()).collect();
                read(&remote, buffer)
            }
        };
        match result {
            // Some containers' filters close it and leave /proc; and it is refused for processes
            // of other users that may be looked into there.
            Err(Errno::ENOSYS | Errno::EPERM) => self.gather_from_file(pieces, buffer),
            result => result,
        }
    }

    /// Fills `first` from its piece as [`Self::read`] does, and the front of `second` from its own
    /// where that can be read in one go: true where it could.
    pub(crate) fn read_two(
        self,
        first: (u64, &mut [u8]),
        second: Piece,
        into: &mut [u8],
    ) -> Result<bool, Errno> {
        let (address, first) = first;
        let length = first.len();
        let both = into.get_mut(..second.length).and_then(|into| {
            let remote = [Piece { address, length }.remote(), second.remote()];
            let mut local = [IoSliceMut::new(first), IoSliceMut::new(into)];
            process_vm_readv(self.pid(), &mut local, &remote).ok()
        });
        match both {
            Some(count) if count >= length => Ok(count == length + second.length),
            _ => self.read(address, first).map(|()| false),
        }
    }

    fn gather_from_file(self, pieces: &[Piece], buffer: &mut [u8]) -> Result<usize, Errno> {
        let file = self.file(File::options().read(true))?;
        let mut filled = 0;
        for piece in pieces {
            let Some(part) = buffer.get_mut(filled..filled + piece.length) else {
                return Err(Errno::EINVAL);
            };
            if file.read_exact_at(part, piece.address).is_err() {
                break;
            }
            filled += piece.length;
        }
        if filled == 0 && !buffer.is_empty() {
            return Err(Errno::EFAULT);
        }
        Ok(filled)
    }

    /// Writes to `address`.
    pub(crate) fn write(self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        let remote = [RemoteIoVec {
            base: address as usize,
            len: bytes.len(),
        }];
        match process_vm_writev(self.pid(), &[IoSlice::new(bytes)], &remote) {
            Ok(written) if written == bytes.len() => Ok(()),
            Ok(_) => Err(Errno::EFAULT),
            Err(Errno::ENOSYS | Errno::EPERM) => {
                let file = self.file(File::options().write(true))?;
                file.write_all_at(bytes, address).map_err(|_| Errno::EFAULT)
            }
            Err(errno) => Err(errno),
        }
    }

    /// It stays the memory that it was opened on, whoever is `tid` by then.
    fn file(self, options: &std::fs::OpenOptions) -> Result<File, Errno> {
        let path = format!("/proc/{}/mem", self.tid);
        look::into(self.tid, || options.open(path)).map_err(errno)
    }

    fn pid(self) -> Pid {
        Pid::from_raw(self.tid.cast_signed())
    }
}

/// What `/proc/TID/status` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// The process of the thread.
    pub(crate) pid: u32,
    /// It is the first thread of its process.
    pub(crate) is_leader: bool,
    pub(crate) threads: u32,
    /// Its letter: S, T, …
    pub(crate) state: char,
    /// Signals that wait for the thread, and for its process.
    pub(crate) pending: u64,
    pub(crate) pending_for_process: u64,
    pub(crate) blocked: u64,
    pub(crate) ignored: u64,
    pub(crate) caught: u64,
}

impl Status {
    pub(crate) fn read(tid: u32) -> Result<Self, Errno> {
        let text = status_of(&tid.to_string()).map_err(errno)?;
        let status = Self::parse(&text);
        Ok(Self {
            is_leader: status.pid == tid,
            ..status
        })
    }

    fn parse(text: &str) -> Self {
        let mut status = Self::default();
        let hex = |value: &str| u64::from_str_radix(value, 16).unwrap_or(0);
        // The program's name comes first and is its own word, but escapes line ends.
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match key {
                "State" => status.state = value.chars().next().unwrap_or('?'),
                "Tgid" => status.pid = value.parse().unwrap_or(0),
                "Threads" => status.threads = value.parse().unwrap_or(0),
                "SigPnd" => status.pending = hex(value),
                "ShdPnd" => status.pending_for_process = hex(value),
                "SigBlk" => status.blocked = hex(value),
                "SigIgn" => status.ignored = hex(value),
                "SigCgt" => status.caught = hex(value),
                _ => {}
            }
        }
        status
    }
}

/// `/proc/TASK/status`, whole: what stands behind the groups counts, and there may be 65,536.
pub(crate) fn status_of(task: &str) -> std::io::Result<String> {
    const MAX: u64 = 1024 * 1024;
    // Room for what is usual.
    let mut text = Vec::with_capacity(4096);
    let file = File::open(format!("/proc/{task}/status"))?;
    file.take(MAX).read_to_end(&mut text)?;
    // Only the program's name may be no UTF-8.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

pub(crate) fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::{Memory, Piece, Status, Targets};
    use nix::errno::Errno;
    use std::os::fd::AsRawFd;

    #[test]
    fn memory_is_read_and_written() {
        let mut word = *b"hallpass";
        let me = Memory::of(std::process::id());
        let address = word.as_ptr() as u64;
        let mut copy = [0; 8];
        me.read(address, &mut copy).unwrap();
        assert_eq!(&copy, b"hallpass");
        me.write(address, b"HALL").unwrap();
        assert_eq!(std::hint::black_box(&mut word), b"HALLpass");
        assert_eq!(me.read(8, &mut copy), Err(Errno::EFAULT));
        let pieces =
            [(address + 4, 4), (address, 2)].map(|(address, length)| Piece { address, length });
        let mut both = [0; 6];
        assert_eq!(me.gather(&pieces, &mut both), Ok(6));
        assert_eq!(&both, b"passHA");
        assert_eq!(me.gather_from_file(&pieces, &mut both), Ok(6));
        assert_eq!(&both, b"passHA");
    }

    #[test]
    fn descriptors_are_duplicated_and_misses_are_errors() {
        let targets = Targets::default();
        let (file, tid) = (tempfile::tempfile().unwrap(), std::process::id());
        for _ in 0..2 {
            let (target, own) = targets.descriptor(tid, file.as_raw_fd()).unwrap();
            assert_eq!(target.caller.pid, tid);
            assert_ne!(own.as_raw_fd(), file.as_raw_fd());
        }
        let bad = targets.descriptor(tid, 9999).map(drop);
        assert_eq!(bad, Err(Errno::EBADF));
    }

    #[test]
    fn a_status_is_read() {
        let status = Status::parse(
            "Name:\ta\\nTgid:\nState:\tS (sleeping)\nTgid:\t7\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n\
             Threads:\t3\nSigPnd:\t0000000000000400\nShdPnd:\t0000000000002000\nSigBlk:\t1\n\
             SigIgn:\t2\nSigCgt:\t4\n",
        );
        assert_eq!((status.pid, status.threads, status.state), (7, 3, 'S'));
        assert_eq!(
            (status.pending, status.pending_for_process),
            (0x400, 0x2000)
        );
        assert_eq!((status.blocked, status.ignored, status.caught), (1, 2, 4));
        assert_eq!(
            Status::read(std::process::id()).unwrap().pid,
            std::process::id()
        );
    }

    /// The signals stand behind the groups.
    #[test]
    fn a_status_with_many_groups_is_read_to_its_end() {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: only root sets groups");
            return;
        }
        let groups: Vec<String> = (10_000..12_000).map(|group| group.to_string()).collect();
        let mut child = std::process::Command::new("setpriv")
            .args(["--groups", &groups.join(","), "sleep", "60"])
            .spawn()
            .unwrap();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let text = loop {
            let text = super::status_of(&child.id().to_string()).unwrap();
            if text.contains(" 11999") || std::time::Instant::now() > end {
                break text;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        let status = Status::read(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(text.len() > 10_000, "{text}");
        assert!(text.contains("\nSigCgt:"), "{text}");
        assert_eq!(status.threads, 1);
    }
}
