//! Ways out by the call itself: who makes it, how, and what changes meanwhile.

use super::{DECIDED, INHERITED};
use crate::attack::{Attack, Ear, Program};
use Program::{C, Go, Nothing, Static};

pub(super) const UNHOOKED_ATTACKS: &[Attack] = &[
    Attack::new("an ordinary program", C("plain"), "tcp", DECIDED),
    Attack::new("a static program", Static("plain"), "tcp", INHERITED),
    Attack::new(
        "system calls in assembly, in a dynamic program",
        C("raw"),
        "",
        INHERITED,
    ),
    Attack::new(
        "a program without any library",
        Nothing("nothing"),
        "",
        INHERITED,
    ),
    Attack::new("a Go program", Go("dial"), "", INHERITED),
    Attack::new(
        "i386 calls of a 64-bit program: connect",
        C("i386"),
        "direct",
        "network calls by another convention are refused",
    )
    .needs("a kernel that runs i386 calls"),
    Attack::new(
        "i386 calls of a 64-bit program: socketcall",
        C("i386"),
        "socketcall",
        "network calls by another convention are refused",
    )
    .needs("a kernel that runs i386 calls"),
    Attack::untried(
        "x32 calls",
        "this kernel has none; the filter refuses every number of theirs (a unit test of `guard`)",
    ),
    Attack::new(
        "io_uring: connect",
        C("rings"),
        "connect",
        "no ring can be made: what a ring does is seen by no filter",
    )
    .needs("io_uring"),
    Attack::new(
        "io_uring: sendmsg to an address",
        C("rings"),
        "sendmsg",
        "no ring can be made",
    )
    .udp()
    .needs("io_uring"),
    Attack::new(
        "LD_PRELOAD taken away, then exec",
        C("starts"),
        "unset",
        "the hook puts it back, and the guard does not need it",
    ),
    Attack::new(
        "the environment cleared, then exec",
        C("starts"),
        "cleared",
        "the hook puts its variables back, and the guard does not need them",
    ),
    Attack::new(
        "exec by a static program, with an empty environment",
        Static("starts"),
        "raw-exec",
        INHERITED,
    ),
    Attack::new(
        "a static program from memory (memfd)",
        C("starts"),
        "memory",
        INHERITED,
    ),
    Attack::new(
        "a grandchild that outlives the command",
        C("starts"),
        "outlives",
        "the session lives as long as its last process",
    ),
    Attack::new(
        "every descriptor closed, then connect",
        C("plain"),
        "closed-descriptors",
        "nothing of ours is in the program's descriptors",
    ),
];

pub(super) const CALL_ATTACKS: &[Attack] = &[
    Attack::new("UDP, connected", C("plain"), "udp", DECIDED).udp(),
    Attack::new("MPTCP", C("plain"), "mptcp", "decided like TCP").needs("MPTCP"),
    Attack::new(
        "TCP Fast Open by MSG_FASTOPEN",
        C("plain"),
        "fastopen",
        "decided like a connect",
    )
    .needs("TCP Fast Open for clients (net.ipv4.tcp_fastopen)"),
    Attack::new(
        "TCP Fast Open by TCP_FASTOPEN_CONNECT",
        C("plain"),
        "fastopen-connect",
        DECIDED,
    ),
    Attack::new(
        "an IPv4 address in an IPv6 one",
        C("plain"),
        "mapped",
        "one address has one spelling",
    ),
    Attack::new(
        "an address without a family (AF_UNSPEC) on a UDP socket",
        C("plain"),
        "unspec",
        "read as the kernel reads it",
    )
    .udp(),
    Attack::new(
        "a UDP socket connected to an allowed address, sending to another",
        C("plain"),
        "readdressed",
        "each address is decided, wherever the socket is connected to",
    )
    .udp(),
    Attack::new(
        "sendmmsg: allowed, not allowed, allowed",
        C("plain"),
        "sendmmsg",
        "each message is decided; it stops before the first that is refused",
    )
    .udp(),
    Attack::new(
        "listening, and being connected to from outside",
        C("plain"),
        "listen",
        "out of reach: hallpass decides what a program opens, not what others open to it",
    )
    .ear(Ear::Dial),
];

const COPIED: &str = "the address is copied once; what was decided is what is done";

pub(super) const RACE_ATTACKS: &[Attack] = &[
    Attack::new(
        "a second thread rewrites the address",
        C("races"),
        "thread",
        COPIED,
    ),
    Attack::new(
        "a forked sibling rewrites the address in shared memory",
        C("races"),
        "sibling",
        COPIED,
    ),
    Attack::new(
        "a process that shares memory but no descriptors (CLONE_VM)",
        C("races"),
        "memory",
        COPIED,
    ),
    Attack::new(
        "a process that shares descriptors but no memory (CLONE_FILES) swaps a UNIX socket for one of IP",
        C("races"),
        "descriptors",
        "only threads may share descriptors",
    )
    .udp()
    .luck(),
    Attack::new(
        "dup2 swaps a UNIX socket for one of IP while msg_name comes and goes",
        C("races"),
        "swap",
        "with a second thread the call is made by the session, on its own duplicate of the socket",
    )
    .udp()
    .luck(),
    Attack::new(
        "msg_name comes and goes (NULL) on a connected UDP socket",
        C("races"),
        "name",
        COPIED,
    )
    .udp(),
    Attack::new(
        "claiming to be in a look-up, whose UDP connects nobody is asked about, while a second thread sends",
        C("races"),
        "look-up",
        "such a socket is shut down before it is connected",
    )
    .udp(),
    Attack::new(
        "a forked sibling rewrites the path of a UNIX socket that is out of reach",
        C("races"),
        "path",
        "the file is looked up once; it is decided, and connected to",
    )
    .ear(Ear::Path),
];
