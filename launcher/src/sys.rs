//! The launcher's only unsafe code: what must be known before Rust's runtime starts, and the
//! few system calls that nix and rustix offer only as unsafe functions.
//!
//! Nothing here decides anything.

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, Pid};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU8, Ordering};

/// Bits of [`AT_START`]: standard descriptors that were closed (1, 2, 4), signals that were
/// ignored.
static AT_START: AtomicU8 = AtomicU8::new(0);
const SIGPIPE_IGNORED: u8 = 8;
const SIGCHLD_IGNORED: u8 = 16;
/// The C library's own signals (nptl(7)): it takes the second when a thread is made.
const INTERNAL: [(i32, u8); 2] = [(32, 32), (33, 64)];

/// Rust's runtime ignores SIGPIPE and opens closed standard descriptors before `main`; the
/// program that we start must find both as our caller left them, so they are read earlier.
#[used]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
static RECORD_AT_START: extern "C" fn() = record_at_start;

extern "C" fn record_at_start() {
    let mut bits = 0;
    for fd in 0..3 {
        // SAFETY: F_GETFD reads a flag of a descriptor number and touches no memory of ours.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            bits |= 1 << fd;
        }
    }
    for (signal, bit) in [
        (libc::SIGPIPE, SIGPIPE_IGNORED),
        (libc::SIGCHLD, SIGCHLD_IGNORED),
    ] {
        if disposition_is_ignore(signal) {
            bits |= bit;
        }
    }
    for (signal, bit) in INTERNAL {
        if kernel_disposition(signal, None).is_ok_and(|handler| handler == libc::SIG_IGN) {
            bits |= bit;
        }
    }
    AT_START.store(bits, Ordering::Relaxed);
}

/// connect(2) on no descriptor, past any library: a guard sees the bytes, nobody else does. The
/// errno, of which there always is one.
pub(crate) fn connect_nothing(bytes: &[u8]) -> Errno {
    // SAFETY: `bytes` is valid for reads of its length, and the call has no descriptor to act on.
    unsafe { libc::syscall(libc::SYS_connect, -1, bytes.as_ptr(), bytes.len()) };
    Errno::last()
}

/// `struct sigaction` of the kernel (include/linux/signal_types.h).
#[repr(C)]
struct KernelAction {
    handler: libc::sighandler_t,
    flags: libc::c_ulong,
    restorer: usize,
    mask: u64,
}

/// The disposition of `signal` until now, and a new one where there is one: sigaction(2) past the
/// C library, which does not let its own signals be touched.
fn kernel_disposition(
    signal: i32,
    new: Option<libc::sighandler_t>,
) -> Result<libc::sighandler_t, Errno> {
    let action = |handler| KernelAction {
        handler,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    let new = new.map(action);
    let mut before = action(libc::SIG_DFL);
    let pointer = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both point to structs of the kernel's layout or are null, the size is that of its
    // set of signals, and no handler of ours is given, so none can run.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            pointer,
            &raw mut before,
            size_of::<u64>(),
        )
    };
    Errno::result(result).map(|_| before.handler)
}

fn disposition_is_ignore(signal: i32) -> bool {
    let mut current = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with a null new action the call only writes the current one to `current`, which is
    // valid for writes.
    let result = unsafe { libc::sigaction(signal, std::ptr::null(), current.as_mut_ptr()) };
    // SAFETY: all zeroes is a valid `sigaction`, and the kernel has filled it in on success.
    let current = unsafe { current.assume_init() };
    result == 0 && current.sa_sigaction == libc::SIG_IGN
}

/// Whether this process ignores `signal`.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    disposition_is_ignore(signal as i32)
}

/// Which standard descriptors (0 to 2) our caller had closed.
pub(crate) fn closed_at_start(fd: RawFd) -> bool {
    (0..3).contains(&fd) && AT_START.load(Ordering::Relaxed) & (1 << fd) != 0
}

/// Sets SIGCHLD to its default: with the caller's `ignore` no child could be waited for.
pub(crate) fn reap_children() -> Result<(), Errno> {
    set_disposition(libc::SIGCHLD, libc::SIG_DFL)
}

/// Gives SIGPIPE, SIGCHLD and the C library's own signals back the dispositions that our caller
/// had given us.
pub(crate) fn restore_dispositions() -> Result<(), Errno> {
    let bits = AT_START.load(Ordering::Relaxed);
    for (signal, bit) in [
        (libc::SIGPIPE, SIGPIPE_IGNORED),
        (libc::SIGCHLD, SIGCHLD_IGNORED),
    ] {
        let action = if bits & bit == 0 {
            libc::SIG_DFL
        } else {
            libc::SIG_IGN
        };
        set_disposition(signal, action)?;
    }
    for (signal, bit) in INTERNAL {
        // A handler becomes the default by the exec that follows.
        if bits & bit != 0 {
            kernel_disposition(signal, Some(libc::SIG_IGN))?;
        }
    }
    Ok(())
}

/// Sets `signal` to its default, so that raising it ends or stops this process.
pub(crate) fn set_default(signal: i32) -> Result<(), Errno> {
    set_disposition(signal, libc::SIG_DFL)
}

fn set_disposition(signal: i32, action: libc::sighandler_t) -> Result<(), Errno> {
    // SAFETY: SIG_DFL and SIG_IGN are no functions: no code of ours can run in a handler.
    let before = unsafe { libc::signal(signal, action) };
    if before == libc::SIG_ERR {
        return Err(Errno::last());
    }
    Ok(())
}

/// Forks. Only for a process that has no second thread, or where the other one only waits for
/// this one to end (`hallpass_guard::install`): the child may then do whatever it likes.
pub(crate) fn fork() -> Result<ForkResult, Errno> {
    debug_assert!(threads() <= 2, "fork after a thread was started");
    // SAFETY: the front and the session fork before they start any thread but the one that starts
    // CMD, for which the first one waits, so no lock can be held by a thread that does not exist
    // in the child.
    unsafe { nix::unistd::fork() }
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, std::iter::Iterator::count)
}

/// Next change of state of the child `pid` (-1: of any), as waitpid(2) encodes it. None where
/// there is none at present. nix's own refuses real-time signals.
pub(crate) fn wait(pid: Pid) -> Result<Option<(Pid, i32)>, Errno> {
    let mut status = 0;
    let options = libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED;
    // SAFETY: `status` is valid for writes for the length of the call.
    let result = Errno::result(unsafe { libc::waitpid(pid.as_raw(), &raw mut status, options) })?;
    Ok((result != 0).then_some((Pid::from_raw(result), status)))
}

/// kill(2) with any signal number, real-time signals included.
pub(crate) fn kill(pid: Pid, signal: i32) -> Result<(), Errno> {
    // SAFETY: kill takes two integers and touches no memory.
    Errno::result(unsafe { libc::kill(pid.as_raw(), signal) }).map(drop)
}

/// Unblocks `signal` in this thread, real-time signals included; one that waits is delivered.
pub(crate) fn unblock(signal: i32) {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `set` is valid for writes; sigemptyset initialises it.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: `set` was initialised above; a number that is no signal is refused.
    unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    // SAFETY: `set` is valid for reads, and the old mask is not wanted.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut()) };
}

/// Closes a descriptor that this process inherited and that nothing in it owns.
pub(crate) fn close_inherited(fd: RawFd) {
    // SAFETY: the caller names descriptors that were open before `main` and that no object of
    // ours has taken ownership of.
    unsafe { libc::close(fd) };
}

/// Ends this process at once, without running anything that `main`'s return would run.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: _exit takes an integer and never returns.
    unsafe { libc::_exit(status) }
}
