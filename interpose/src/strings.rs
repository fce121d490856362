//! Reading a program's own lists of strings, such as argv and environ, without trusting them.

use crate::memory::Reader;
use crate::sys::Errno;
use core::ffi::c_char;

impl Reader {
    /// The byte at `at`.
    fn byte(&mut self, at: usize) -> Result<u8, Errno> {
        self.copy(at as *const u8)
    }

    /// The entry of a list of strings, null at its end.
    ///
    /// # Errors
    /// EFAULT where it cannot be read.
    pub(crate) fn entry(
        &mut self,
        list: *const *const c_char,
        index: usize,
    ) -> Result<usize, Errno> {
        self.copy(list.wrapping_add(index).cast())
    }

    /// How many entries a list has; a null list has none.
    ///
    /// # Errors
    /// EFAULT where it cannot be read.
    pub(crate) fn count(&mut self, list: *const *const c_char) -> Result<usize, Errno> {
        if list.is_null() {
            return Ok(0);
        }
        let mut count: usize = 0;
        while self.entry(list, count)? != 0 {
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    /// Where the text after `prefix` begins, if the string at `at` has it.
    ///
    /// # Errors
    /// EFAULT where it cannot be read.
    pub(crate) fn after(&mut self, at: usize, prefix: &[u8]) -> Result<Option<usize>, Errno> {
        let mut at = at;
        for expected in prefix {
            if self.byte(at)? != *expected {
                return Ok(None);
            }
            at = at.wrapping_add(1);
        }
        Ok(Some(at))
    }

    /// The string at `at`, without its zero.
    ///
    /// # Errors
    /// EFAULT where it cannot be read.
    pub(crate) fn text<'a>(&mut self, at: usize) -> Result<&'a [u8], Errno> {
        let mut len: usize = 0;
        while self.byte(at.wrapping_add(len))? != 0 {
            len = len.saturating_add(1);
        }
        // SAFETY: every byte was readable a moment ago, and the program keeps the strings it gives
        // to a call until the call is over.
        Ok(unsafe { core::slice::from_raw_parts(at as *const u8, len) })
    }
}
