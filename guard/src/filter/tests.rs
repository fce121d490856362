//! An interpreter for the program, and what it says to a table of calls.

use super::table::{MACHINE, X32_BIT};
use super::{Options, program};

#[derive(Debug, PartialEq, Eq)]
enum Action {
    Allow,
    Notify,
    Errno(i32),
}

/// `struct seccomp_data` of a call.
fn data(arch: u32, number: u32, arguments: [u64; 6]) -> Vec<u8> {
    let mut data = Vec::new();
    data.extend(number.to_ne_bytes());
    data.extend(arch.to_ne_bytes());
    data.extend(0u64.to_ne_bytes());
    for argument in arguments {
        data.extend(argument.to_ne_bytes());
    }
    data
}

/// Classic BPF as the kernel's seccomp runs it; an instruction it does not know fails the test.
fn run(program: &[libc::sock_filter], data: &[u8]) -> Action {
    let mut accumulator = 0u32;
    let mut at = 0;
    loop {
        let it = program[at];
        at += 1;
        let taken = |condition: bool| usize::from(if condition { it.jt } else { it.jf });
        match it.code {
            0x20 => {
                let from = it.k as usize;
                accumulator = u32::from_ne_bytes(data[from..from + 4].try_into().unwrap());
            }
            0x54 => accumulator &= it.k,
            0x05 => at += it.k as usize,
            0x15 => at += taken(accumulator == it.k),
            0x35 => at += taken(accumulator >= it.k),
            0x06 => {
                return match it.k & libc::SECCOMP_RET_ACTION_FULL {
                    libc::SECCOMP_RET_ALLOW => Action::Allow,
                    libc::SECCOMP_RET_USER_NOTIF => Action::Notify,
                    libc::SECCOMP_RET_ERRNO => Action::Errno((it.k & 0xffff) as i32),
                    other => panic!("unknown action {other:#x}"),
                };
            }
            other => panic!("unknown instruction {other:#x}"),
        }
    }
}

fn native(number: libc::c_long, arguments: [u64; 6]) -> Action {
    let program = program(Options::default());
    run(&program, &data(MACHINE.arch, number as u32, arguments))
}

const NONE: [u64; 6] = [0; 6];

#[test]
fn what_can_carry_an_address_is_told() {
    assert_eq!(native(libc::SYS_connect, NONE), Action::Notify);
    assert_eq!(native(libc::SYS_sendmsg, NONE), Action::Notify);
    assert_eq!(native(libc::SYS_sendmmsg, NONE), Action::Notify);
    for address in [1, 0x7fff_1234_5678, 1 << 32, u64::MAX] {
        let call = native(libc::SYS_sendto, [3, 1, 1, 0, address, 16]);
        assert_eq!(call, Action::Notify, "{address:#x}");
    }
}

#[test]
fn what_can_carry_none_is_let_through() {
    assert_eq!(native(libc::SYS_sendto, [3, 1, 1, 0, 0, 16]), Action::Allow);
    for number in [
        libc::SYS_write,
        libc::SYS_read,
        libc::SYS_execve,
        libc::SYS_bind,
        libc::SYS_recvmsg,
        libc::SYS_getpid,
    ] {
        assert_eq!(native(number, [u64::MAX; 6]), Action::Allow, "{number}");
    }
}

#[test]
fn rings_are_closed() {
    assert_eq!(native(libc::SYS_io_uring_setup, NONE), Action::Notify);
    assert_eq!(
        native(libc::SYS_io_uring_enter, NONE),
        Action::Errno(libc::ENOSYS)
    );
    assert_eq!(
        native(libc::SYS_io_uring_register, NONE),
        Action::Errno(libc::ENOSYS)
    );
}

#[test]
fn sockets_are_an_allow_list() {
    let socket = |family: i32, kind: i32, protocol: i32| {
        native(
            libc::SYS_socket,
            [family as u64, kind as u64, protocol as u64, 0, 0, 0],
        )
    };
    for family in [
        libc::AF_UNIX,
        libc::AF_INET,
        libc::AF_INET6,
        libc::AF_NETLINK,
    ] {
        for kind in [
            libc::SOCK_STREAM,
            libc::SOCK_DGRAM,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
        ] {
            assert_eq!(socket(family, kind, 0), Action::Allow, "{family} {kind}");
        }
    }
    for family in [libc::AF_PACKET, libc::AF_VSOCK, 43, libc::AF_ALG, 0, -1, 46] {
        assert_eq!(
            socket(family, libc::SOCK_STREAM, 0),
            Action::Notify,
            "{family}"
        );
    }
    // The kernel looks at the lower half only, and so do we.
    assert_eq!(
        native(libc::SYS_socket, [2 | 7 << 32, 1, 0, 0, 0, 0]),
        Action::Allow
    );
    // Raw with a header of the sender's own.
    for family in [libc::AF_INET, libc::AF_INET6] {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK;
        assert_eq!(socket(family, kind, libc::IPPROTO_RAW), Action::Notify);
        assert_eq!(socket(family, kind, libc::IPPROTO_ICMP), Action::Allow);
    }
    // SOCK_PACKET, which the kernel makes a packet socket of.
    assert_eq!(socket(libc::AF_INET, 10, 0x300), Action::Notify);
    assert_eq!(
        socket(libc::AF_INET6, 10 | libc::SOCK_CLOEXEC, 0),
        Action::Notify
    );
    assert_eq!(
        socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::IPPROTO_RAW),
        Action::Allow
    );
}

#[test]
fn options_that_reroute_are_told() {
    let set = |level: u64, name: u64, length: u64| {
        native(libc::SYS_setsockopt, [3, level, name, 1, length, 0])
    };
    for (level, name) in [
        (0, 4),
        (0, 3),
        (41, 36),
        (41, 57),
        (41, 6),
        (41, 32),
        (132, 110),
        (132, 107),
    ] {
        assert_eq!(set(level, name, 4), Action::Notify, "{level} {name}");
    }
    assert_eq!(set(0, 4, 0), Action::Allow, "takes IP options away");
    for (level, name) in [
        (1, 3),
        (1, 4),
        (6, 1),
        (6, 30),
        (0, 1),
        (41, 26),
        (41, 5),
        (17, 3),
    ] {
        assert_eq!(set(level, name, 4), Action::Allow, "{level} {name}");
    }
    assert_eq!(
        native(libc::SYS_getsockopt, [3, 132, 111, 0, 0, 0]),
        Action::Notify
    );
    assert_eq!(
        native(libc::SYS_getsockopt, [3, 1, 4, 0, 0, 0]),
        Action::Allow
    );
}

#[test]
fn descriptor_tables_are_shared_by_threads_only() {
    let clone = |flags: i32| native(libc::SYS_clone, [flags as u64, 0, 0, 0, 0, 0]);
    let thread = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_SIGHAND | libc::CLONE_THREAD;
    assert_eq!(clone(thread), Action::Allow);
    assert_eq!(clone(libc::SIGCHLD), Action::Allow);
    assert_eq!(
        clone(libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD),
        Action::Allow
    );
    assert_eq!(clone(libc::CLONE_FILES), Action::Errno(libc::EPERM));
    assert_eq!(
        clone(libc::CLONE_FILES | libc::CLONE_VM),
        Action::Errno(libc::EPERM)
    );
    assert_eq!(native(libc::SYS_clone3, NONE), Action::Errno(libc::ENOSYS));
}

#[test]
fn nobody_types_for_a_person() {
    let ioctl = |request: u64| native(libc::SYS_ioctl, [0, request, 1, 0, 0, 0]);
    assert_eq!(ioctl(0x5412), Action::Notify);
    assert_eq!(ioctl(0x541c), Action::Notify);
    assert_eq!(
        ioctl(0x5412 | 1 << 32),
        Action::Notify,
        "the kernel looks at the lower half"
    );
    assert_eq!(ioctl(0x5413), Action::Allow);
}

#[test]
fn other_conventions_are_no_way_around() {
    let program = program(Options::default());
    let compat =
        |number: u32, arguments| run(&program, &data(MACHINE.compat_arch, number, arguments));
    let by_name = if cfg!(target_arch = "x86_64") {
        [362, 369, 370, 345, 102, 425].as_slice()
    } else {
        [283, 290, 296, 374, 102, 425].as_slice()
    };
    for number in by_name {
        assert_eq!(compat(*number, NONE), Action::Notify, "{number}");
    }
    assert_eq!(compat(426, NONE), Action::Errno(libc::ENOSYS));
    assert_eq!(compat(435, NONE), Action::Errno(libc::ENOSYS));
    assert_eq!(compat(4, NONE), Action::Allow, "write");
    // An architecture nobody knows.
    let unknown = run(&program, &data(0x1234, 1, NONE));
    assert_eq!(unknown, Action::Errno(libc::ENOSYS));
    if MACHINE.has_x32 {
        for number in [X32_BIT, X32_BIT | 42, X32_BIT | 519, u32::MAX - 1] {
            let x32 = run(&program, &data(MACHINE.arch, number, NONE));
            assert_eq!(x32, Action::Notify, "{number:#x}");
        }
        let cancelled = run(&program, &data(MACHINE.arch, u32::MAX, NONE));
        assert_eq!(cancelled, Action::Allow);
    }
}

#[test]
fn without_landlock_other_processes_are_closed() {
    let open = program(Options::default());
    let closed = program(Options {
        close_foreign_processes: true,
        ..Options::default()
    });
    let call = |program: &[libc::sock_filter], number: libc::c_long, first| {
        run(
            program,
            &data(MACHINE.arch, number as u32, [first, 1, 0, 0, 0, 0]),
        )
    };
    for (number, first) in [
        (libc::SYS_ptrace, 16),
        (libc::SYS_ptrace, 0x4206),
        (libc::SYS_process_vm_writev, 1),
        (libc::SYS_pidfd_getfd, 1),
    ] {
        assert_eq!(call(&open, number, first), Action::Allow);
        assert_eq!(call(&closed, number, first), Action::Notify);
    }
    assert_eq!(
        call(&closed, libc::SYS_ptrace, 0),
        Action::Allow,
        "being traced"
    );
}

#[test]
fn every_entry_says_why_and_stands_once() {
    for table in [MACHINE.native, MACHINE.compat] {
        let mut numbers: Vec<u32> = table.iter().map(|it| it.number).collect();
        assert!(table.iter().all(|it| it.why.len() > 10));
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), table.len());
    }
    assert!(
        program(Options {
            close_foreign_processes: true,
            make_sockets: true,
        })
        .len()
            < 1000
    );
}

#[test]
fn where_sockets_are_made_here_all_of_them_are_told() {
    use crate::closed::is_closed_socket;
    let made = program(Options {
        make_sockets: true,
        ..Options::default()
    });
    let duplicated = program(Options::default());
    let call = |program: &[libc::sock_filter], number: libc::c_long, arguments| {
        run(program, &data(MACHINE.arch, number as u32, arguments))
    };
    for number in [libc::SYS_bind, libc::SYS_listen] {
        assert_eq!(call(&made, number, NONE), Action::Notify);
        assert_eq!(call(&duplicated, number, NONE), Action::Allow);
    }
    for family in 0..46u16 {
        for kind in 0..12u16 {
            for (flags, protocol) in [(0, 0), (0o2_004_000, 6), (0, 255), (0o2_000_000, 255)] {
                let words = [family.into(), u64::from(kind) | flags, protocol, 0, 0, 0];
                assert_eq!(call(&made, libc::SYS_socket, words), Action::Notify);
                let ints = words.map(|it| it as i32);
                let closed = if is_closed_socket(ints[0], ints[1], ints[2]) {
                    Action::Notify
                } else {
                    Action::Allow
                };
                let before = call(&duplicated, libc::SYS_socket, words);
                assert_eq!(before, closed, "{words:?}");
            }
        }
    }
}
