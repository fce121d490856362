//! The system call instruction of each machine.

use super::Errno;
use core::arch::asm;
use core::ffi::c_long;

/// A system call with up to six arguments.
///
/// # Safety
/// Every argument that is a pointer must be valid for what the call does with it.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn syscall(number: c_long, args: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, e, f] = args;
    let result: isize;
    // SAFETY: the kernel's calling convention (syscall(2)); the caller answers for the pointers.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    outcome(result)
}

/// A system call with up to six arguments.
///
/// # Safety
/// Every argument that is a pointer must be valid for what the call does with it.
#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn syscall(number: c_long, args: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, e, f] = args;
    let result: isize;
    // SAFETY: the kernel's calling convention (syscall(2)); the caller answers for the pointers.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    outcome(result)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the hook has raw system calls for x86_64 and aarch64 only");

/// The kernel returns -4095..=-1 for an error.
fn outcome(result: isize) -> Result<usize, Errno> {
    if (-4095..0).contains(&result) {
        Err(result.wrapping_neg() as Errno)
    } else {
        Ok(result as usize)
    }
}

/// Whether valgrind runs the program, by the instructions that it looks for (valgrind.h,
/// RUNNING_ON_VALGRIND): together they do nothing, and take a nanosecond.
#[cfg(target_arch = "x86_64")]
pub(super) fn is_under_valgrind() -> bool {
    let request = RUNNING_ON_VALGRIND;
    let mut answer = 0_usize;
    // SAFETY: rotates a register once around, twice, and exchanges another with itself; valgrind
    // reads `request`.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") request.as_ptr(), inout("rdx") answer, inout("rdi") 0_usize => _,
            options(nostack),
        );
    }
    answer != 0
}

/// Whether valgrind runs the program, by the instructions that it looks for (valgrind.h,
/// RUNNING_ON_VALGRIND): together they do nothing, and take a nanosecond.
#[cfg(target_arch = "aarch64")]
pub(super) fn is_under_valgrind() -> bool {
    let request = RUNNING_ON_VALGRIND;
    let mut answer = 0_usize;
    // SAFETY: rotates a register once around, twice, and gives another its own value; valgrind
    // reads `request`.
    unsafe {
        asm!(
            "ror x12, x12, #3",
            "ror x12, x12, #13",
            "ror x12, x12, #51",
            "ror x12, x12, #61",
            "orr x10, x10, x10",
            inout("x3") answer, in("x4") request.as_ptr(), inout("x12") 0_usize => _,
            options(nostack),
        );
    }
    answer != 0
}

/// The request's number and its arguments.
const RUNNING_ON_VALGRIND: [usize; 6] = [0x1001, 0, 0, 0, 0, 0];
