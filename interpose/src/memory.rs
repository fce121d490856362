//! Copies of what a program's pointers point to. A bad pointer gives EFAULT, as from the kernel,
//! and never SIGSEGV.

use crate::sys::{self, Errno};
use core::mem::size_of;

/// Fills `into` from the program's memory at `from`.
///
/// # Errors
/// EFAULT where the memory cannot be read.
pub(crate) fn copy(from: *const u8, into: &mut [u8]) -> Result<(), Errno> {
    if into.is_empty() {
        return Ok(());
    }
    readable(from as usize, into.len())?;
    // SAFETY: the bytes were readable a moment ago; a program that unmaps them under its own call
    // loses nothing that it would not have lost anyway. `into` is ours and does not overlap.
    unsafe { core::ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) };
    Ok(())
}

/// A copy of one C struct of the program. Only for types for which every pattern of bits is a
/// value: integers and raw pointers.
///
/// # Errors
/// EFAULT where the memory cannot be read.
pub(crate) fn copy_struct<T: Copy>(from: *const T) -> Result<T, Errno> {
    readable(from as usize, size_of::<T>())?;
    // SAFETY: readable, as in `copy`; programs need not align what the kernel does not want aligned.
    Ok(unsafe { from.read_unaligned() })
}

/// Looks at one word of each page. A word aligned to its size lies in one page, so it is readable
/// exactly when the bytes of it that we want are.
fn readable(from: usize, len: usize) -> Result<(), Errno> {
    const WORD: usize = 7;
    const PAGE: usize = 4096;
    let last = from
        .checked_add(len)
        .and_then(|end| end.checked_sub(1))
        .ok_or(libc::EFAULT)?;
    let mut at = from;
    loop {
        if !sys::is_readable(at & !WORD) {
            return Err(libc::EFAULT);
        }
        // The next page's first byte, if the range reaches it.
        at = match (at | (PAGE - 1)).checked_add(1) {
            Some(next) if next <= last => next,
            _ => return Ok(()),
        };
    }
}

/// Writes a number into the program's memory.
///
/// # Errors
/// EFAULT where the memory cannot be written to.
pub(crate) fn put_u32(to: *mut u32, value: u32) -> Result<(), Errno> {
    if !sys::is_writable(to as usize) {
        return Err(libc::EFAULT);
    }
    // SAFETY: writable a moment ago, see `copy`.
    unsafe { to.write_unaligned(value) };
    Ok(())
}
