//! Memory for as long as one call takes, without an allocator: from the stack while it is little,
//! as glibc does for execl and execvp, else a mapping.
//!
//! Not a buffer kept for later: a vfork child shares its parent's memory and does not come back to
//! give it up.

use crate::sys::{self, Errno};
use core::ffi::c_int;
use core::mem::size_of_val;

/// Lends `work` at least `words` zeroed words. Sizes grow in steps, so that little is asked of a
/// small stack.
///
/// # Errors
/// ENOMEM where there is no memory, else what `work` returns.
pub(crate) fn lend(words: usize, work: Work<'_>) -> Result<c_int, Errno> {
    match words {
        0..=128 => on_stack::<128>(work),
        129..=1024 => on_stack::<1024>(work),
        _ => mapped(words, work),
    }
}

/// What is done with the memory.
pub(crate) type Work<'a> = &'a mut dyn FnMut(&mut [usize]) -> Result<c_int, Errno>;

#[inline(never)]
fn on_stack<const WORDS: usize>(work: Work<'_>) -> Result<c_int, Errno> {
    work(&mut [0; WORDS])
}

/// A vfork child that does not come back leaves this one to its parent: environments of a thousand
/// entries that lack ours are rare enough. On the stack they might not fit: it may be of 16 KiB.
#[inline(never)]
fn mapped(words: usize, work: Work<'_>) -> Result<c_int, Errno> {
    let mut mapping = sys::Mapping::new(words).ok_or(libc::ENOMEM)?;
    work(mapping.words())
}

/// Writes strings one after the other into lent memory.
pub(crate) struct Text<'a> {
    bytes: &'a mut [u8],
    used: usize,
    is_full: bool,
}

impl<'a> Text<'a> {
    pub(crate) fn new(memory: &'a mut [usize]) -> Self {
        let len = size_of_val(memory);
        // SAFETY: the same memory, as bytes; every pattern of bits is a value of both.
        let bytes = unsafe { core::slice::from_raw_parts_mut(memory.as_mut_ptr().cast(), len) };
        Self {
            bytes,
            used: 0,
            is_full: false,
        }
    }

    /// Where the next string begins.
    pub(crate) fn begin(&self) -> usize {
        (self.bytes.as_ptr() as usize).wrapping_add(self.used)
    }

    pub(crate) fn add(&mut self, text: &[u8]) {
        let end = self.used.saturating_add(text.len());
        match self.bytes.get_mut(self.used..end) {
            Some(to) => {
                for (to, from) in to.iter_mut().zip(text) {
                    *to = *from;
                }
                self.used = end;
            }
            None => self.is_full = true,
        }
    }

    /// Ends a string.
    ///
    /// # Errors
    /// E2BIG if there was no room for all of it.
    pub(crate) fn end(&mut self) -> Result<(), Errno> {
        self.add(b"\0");
        if self.is_full {
            Err(libc::E2BIG)
        } else {
            Ok(())
        }
    }
}
