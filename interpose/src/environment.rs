//! The environment of a program that is about to be started: it gets the hook and the session's
//! name, whatever the starting program has made of its own. An environment that has both is
//! passed on as it is.

use crate::arena::{self, Text};
use crate::memory::Reader;
use crate::settings;
use crate::sys::Errno;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::size_of;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use hallpass_wire::{Variable, VariableText};

/// The loader's variable (ld.so(8)).
const PRELOAD: &[u8] = b"LD_PRELOAD=";
/// The session's, with its name.
const HALLPASS: &[u8] = b"HALLPASS=";

/// Starts a program with a given environment; returns what the call returns.
pub(crate) type Start<'a> = &'a mut dyn FnMut(*const *const c_char) -> c_int;

/// Calls `start` with `environment`, completed where something is missing.
///
/// # Errors
/// EFAULT for an environment that cannot be read, ENOMEM for one too large to be copied; nothing
/// has been started then.
pub(crate) fn keep(environment: *const *const c_char, start: Start<'_>) -> Result<c_int, Errno> {
    let found = Found::scan(environment)?;
    if found.is_complete() {
        return Ok(start(environment));
    }
    arena::lend(found.words(), &mut |memory| {
        let list = found.build(environment, memory)?;
        Ok(start(list))
    })
}

/// The calling program's own environment, environ(7).
pub(crate) fn current() -> *const *const c_char {
    unsafe extern "C" {
        static environ: AtomicPtr<*const c_char>;
    }
    // SAFETY: a variable of the C library, a pointer; setenv may change it meanwhile.
    unsafe { environ.load(Ordering::Relaxed) }
}

/// The value of a variable in an environment.
pub(crate) fn variable(mut entry: *const *const c_char, name: &[u8]) -> Option<&'static [u8]> {
    if entry.is_null() {
        return None;
    }
    loop {
        // SAFETY: the array ends with a null pointer, and we have not passed it.
        let text = unsafe { entry.read() };
        if text.is_null() {
            return None;
        }
        // SAFETY: an entry of the environment is a string that ends with a zero.
        let text = unsafe { CStr::from_ptr(text) }.to_bytes();
        let value = text.strip_prefix(name);
        if let Some(value) = value.and_then(|text| text.strip_prefix(b"=")) {
            return Some(value);
        }
        // SAFETY: stays within the array, whose end we have not passed.
        entry = unsafe { entry.add(1) };
    }
}

/// What the program's own environment lacks, if anything: for a shell that is to export it.
///
/// # Errors
/// EFAULT where it cannot be read.
pub(crate) fn missing() -> Result<Option<Found>, Errno> {
    let found = Found::scan(current())?;
    Ok((!found.is_complete()).then_some(found))
}

/// The hook's own path, as the loader has it; the loader keeps it for good.
pub(crate) fn hook_path() -> &'static [u8] {
    static PATH: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
    let mut path: *const c_char = PATH.load(Ordering::Acquire);
    if path.is_null() {
        let mut info = libc::Dl_info {
            dli_fname: ptr::null(),
            dli_fbase: ptr::null_mut(),
            dli_sname: ptr::null(),
            dli_saddr: ptr::null_mut(),
        };
        // SAFETY: an address in this library, a struct to write to.
        let found = unsafe { libc::dladdr((&raw const PATH).cast::<c_void>(), &raw mut info) };
        if found == 0 || info.dli_fname.is_null() {
            return b"";
        }
        path = info.dli_fname;
        PATH.store(path.cast_mut(), Ordering::Release);
    }
    // SAFETY: a string of the loader, which ends with a zero.
    unsafe { CStr::from_ptr(path) }.to_bytes()
}

/// What an environment has and lacks.
pub(crate) struct Found {
    entries: usize,
    /// Exactly one LD_PRELOAD, and the hook in it.
    is_preloaded: bool,
    /// What LD_PRELOAD should say: the hook, and what else is preloaded. Empty if the hook does
    /// not know its own path; then nothing can be added.
    pub(crate) preload: [&'static [u8]; 3],
    /// What HALLPASS should say; None if it says something valid, or we ourselves know no session.
    pub(crate) variable: Option<VariableText>,
}

impl Found {
    fn scan(environment: *const *const c_char) -> Result<Self, Errno> {
        let mut reader = Reader::new();
        let mut preloads: usize = 0;
        let mut others: &'static [u8] = b"";
        let mut has_variable = None;
        let entries = reader.count(environment)?;
        for index in 0..entries {
            let entry = reader.entry(environment, index)?;
            if let Some(value) = reader.after(entry, PRELOAD)? {
                preloads = preloads.saturating_add(1);
                // The last one counts for the loader.
                others = reader.text(value)?;
            } else if let Some(value) = reader.after(entry, HALLPASS)? {
                // The hook reads the first. One of another session stays: a `hallpass run`
                // inside this one starts its own.
                let is_valid = Variable::parse(reader.text(value)?).is_ok();
                has_variable = has_variable.or(Some(is_valid));
            }
        }
        let hook = hook_path();
        let has_hook = has_item(others, hook);
        Ok(Self {
            entries,
            is_preloaded: hook.is_empty() || (preloads == 1 && has_hook),
            preload: match others {
                b"" => [hook, b"", b""],
                others if has_hook => [others, b"", b""],
                others => [hook, b":", others],
            },
            variable: match has_variable {
                Some(true) => None,
                _ => settings::variable_text(),
            },
        })
    }

    fn is_complete(&self) -> bool {
        self.is_preloaded && self.variable.is_none()
    }

    /// Room for the list and for the text of two entries.
    fn words(&self) -> usize {
        const FIXED: usize = PRELOAD.len() + HALLPASS.len() + hallpass_wire::MAX_VARIABLE + 2;
        let text = self
            .preload
            .iter()
            .fold(FIXED, |sum, part| sum.saturating_add(part.len()));
        self.list_words()
            .saturating_add(text.div_ceil(size_of::<usize>()))
    }

    /// Two more entries and the null at the end.
    fn list_words(&self) -> usize {
        self.entries.saturating_add(3)
    }

    /// Writes the completed environment into zeroed memory; ours come first.
    fn build(
        &self,
        environment: *const *const c_char,
        memory: &mut [usize],
    ) -> Result<*const *const c_char, Errno> {
        let split = memory.split_at_mut_checked(self.list_words());
        let (list, text) = split.ok_or(libc::ENOMEM)?;
        let start: *const *const c_char = list.as_ptr().cast();
        // The last word stays null, also for a list that has grown meanwhile.
        let mut list = list.split_last_mut().ok_or(libc::ENOMEM)?.1.iter_mut();
        let mut push = |entry: usize| list.next().map(|slot| *slot = entry).ok_or(libc::E2BIG);
        let mut text = Text::new(text);
        if !self.is_preloaded {
            push(text.begin())?;
            text.add(PRELOAD);
            self.preload.iter().for_each(|part| text.add(part));
            text.end()?;
        }
        if let Some(variable) = &self.variable {
            push(text.begin())?;
            text.add(HALLPASS);
            text.add(variable.as_bytes());
            text.end()?;
        }
        let mut reader = Reader::new();
        for index in 0..self.entries {
            let entry = reader.entry(environment, index)?;
            if entry == 0 {
                break;
            }
            let is_old_preload = !self.is_preloaded && reader.after(entry, PRELOAD)?.is_some();
            let is_old_name = self.variable.is_some() && reader.after(entry, HALLPASS)?.is_some();
            if !is_old_preload && !is_old_name {
                push(entry)?;
            }
        }
        Ok(start)
    }
}

/// Whether a value of LD_PRELOAD names a library; colons and spaces separate (ld.so(8)).
fn has_item(list: &[u8], item: &[u8]) -> bool {
    list.split(|byte| matches!(byte, b':' | b' '))
        .any(|each| each == item)
}
