//! A target's memory, read and written from outside.

use super::errno;
use hallpass_look as look;
use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;

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

#[cfg(test)]
mod tests {
    use super::{Memory, Piece};
    use nix::errno::Errno;

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
}
