//! The hooks that start programs. What they start gets the hook and the session's name
//! ([`crate::environment`]); apart from that each does what it always does. glibc reaches execve
//! through symbols of its own, so every function of the family needs a hook.

use crate::environment::{current, keep};
use crate::{gate, privileges};
use core::ffi::{c_char, c_int, c_void};
use libc::pid_t;

/// `char *const list[]`
type Strings = *const *const c_char;

/// Looks up the real functions that may be called in signal handlers, and the hook's own path.
pub(crate) fn resolve() {
    real!(execve);
    real!(fexecve);
    crate::environment::hook_path();
}

hook! {
    /// execve(2)
    unsafe fn execve(path: *const c_char, argv: Strings, envp: Strings) -> c_int, absent -1 => {
        // SAFETY: the program's own argument.
        unsafe { privileges::starts(path) };
        // SAFETY: the program's own arguments, with an environment that outlives the call.
        exec(envp, &mut |envp| unsafe { real!(execve)(path, argv, envp) })
    }
}

hook! {
    /// execv(3)
    unsafe fn execv(path: *const c_char, argv: Strings) -> c_int, absent -1 => {
        // SAFETY: the program's own argument.
        unsafe { privileges::starts(path) };
        // SAFETY: as in execve.
        exec(current(), &mut |envp| unsafe { real!(execve)(path, argv, envp) })
    }
}

hook! {
    /// execvp(3)
    unsafe fn execvp(file: *const c_char, argv: Strings) -> c_int, absent -1 => {
        // SAFETY: the program's own argument.
        unsafe { privileges::starts_searched(file) };
        // SAFETY: as in execve. PATH is looked up in environ by both.
        exec(current(), &mut |envp| unsafe { real!(execvpe)(file, argv, envp) })
    }
}

hook! {
    /// execvpe(3)
    unsafe fn execvpe(file: *const c_char, argv: Strings, envp: Strings) -> c_int, absent -1 => {
        // SAFETY: the program's own argument.
        unsafe { privileges::starts_searched(file) };
        // SAFETY: as in execve.
        exec(envp, &mut |envp| unsafe { real!(execvpe)(file, argv, envp) })
    }
}

hook! {
    /// fexecve(3)
    unsafe fn fexecve(fd: c_int, argv: Strings, envp: Strings) -> c_int, absent -1 => {
        // Unlike the others, glibc's does not take a null environment for an empty one.
        if envp.is_null() {
            return gate::fail(libc::EINVAL);
        }
        // SAFETY: as in execve.
        exec(envp, &mut |envp| unsafe { real!(fexecve)(fd, argv, envp) })
    }
}

hook! {
    /// execveat(2)
    unsafe fn execveat(
        fd: c_int,
        path: *const c_char,
        argv: Strings,
        envp: Strings,
        flags: c_int,
    ) -> c_int, absent -1 => {
        // SAFETY: as in execve.
        exec(envp, &mut |envp| unsafe { real!(execveat)(fd, path, argv, envp, flags) })
    }
}

hook! {
    /// posix_spawn(3)
    unsafe fn posix_spawn(
        pid: *mut pid_t,
        path: *const c_char,
        actions: *const c_void,
        attributes: *const c_void,
        argv: Strings,
        envp: Strings,
    ) -> c_int, absent libc::ENOSYS => {
        // SAFETY: the program's own argument.
        unsafe { privileges::starts(path) };
        let real = real!(posix_spawn);
        // SAFETY: as in execve.
        let spawn = &mut |envp| unsafe { real(pid, path, actions, attributes, argv, envp) };
        // The error is what it returns; errno is left alone.
        keep(envp, spawn).unwrap_or_else(|errno| errno)
    }
}

hook! {
    /// posix_spawnp(3)
    unsafe fn posix_spawnp(
        pid: *mut pid_t,
        file: *const c_char,
        actions: *const c_void,
        attributes: *const c_void,
        argv: Strings,
        envp: Strings,
    ) -> c_int, absent libc::ENOSYS => {
        // SAFETY: the program's own argument.
        unsafe { privileges::starts_searched(file) };
        let real = real!(posix_spawnp);
        // SAFETY: as in execve.
        let spawn = &mut |envp| unsafe { real(pid, file, actions, attributes, argv, envp) };
        keep(envp, spawn).unwrap_or_else(|errno| errno)
    }
}

/// Calls one of the exec family, which returns only when it has failed.
pub(crate) fn exec(envp: Strings, start: &mut dyn FnMut(Strings) -> c_int) -> c_int {
    keep(envp, start).unwrap_or_else(gate::fail)
}
