//! Every call that is not simply let through, with its why.

use super::assemble::Condition::{Is, IsNot, Masked, Pointer};
use super::assemble::{Condition, Entry, Machine, Rule};

/// `__X32_SYSCALL_BIT`: on x86_64 the same entry point under a third convention.
pub(super) const X32_BIT: u32 = 0x4000_0000;

const ENOSYS: Rule = Rule::Refuse(libc::ENOSYS);

/// Packets of the link layer by the obsolete way.
const SOCK_PACKET: u32 = 10;

/// socket(): families other than those that are decided or that cannot leave the machine, and
/// raw sockets whose sender writes the IP header, and so the address, into the message.
const OTHER_SOCKETS: &[&[Condition]] = &[
    &[
        IsNot(0, libc::AF_UNIX as u32),
        IsNot(0, libc::AF_INET as u32),
        IsNot(0, libc::AF_INET6 as u32),
        IsNot(0, libc::AF_NETLINK as u32),
    ],
    &[
        IsNot(0, libc::AF_UNIX as u32),
        IsNot(0, libc::AF_NETLINK as u32),
        Masked(1, 0xf, libc::SOCK_RAW as u32),
        Is(2, libc::IPPROTO_RAW as u32),
    ],
    // Of whatever family it is asked for, the kernel makes a packet socket of it (packet(7)).
    &[
        IsNot(0, libc::AF_UNIX as u32),
        IsNot(0, libc::AF_NETLINK as u32),
        Masked(1, 0xf, SOCK_PACKET),
    ],
];

const IPV6_2292PKTOPTIONS: u32 = 6;
const IPV6_FLOWLABEL_MGR: u32 = 32;
const IPV6_HDRINCL: u32 = 36;
const IPV6_RTHDR: u32 = 57;
const SCTP_SOCKOPT_CONNECTX_OLD: u32 = 107;
const SCTP_SOCKOPT_CONNECTX: u32 = 110;
const SCTP_SOCKOPT_CONNECTX3: u32 = 111;

/// setsockopt() that sends packets elsewhere than the address says.
const REROUTING_OPTIONS: &[&[Condition]] = &[
    // A source route; an empty option, which takes it away, is let through.
    &[
        Is(1, libc::IPPROTO_IP as u32),
        Is(2, libc::IP_OPTIONS as u32),
        IsNot(4, 0),
    ],
    &[
        Is(1, libc::IPPROTO_IP as u32),
        Is(2, libc::IP_HDRINCL as u32),
    ],
    &[Is(1, libc::IPPROTO_IPV6 as u32), Is(2, IPV6_HDRINCL)],
    &[
        Is(1, libc::IPPROTO_IPV6 as u32),
        Is(2, IPV6_RTHDR),
        IsNot(4, 0),
    ],
    &[
        Is(1, libc::IPPROTO_IPV6 as u32),
        Is(2, IPV6_2292PKTOPTIONS),
        IsNot(4, 0),
    ],
    // A flow label can carry a routing header.
    &[Is(1, libc::IPPROTO_IPV6 as u32), Is(2, IPV6_FLOWLABEL_MGR)],
    &[
        Is(1, libc::IPPROTO_SCTP as u32),
        Is(2, SCTP_SOCKOPT_CONNECTX),
    ],
    &[
        Is(1, libc::IPPROTO_SCTP as u32),
        Is(2, SCTP_SOCKOPT_CONNECTX_OLD),
    ],
];

/// The request of TIOCSTI and of TIOCLINUX.
const TYPING: &[&[Condition]] = &[&[Is(1, 0x5412)], &[Is(1, 0x541c)]];

/// CLONE_FILES without CLONE_THREAD.
const SHARED_DESCRIPTORS: &[&[Condition]] = &[&[Masked(
    0,
    (libc::CLONE_FILES | libc::CLONE_THREAD) as u32,
    libc::CLONE_FILES as u32,
)]];

const ATTACH: u32 = 16;
const SEIZE: u32 = 0x4206;

const fn entry(number: u32, rule: Rule, why: &'static str) -> Entry {
    Entry { number, rule, why }
}

const fn native(number: libc::c_long, rule: Rule, why: &'static str) -> Entry {
    entry(number as u32, rule, why)
}

const NATIVE: &[Entry] = &[
    native(libc::SYS_connect, Rule::Notify, "opens a connection"),
    native(
        libc::SYS_sendto,
        Rule::NotifyWhere(&[&[Pointer(4)]]),
        "carries an address unless that is NULL, which the register shows",
    ),
    native(libc::SYS_sendmsg, Rule::Notify, "the address is in memory"),
    native(
        libc::SYS_sendmmsg,
        Rule::Notify,
        "the addresses are in memory",
    ),
    native(
        libc::SYS_socket,
        Rule::NotifyWhere(OTHER_SOCKETS),
        "a family that cannot be decided is refused by name",
    ),
    native(
        libc::SYS_setsockopt,
        Rule::NotifyWhere(REROUTING_OPTIONS),
        "packets would go elsewhere than to the address that was decided",
    ),
    native(
        libc::SYS_getsockopt,
        Rule::NotifyWhere(&[&[
            Is(1, libc::IPPROTO_SCTP as u32),
            Is(2, SCTP_SOCKOPT_CONNECTX3),
        ]]),
        "SCTP connects by reading an option",
    ),
    native(
        libc::SYS_io_uring_setup,
        Rule::Notify,
        "a ring's calls are seen by no filter; refused, and programs fall back",
    ),
    native(
        libc::SYS_io_uring_enter,
        ENOSYS,
        "a ring inherited from elsewhere",
    ),
    native(
        libc::SYS_io_uring_register,
        ENOSYS,
        "a ring inherited from elsewhere",
    ),
    native(
        libc::SYS_clone,
        Rule::RefuseWhere(libc::EPERM, SHARED_DESCRIPTORS),
        "a process that shares our caller's descriptors unseen could swap a socket under a call",
    ),
    native(
        libc::SYS_clone3,
        ENOSYS,
        "its flags are in memory; libraries fall back to clone",
    ),
    native(
        libc::SYS_ioctl,
        Rule::NotifyWhere(TYPING),
        "types into the terminal, where a person answers",
    ),
];

const FOREIGN_PROCESSES: &[Entry] = &[
    native(
        libc::SYS_ptrace,
        Rule::NotifyWhere(&[&[Is(0, ATTACH)], &[Is(0, SEIZE)]]),
        "an older process would make the call for its tracer",
    ),
    native(
        libc::SYS_process_vm_writev,
        Rule::Notify,
        "an older process would run what is written into it",
    ),
    native(
        libc::SYS_pidfd_getfd,
        Rule::Notify,
        "a connection of an older process would be taken over",
    ),
];

const MADE_SOCKETS: &[Entry] = &[
    native(
        libc::SYS_socket,
        Rule::Notify,
        "what cannot be duplicated is made here, and a copy kept",
    ),
    native(
        libc::SYS_bind,
        Rule::Notify,
        "a copy of a socket that its program has closed must not keep its port from it",
    ),
    native(
        libc::SYS_listen,
        Rule::Notify,
        "a copy must not go on listening when its program no longer does",
    ),
];

const AND_SO_IN_32_BITS: &str = "as the native call; structures differ, so it is refused by name";

#[cfg(target_arch = "x86_64")]
pub(super) const MACHINE: Machine = Machine {
    arch: 0xc000_003e,
    native: NATIVE,
    foreign_processes: FOREIGN_PROCESSES,
    made_sockets: MADE_SOCKETS,
    compat_arch: 0x4000_0003,
    compat: &[
        entry(362, Rule::Notify, AND_SO_IN_32_BITS),
        entry(369, Rule::Notify, AND_SO_IN_32_BITS),
        entry(370, Rule::Notify, AND_SO_IN_32_BITS),
        entry(345, Rule::Notify, AND_SO_IN_32_BITS),
        entry(
            102,
            Rule::Notify,
            "socketcall: which call it is, and for what, is in memory",
        ),
        entry(359, Rule::NotifyWhere(OTHER_SOCKETS), AND_SO_IN_32_BITS),
        entry(366, Rule::NotifyWhere(REROUTING_OPTIONS), AND_SO_IN_32_BITS),
        entry(
            365,
            Rule::NotifyWhere(&[&[Is(1, 132), Is(2, SCTP_SOCKOPT_CONNECTX3)]]),
            AND_SO_IN_32_BITS,
        ),
        entry(425, Rule::Notify, AND_SO_IN_32_BITS),
        entry(426, ENOSYS, AND_SO_IN_32_BITS),
        entry(427, ENOSYS, AND_SO_IN_32_BITS),
        entry(
            120,
            Rule::RefuseWhere(libc::EPERM, SHARED_DESCRIPTORS),
            AND_SO_IN_32_BITS,
        ),
        entry(435, ENOSYS, AND_SO_IN_32_BITS),
        entry(54, Rule::NotifyWhere(TYPING), AND_SO_IN_32_BITS),
        entry(
            26,
            Rule::NotifyWhere(&[&[Is(0, ATTACH)], &[Is(0, SEIZE)]]),
            AND_SO_IN_32_BITS,
        ),
        entry(348, Rule::Notify, AND_SO_IN_32_BITS),
        entry(438, Rule::Notify, AND_SO_IN_32_BITS),
    ],
    has_x32: true,
};

#[cfg(target_arch = "aarch64")]
pub(super) const MACHINE: Machine = Machine {
    arch: 0xc000_00b7,
    native: NATIVE,
    foreign_processes: FOREIGN_PROCESSES,
    made_sockets: MADE_SOCKETS,
    compat_arch: 0x4000_0028,
    compat: &[
        entry(283, Rule::Notify, AND_SO_IN_32_BITS),
        entry(290, Rule::Notify, AND_SO_IN_32_BITS),
        entry(296, Rule::Notify, AND_SO_IN_32_BITS),
        entry(374, Rule::Notify, AND_SO_IN_32_BITS),
        entry(102, Rule::Notify, "socketcall of the old convention"),
        entry(281, Rule::NotifyWhere(OTHER_SOCKETS), AND_SO_IN_32_BITS),
        entry(294, Rule::NotifyWhere(REROUTING_OPTIONS), AND_SO_IN_32_BITS),
        entry(
            295,
            Rule::NotifyWhere(&[&[Is(1, 132), Is(2, SCTP_SOCKOPT_CONNECTX3)]]),
            AND_SO_IN_32_BITS,
        ),
        entry(425, Rule::Notify, AND_SO_IN_32_BITS),
        entry(426, ENOSYS, AND_SO_IN_32_BITS),
        entry(427, ENOSYS, AND_SO_IN_32_BITS),
        entry(
            120,
            Rule::RefuseWhere(libc::EPERM, SHARED_DESCRIPTORS),
            AND_SO_IN_32_BITS,
        ),
        entry(435, ENOSYS, AND_SO_IN_32_BITS),
        entry(54, Rule::NotifyWhere(TYPING), AND_SO_IN_32_BITS),
        entry(
            26,
            Rule::NotifyWhere(&[&[Is(0, ATTACH)], &[Is(0, SEIZE)]]),
            AND_SO_IN_32_BITS,
        ),
        entry(377, Rule::Notify, AND_SO_IN_32_BITS),
        entry(438, Rule::Notify, AND_SO_IN_32_BITS),
    ],
    has_x32: false,
};
