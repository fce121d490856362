//! Ways out from other places, by other families of sockets, and with the help of others.

use super::{DECIDED, INHERITED};
use crate::attack::{Attack, Ear, Program, Scene};
use Program::{C, Static};

pub(super) const PLACE_ATTACKS: &[Attack] = &[
    Attack::new(
        "a process that cannot be looked into (PR_SET_DUMPABLE 0)",
        C("plain"),
        "undumpable",
        "refused: its socket cannot be had",
    )
    .unprivileged(),
    Attack::new(
        "a process that cannot be looked into (PR_SET_DUMPABLE 0)",
        C("plain"),
        "undumpable",
        DECIDED,
    )
    .root(),
    Attack::new("dropping to another user", C("plain"), "setuid", DECIDED).root(),
    Attack::new(
        "another root directory (chroot), static",
        Static("plain"),
        "chroot",
        INHERITED,
    )
    .root(),
    Attack::new("a user namespace", C("plain"), "user-namespace", INHERITED)
        .needs("user namespaces for everybody"),
    Attack::new(
        "a network namespace, left with a socket of the old one",
        C("plain"),
        "net-namespace",
        "what counts is the socket",
    )
    .needs("user namespaces for everybody"),
    Attack::new(
        "a thread with descriptors of its own",
        C("plain"),
        "own-table",
        DECIDED,
    ),
];

pub(super) const FAMILY_ATTACKS: &[Attack] = &[
    Attack::new("UDP-Lite", C("families"), "udplite", "decided like UDP")
        .ear(Ear::Wire)
        .root(),
    Attack::new("a raw IP socket", C("families"), "raw", "decided as `/raw`")
        .udp()
        .root(),
    Attack::new(
        "ICMP echo by a raw socket",
        C("families"),
        "icmp",
        "decided as `/icmp`",
    )
    .ear(Ear::Wire)
    .root(),
    Attack::untried(
        "ICMP echo by a ping socket",
        "this machine lets nobody make one (net.ipv4.ping_group_range); decided as `/icmp`",
    ),
    Attack::new(
        "a raw IPv6 socket, to an address without a family",
        C("families"),
        "raw6",
        "read as the kernel reads it",
    )
    .ear(Ear::Wire)
    .root(),
    Attack::new(
        "a raw socket that writes the IP header (IPPROTO_RAW)",
        C("families"),
        "header",
        "closed: the header could say another address than the one decided",
    )
    .udp()
    .root(),
    Attack::new(
        "a raw socket that writes the IP header (IP_HDRINCL)",
        C("families"),
        "header-option",
        "closed, as above",
    )
    .udp()
    .root(),
    Attack::new(
        "a packet socket",
        C("families"),
        "packet",
        "families that cannot be decided are refused",
    )
    .ear(Ear::Wire)
    .root(),
    Attack::new(
        "a packet socket by socket(AF_INET, SOCK_PACKET)",
        C("families"),
        "old-packet",
        "refused, whatever family it names",
    )
    .ear(Ear::Wire)
    .root(),
    Attack::new(
        "a source route (IP_OPTIONS) to an allowed address",
        C("families"),
        "route",
        "the option is refused",
    )
    .ear(Ear::Wire)
    .root(),
    Attack::untried(
        "vsock",
        "not tried: it would speak to this machine's host; the family is refused",
    ),
    Attack::untried(
        "SMC (AF_SMC, IPPROTO_SMC), RDS, TIPC",
        "this kernel has none; the families, and IP protocols without a rule, are refused",
    ),
    Attack::untried(
        "SCTP",
        "this kernel has none; connect and addressed sends are decided like TCP, connectx is refused",
    ),
];

const KEPT_OUT: &str = "a Landlock domain keeps targets out of processes that are not of the session (Linux 6.12; before, the call itself is closed)";
const ACCOMPLICE: &str =
    "out of reach: another process of the user helps, with a connection of its own";

pub(super) const OLDER_ATTACKS: &[Attack] = &[
    older("ptrace writes into its memory", "ptrace", KEPT_OUT)
        .needs("ptrace of any process of the user (kernel.yama.ptrace_scope 0)"),
    older("process_vm_writev", "write", KEPT_OUT)
        .needs("ptrace of any process of the user (kernel.yama.ptrace_scope 0)"),
    older(
        "/proc/PID/mem",
        "mem",
        "a Landlock domain keeps targets out (Linux 6.12; before, this gets out)",
    )
    .needs("ptrace of any process of the user (kernel.yama.ptrace_scope 0)"),
    older("its connection by pidfd_getfd", "getfd", KEPT_OUT)
        .needs("ptrace of any process of the user (kernel.yama.ptrace_scope 0)"),
    older(
        "its connection by /proc/PID/fd",
        "reopen",
        "no way out even bare: sockets cannot be opened there",
    ),
    older(
        "a socket that it passes (SCM_RIGHTS), not connected",
        "passed-loose",
        "each address is decided, whoever made the socket",
    ),
    older(
        "a socket that it passes (SCM_RIGHTS), connected",
        "passed-connected",
        ACCOMPLICE,
    ),
    older(
        "an errand that it runs, asked for over a UNIX socket",
        "errand",
        "out of reach: another process of the user connects. The well-known ones that do (`@broker`) are decided; a `unix:` rule names any other",
    ),
];

const fn older(name: &'static str, way: &'static str, why: &'static str) -> Attack {
    Attack::new(name, C("reaching"), way, why)
        .udp()
        .scene(Scene::Older)
}
