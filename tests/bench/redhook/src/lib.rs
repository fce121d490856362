//! The functions that hallpass hooks, declared with redhook 2.0, each calling the real one: the
//! price of interposing them that way, before anything is decided. `execl` and its kin and
//! `syscall` are left out: redhook has no variadics.
#![allow(
    static_mut_refs,
    non_camel_case_types,
    clippy::missing_safety_doc,
    clippy::missing_transmute_annotations,
    reason = "as redhook's macro makes them"
)]

use libc::{
    addrinfo, c_char, c_int, c_uint, c_void, hostent, mmsghdr, msghdr, pid_t, size_t, sockaddr,
    socklen_t, ssize_t, FILE,
};
use redhook::{hook, real};

macro_rules! pass {
    ($($name:ident as $own:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {$(
        hook! {
            unsafe fn $name($($arg: $ty),*) -> $ret => $own {
                real!($name)($($arg),*)
            }
        }
    )*};
}

type Strings = *const *const c_char;

pass! {
    connect as our_connect(fd: c_int, to: *const sockaddr, len: socklen_t) -> c_int;
    sendto as our_sendto(fd: c_int, data: *const c_void, size: size_t, flags: c_int, to: *const sockaddr, len: socklen_t) -> ssize_t;
    sendmsg as our_sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t;
    sendmmsg as our_sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int;
    getaddrinfo as our_getaddrinfo(node: *const c_char, service: *const c_char, hints: *const addrinfo, result: *mut *mut addrinfo) -> c_int;
    gethostbyname as our_gethostbyname(name: *const c_char) -> *mut hostent;
    gethostbyname2 as our_gethostbyname2(name: *const c_char, family: c_int) -> *mut hostent;
    gethostbyname_r as our_gethostbyname_r(name: *const c_char, entry: *mut hostent, buffer: *mut c_char, size: size_t, result: *mut *mut hostent, error: *mut c_int) -> c_int;
    gethostbyname2_r as our_gethostbyname2_r(name: *const c_char, family: c_int, entry: *mut hostent, buffer: *mut c_char, size: size_t, result: *mut *mut hostent, error: *mut c_int) -> c_int;
    execve as our_execve(path: *const c_char, argv: Strings, envp: Strings) -> c_int;
    execv as our_execv(path: *const c_char, argv: Strings) -> c_int;
    execvp as our_execvp(file: *const c_char, argv: Strings) -> c_int;
    execvpe as our_execvpe(file: *const c_char, argv: Strings, envp: Strings) -> c_int;
    fexecve as our_fexecve(fd: c_int, argv: Strings, envp: Strings) -> c_int;
    execveat as our_execveat(fd: c_int, path: *const c_char, argv: Strings, envp: Strings, flags: c_int) -> c_int;
    posix_spawn as our_posix_spawn(pid: *mut pid_t, path: *const c_char, actions: *const c_void, attributes: *const c_void, argv: Strings, envp: Strings) -> c_int;
    posix_spawnp as our_posix_spawnp(pid: *mut pid_t, file: *const c_char, actions: *const c_void, attributes: *const c_void, argv: Strings, envp: Strings) -> c_int;
    system as our_system(command: *const c_char) -> c_int;
    popen as our_popen(command: *const c_char, mode: *const c_char) -> *mut FILE;
}
