//! The hooks of functions with `...`: execl, execlp, execle and syscall. Rust can call such
//! functions but not define them, so each begins with a few instructions that put the arguments
//! where the calling convention allows Rust to read them.

use crate::arena;
use crate::environment::current;
use crate::memory::Reader;
use crate::privileges;
use crate::programs::exec;
use crate::{calls, filters, gate, messages, programs};
use core::arch::naked_asm;
use core::ffi::{c_char, c_int, c_long};
use core::sync::atomic::{AtomicUsize, Ordering};

/// Looks up the real syscall(2).
pub(crate) fn resolve() {
    SYSCALL.store(real_syscall() as usize, Ordering::Release);
}

/// How many arguments after the first are in registers.
#[cfg(target_arch = "x86_64")]
const IN_REGISTERS: usize = 5;
#[cfg(target_arch = "aarch64")]
const IN_REGISTERS: usize = 7;

/// Where the arguments after the first are: first the registers, then the stack.
#[derive(Clone, Copy)]
struct Arguments {
    registers: *const usize,
    stack: *const usize,
}

impl Arguments {
    /// The argument at `index`, counted after the first of all.
    fn get(self, reader: &mut Reader, index: usize) -> Result<usize, c_int> {
        match index.checked_sub(IN_REGISTERS) {
            None => reader.entry(self.registers.cast(), index),
            Some(index) => reader.entry(self.stack.cast(), index),
        }
    }

    /// Strings up to and with the null that ends them.
    fn count(self) -> Result<usize, c_int> {
        let mut reader = Reader::new();
        let mut count: usize = 0;
        while self.get(&mut reader, count)? != 0 {
            count = count.saturating_add(1);
        }
        Ok(count.saturating_add(1))
    }

    /// Calls `start` with the strings as a list.
    fn as_list(self, count: usize, start: &mut dyn FnMut(*const *const c_char) -> c_int) -> c_int {
        let lent = arena::lend(count, &mut |memory| {
            let mut reader = Reader::new();
            for (slot, index) in memory.iter_mut().zip(0..count) {
                *slot = self.get(&mut reader, index)?;
            }
            Ok(start(memory.as_ptr().cast()))
        });
        lent.unwrap_or_else(gate::fail)
    }
}

/// Defines a function whose arguments after the first are passed on by address:
/// `body(first, registers, stack)`.
macro_rules! variadic {
    ($(#[$doc:meta])* $name:ident => $body:ident) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As the C library's function of this name.
        #[cfg(target_arch = "x86_64")]
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                // Five words: with the return address the stack is aligned for the call.
                "push r9",
                "push r8",
                "push rcx",
                "push rdx",
                "push rsi",
                "mov rsi, rsp",
                "lea rdx, [rsp + 48]",
                "call {body}",
                "add rsp, 40",
                "ret",
                body = sym $body,
            )
        }

        $(#[$doc])*
        ///
        /// # Safety
        /// As the C library's function of this name.
        #[cfg(target_arch = "aarch64")]
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                "stp x29, x30, [sp, #-80]!",
                "mov x29, sp",
                "stp x1, x2, [sp, #16]",
                "stp x3, x4, [sp, #32]",
                "stp x5, x6, [sp, #48]",
                "str x7, [sp, #64]",
                "add x1, sp, #16",
                "add x2, sp, #80",
                "bl {body}",
                "ldp x29, x30, [sp], #80",
                "ret",
                body = sym $body,
            )
        }
    };
}

variadic! {
    /// execl(3)
    execl => execl_with
}

variadic! {
    /// execlp(3)
    execlp => execlp_with
}

variadic! {
    /// execle(3)
    execle => execle_with
}

unsafe extern "C" fn execl_with(
    path: *const c_char,
    registers: *const usize,
    stack: *const usize,
) -> c_int {
    // SAFETY: the program's own argument.
    unsafe { privileges::starts(path) };
    let arguments = Arguments { registers, stack };
    let start = &mut |argv| {
        // SAFETY: the program's own arguments, and lists that outlive the call.
        exec(current(), &mut |envp| unsafe {
            real!(programs::execve)(path, argv, envp)
        })
    };
    arguments
        .count()
        .map_or_else(gate::fail, |count| arguments.as_list(count, start))
}

unsafe extern "C" fn execlp_with(
    file: *const c_char,
    registers: *const usize,
    stack: *const usize,
) -> c_int {
    // SAFETY: the program's own argument.
    unsafe { privileges::starts_searched(file) };
    let arguments = Arguments { registers, stack };
    let start = &mut |argv| {
        // SAFETY: the program's own arguments, and lists that outlive the call.
        exec(current(), &mut |envp| unsafe {
            real!(programs::execvpe)(file, argv, envp)
        })
    };
    arguments
        .count()
        .map_or_else(gate::fail, |count| arguments.as_list(count, start))
}

unsafe extern "C" fn execle_with(
    path: *const c_char,
    registers: *const usize,
    stack: *const usize,
) -> c_int {
    // SAFETY: the program's own argument.
    unsafe { privileges::starts(path) };
    let arguments = Arguments { registers, stack };
    let run = |count: usize| {
        // The environment comes after the null.
        let envp = arguments.get(&mut Reader::new(), count)? as *const *const c_char;
        Ok(arguments.as_list(count, &mut |argv| {
            // SAFETY: the program's own arguments, and lists that outlive the call.
            exec(envp, &mut |envp| unsafe {
                real!(programs::execve)(path, argv, envp)
            })
        }))
    };
    arguments.count().and_then(run).unwrap_or_else(gate::fail)
}

/// The real syscall(2), for the instructions below; 0 before it has been looked up.
static SYSCALL: AtomicUsize = AtomicUsize::new(0);

/// syscall(2): the calls that are hooked go the hook's way, all others straight to the C library's
/// own, as if it had been called itself: some of them return twice.
///
/// # Safety
/// As the C library's function of this name.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall() {
    naked_asm!(
        "cmp rdi, {connect}",
        "je 2f",
        "cmp rdi, {sendto}",
        "je 2f",
        "cmp rdi, {sendmsg}",
        "je 2f",
        "cmp rdi, {sendmmsg}",
        "je 2f",
        "cmp rdi, {execve}",
        "je 2f",
        "cmp rdi, {execveat}",
        "je 2f",
        "cmp rdi, {seccomp}",
        "je 2f",
        "cmp rdi, {prctl}",
        "je 2f",
        "mov rax, [rip + {real}]",
        "test rax, rax",
        "jz 2f",
        "jmp rax",
        "2:",
        "jmp {hooked}",
        connect = const libc::SYS_connect,
        sendto = const libc::SYS_sendto,
        sendmsg = const libc::SYS_sendmsg,
        sendmmsg = const libc::SYS_sendmmsg,
        execve = const libc::SYS_execve,
        execveat = const libc::SYS_execveat,
        seccomp = const libc::SYS_seccomp,
        prctl = const libc::SYS_prctl,
        real = sym SYSCALL,
        hooked = sym syscall_with,
    )
}

/// syscall(2): the calls that are hooked go the hook's way, all others straight to the C library's
/// own, as if it had been called itself: some of them return twice.
///
/// # Safety
/// As the C library's function of this name.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall() {
    naked_asm!(
        "cmp x0, {connect}",
        "b.eq 2f",
        "cmp x0, {sendto}",
        "b.eq 2f",
        "cmp x0, {sendmsg}",
        "b.eq 2f",
        "cmp x0, {sendmmsg}",
        "b.eq 2f",
        "cmp x0, {execve}",
        "b.eq 2f",
        "cmp x0, {execveat}",
        "b.eq 2f",
        "cmp x0, {seccomp}",
        "b.eq 2f",
        "cmp x0, {prctl}",
        "b.eq 2f",
        "adrp x16, {real}",
        "ldr x16, [x16, :lo12:{real}]",
        "cbz x16, 2f",
        "br x16",
        "2:",
        "b {hooked}",
        connect = const libc::SYS_connect,
        sendto = const libc::SYS_sendto,
        sendmsg = const libc::SYS_sendmsg,
        sendmmsg = const libc::SYS_sendmmsg,
        execve = const libc::SYS_execve,
        execveat = const libc::SYS_execveat,
        seccomp = const libc::SYS_seccomp,
        prctl = const libc::SYS_prctl,
        real = sym SYSCALL,
        hooked = sym syscall_with,
    )
}

/// Carries the way to the real function, for `real!`-like use below.
type Syscall = unsafe extern "C" fn(c_long, usize, usize, usize, usize, usize, usize) -> c_long;

fn real_syscall() -> Syscall {
    unsafe extern "C" fn absent(
        _: c_long,
        _: usize,
        _: usize,
        _: usize,
        _: usize,
        _: usize,
        _: usize,
    ) -> c_long {
        crate::errno::set(libc::ENOSYS);
        -1
    }
    static REAL: crate::hook::Real = crate::hook::Real::new();
    let absent: Syscall = absent;
    let absent =
        core::num::NonZeroUsize::new(absent as usize).unwrap_or(core::num::NonZeroUsize::MIN);
    let address = REAL.address(c"syscall", absent);
    // SAFETY: the address is that of `absent`, or of syscall(2), which takes what it needs of
    // seven integers by the calling convention of fixed arguments.
    unsafe { core::mem::transmute::<usize, Syscall>(address) }
}

/// A hooked call, or any call before the constructor has run. Arguments that the caller has not
/// given are whatever is in their place; the calls below look at those that they have.
unsafe extern "C" fn syscall_with(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    let fd = a as c_int;
    match number {
        // SAFETY: the program's own arguments.
        libc::SYS_connect => unsafe { calls::connect(fd, b as _, c as _) as c_long },
        // SAFETY: the program's own arguments.
        libc::SYS_sendto => unsafe {
            calls::sendto(fd, b as _, c, d as _, e as _, f as _) as c_long
        },
        // SAFETY: the program's own arguments.
        libc::SYS_sendmsg => unsafe { messages::sendmsg(fd, b as _, c as _) as c_long },
        // SAFETY: the program's own arguments.
        libc::SYS_sendmmsg => unsafe { messages::sendmmsg(fd, b as _, c as _, d as _) as c_long },
        // SAFETY: the program's own arguments.
        libc::SYS_execve => unsafe { programs::execve(a as _, b as _, c as _) as c_long },
        // Not every C library has a function for it (musl).
        libc::SYS_execveat => exec(d as _, &mut |envp| {
            // SAFETY: the program's own arguments, with an environment that outlives the call.
            (unsafe { real_syscall()(number, a, b, c, envp as usize, e, f) }) as c_int
        })
        .into(),
        // SAFETY: the program's own arguments.
        libc::SYS_seccomp => unsafe { filters::seccomp(a, b, c) },
        // SAFETY: the program's own arguments.
        libc::SYS_prctl => unsafe {
            filters::prctl(a as c_int, b as _, c as _, d as _, e as _) as c_long
        },
        // SAFETY: the program's own arguments.
        _ => unsafe { real_syscall()(number, a, b, c, d, e, f) },
    }
}
