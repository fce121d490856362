//! Memory: what of it a program may read and write, and mappings of our own.

use super::new_fd;
use super::raw::{is_under_valgrind, syscall};
use core::ffi::c_int;
use core::mem::size_of;
use hallpass_wire::{PAGE_LEN, Page};

/// Whether the eight bytes at a multiple of eight can be read.
///
/// rt_sigprocmask copies the set before it looks at `how`: EFAULT if it cannot, else EINVAL for a
/// `how` that does not exist. A null set is none at all, so the word beside it stands for it.
///
/// Valgrind would report the call as the program's mistake, and reports a bad address by itself.
#[inline(never)]
pub(crate) fn is_readable(word: usize) -> bool {
    if is_under_valgrind() {
        return true;
    }
    let word = if word == 0 { size_of::<u64>() } else { word };
    let args = [usize::MAX, word, 0, size_of::<u64>(), 0, 0];
    // SAFETY: the kernel checks the address, and changes nothing for an unknown `how`.
    let probed = unsafe { syscall(libc::SYS_rt_sigprocmask, args) };
    probed != Err(libc::EFAULT)
}

/// FUTEX_WAKE_OP, for this process alone.
pub(crate) const WAKE_OP: usize = 5 | 128;

/// Whether the aligned four bytes at `word` can be written to, by adding nothing to them.
/// Valgrind as above.
pub(crate) fn is_writable(word: usize) -> bool {
    if is_under_valgrind() {
        return true;
    }
    const ADD_NOTHING: usize = 1 << 28;
    let args = [word, WAKE_OP, 0, 0, word, ADD_NOTHING];
    // SAFETY: the kernel checks the address, adds 0 to it atomically and wakes nobody.
    let probed = unsafe { syscall(libc::SYS_futex, args) };
    probed != Err(libc::EFAULT)
}

/// Room for the longest path that is opened here, its zero included.
pub(crate) const PATH_LEN: usize = hallpass_wire::MAX_DIR + 8;

/// Maps the session's shared page, for good. None where there is none, or not one of full length:
/// a shorter file would be SIGBUS in the program.
pub(crate) fn map_page(path: &[u8; PATH_LEN]) -> Option<*mut Page> {
    let flags = libc::O_RDWR | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    let at = path.as_ptr() as usize;
    let fd = new_fd(
        libc::SYS_openat,
        [libc::AT_FDCWD as usize, at, flags as usize, 0, 0, 0],
    )
    .ok()?;
    let args = [fd.0 as usize, 0, libc::SEEK_END as usize, 0, 0, 0];
    // SAFETY: no pointers.
    if unsafe { syscall(libc::SYS_lseek, args) } != Ok(PAGE_LEN) {
        return None;
    }
    map(PAGE_LEN, libc::MAP_SHARED, fd.0).map(|at| at as *mut Page)
}

/// A zeroed private mapping that is zeroed again in a child made by fork(2).
pub(crate) fn private_page(len: usize) -> Option<*mut u8> {
    let at = map(len, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)?;
    // SAFETY: the mapping is ours and new.
    let wiped = unsafe {
        syscall(
            libc::SYS_madvise,
            [at, len, libc::MADV_WIPEONFORK as usize, 0, 0, 0],
        )
    };
    wiped.ok().map(|_| at as *mut u8)
}

fn map(len: usize, flags: c_int, fd: c_int) -> Option<usize> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let args = [0, len, protection, flags as usize, fd as usize, 0];
    // SAFETY: a new mapping at an address of the kernel's choice.
    unsafe { syscall(libc::SYS_mmap, args) }.ok()
}

/// Zeroed private memory of its own, unmapped when it goes out of scope.
pub(crate) struct Mapping {
    at: usize,
    words: usize,
}

impl Mapping {
    pub(crate) fn new(words: usize) -> Option<Self> {
        let len = words.checked_mul(size_of::<usize>())?;
        let at = map(len, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)?;
        Some(Self { at, words })
    }

    pub(crate) fn words(&mut self) -> &mut [usize] {
        // SAFETY: our own mapping of that many words, lent for as long as `self` is.
        unsafe { core::slice::from_raw_parts_mut(self.at as *mut usize, self.words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let len = self.words.saturating_mul(size_of::<usize>());
        // SAFETY: our own mapping, of which nothing is lent any more.
        let _ = unsafe { syscall(libc::SYS_munmap, [self.at, len, 0, 0, 0, 0]) };
    }
}
