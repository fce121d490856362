//! Copies of what a program's pointers point to. A bad pointer gives EFAULT, as from the kernel,
//! and not SIGSEGV; except under valgrind, which tells of it, and where a seccomp filter of the
//! program's own does not let the looks through.

use crate::filters::{self, Work};
use crate::sys::{self, Errno};
use core::mem::size_of;

/// A copy of one C struct of the program. Only for types for which every pattern of bits is a
/// value: integers and raw pointers.
///
/// # Errors
/// EFAULT where the memory cannot be read.
pub(crate) fn copy_struct<T: Copy>(from: *const T) -> Result<T, Errno> {
    Reader::beside_the_stack().copy(from)
}

/// Reads memory of the program; looks once at each page that it comes to, as long as there are few.
pub(crate) struct Reader {
    /// The pages that were found readable last: a list of strings and its strings lie in several,
    /// and each look is a system call.
    pages: [usize; PAGES],
    /// Counts the pages looked at; the oldest makes room.
    looks: usize,
    /// A page of our own stack, which can be written to as well.
    own: usize,
}

const PAGE: usize = 4096;
/// Of an environment and the strings in it, with one or two that setenv(3) has made.
const PAGES: usize = 4;
/// No page has this address.
const NO_PAGE: usize = 1;

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            pages: [NO_PAGE; PAGES],
            looks: 0,
            own: NO_PAGE,
        }
    }

    /// For what callers mostly have on their stack, in the page that this runs on: there it need
    /// not look.
    pub(crate) fn beside_the_stack() -> Self {
        let here = 0_u8;
        Self {
            own: &raw const here as usize & !(PAGE - 1),
            ..Self::new()
        }
    }

    /// A copy of one C struct, as [`copy_struct`] makes it.
    ///
    /// # Errors
    /// EFAULT where the memory cannot be read.
    pub(crate) fn copy<T: Copy>(&mut self, from: *const T) -> Result<T, Errno> {
        self.look(from as usize, size_of::<T>())?;
        // SAFETY: readable, as above; programs need not align what the kernel does not want aligned.
        Ok(unsafe { from.read_unaligned() })
    }

    /// Fills `into` from the program's memory at `from`.
    ///
    /// # Errors
    /// EFAULT where the memory cannot be read.
    pub(crate) fn copy_bytes(&mut self, from: *const u8, into: &mut [u8]) -> Result<(), Errno> {
        self.look(from as usize, into.len())?;
        // SAFETY: the bytes were readable a moment ago; a program that unmaps them under its own
        // call loses nothing that it would not have lost anyway. `into` is ours and does not
        // overlap.
        unsafe { core::ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) };
        Ok(())
    }

    /// Writes a number into the program's memory, as [`put_u32`] does.
    ///
    /// # Errors
    /// EFAULT where the memory cannot be written to.
    pub(crate) fn put_u32(&mut self, to: *mut u32, value: u32) -> Result<(), Errno> {
        let last = (to as usize).saturating_add(size_of::<u32>() - 1);
        if to as usize & !(PAGE - 1) == self.own && last & !(PAGE - 1) == self.own {
            // SAFETY: in a page of our own stack.
            unsafe { to.write_unaligned(value) };
            return Ok(());
        }
        put_u32(to, value)
    }

    /// Looks at one word of each page that has some of the `len` bytes at `at`.
    fn look(&mut self, at: usize, len: usize) -> Result<(), Errno> {
        let Some(more) = len.checked_sub(1) else {
            return Ok(());
        };
        let last = at.checked_add(more).ok_or(libc::EFAULT)? & !(PAGE - 1);
        let mut page = at & !(PAGE - 1);
        loop {
            if page != self.own && !self.pages.contains(&page) {
                if !filters::forbid(Work::LookAtMemory) && !sys::is_readable(page) {
                    return Err(libc::EFAULT);
                }
                if let Some(oldest) = self.pages.get_mut(self.looks % PAGES) {
                    *oldest = page;
                }
                self.looks = self.looks.wrapping_add(1);
            }
            if page == last {
                return Ok(());
            }
            page = page.wrapping_add(PAGE);
        }
    }
}

/// Writes a number into the program's memory.
///
/// # Errors
/// EFAULT where the memory cannot be written to.
pub(crate) fn put_u32(to: *mut u32, value: u32) -> Result<(), Errno> {
    if !filters::forbid(Work::LookAtMemory) && !sys::is_writable(to as usize) {
        return Err(libc::EFAULT);
    }
    // SAFETY: writable a moment ago, see [`Reader::copy_bytes`].
    unsafe { to.write_unaligned(value) };
    Ok(())
}
