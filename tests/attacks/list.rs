//! The list: every way out that is tried, by chapters, with what stops it.

use crate::attack::{Attack, Ear, Program, Scene};
use Program::{C, Go, Nothing, Python, Static};

pub(crate) const UNHOOKED: &str = "Programs that no library is in";
pub(crate) const CALLS: &str = "Unusual calls";
pub(crate) const RACES: &str = "Changing the call while it is made";
pub(crate) const PLACES: &str = "Other places, other users";
pub(crate) const FAMILIES: &str = "Other families of sockets";
pub(crate) const OLDER: &str = "Through a process that was there before";
pub(crate) const SESSION: &str = "Against the session";
pub(crate) const ANSWERS: &str = "Answering for oneself";
pub(crate) const FILTERS: &str = "Filters and tracers of one's own";

/// All chapters.
pub(crate) const CHAPTERS: &[(&str, &[Attack])] = &[
    (UNHOOKED, UNHOOKED_ATTACKS),
    (CALLS, CALL_ATTACKS),
    (RACES, RACE_ATTACKS),
    (PLACES, PLACE_ATTACKS),
    (FAMILIES, FAMILY_ATTACKS),
    (OLDER, OLDER_ATTACKS),
    (SESSION, SESSION_ATTACKS),
    (ANSWERS, ANSWER_ATTACKS),
    (FILTERS, FILTER_ATTACKS),
];

/// The attacks of a chapter.
pub(crate) fn chapter(title: &str) -> &'static [Attack] {
    let found = CHAPTERS.iter().find(|(it, _)| *it == title);
    found.expect("a chapter's title").1
}

/// A call like any other.
const DECIDED: &str = "decided like every call";
/// The filter knows calls by number and convention, not by who makes them.
const INHERITED: &str =
    "the filter is inherited by whatever a process starts, and needs no library in it";

const UNHOOKED_ATTACKS: &[Attack] = &[
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

const CALL_ATTACKS: &[Attack] = &[
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

const RACE_ATTACKS: &[Attack] = &[
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

const PLACE_ATTACKS: &[Attack] = &[
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

const FAMILY_ATTACKS: &[Attack] = &[
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

const OLDER_ATTACKS: &[Attack] = &[
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

const SESSION_ATTACKS: &[Attack] = &[
    Attack::new(
        "killing the session, then connect",
        C("session"),
        "kill",
        "without its supervisor the call does not exist",
    ),
    Attack::new(
        "stopping the session for three seconds",
        C("session"),
        "stop",
        "the call waits until it goes on",
    ),
    Attack::new(
        "taking the session's descriptors away (prlimit)",
        C("session"),
        "starve",
        "what cannot be looked at is refused",
    )
    .any_error(),
    Attack::new(
        "a flood of questions, then connect",
        Static("flood"),
        "flood",
        "questions are bounded; others are decided meanwhile",
    ),
    Attack::new(
        "a session of one's own that allows everything",
        Python("fake"),
        "forged",
        "the guard does not ask whom the program names",
    ),
    Attack::new(
        "the same, with a real answer replayed",
        Python("fake"),
        "replayed",
        "the guard does not ask whom the program names",
    ),
    Attack::new(
        "claiming that the address is that of an allowed name",
        Python("names"),
        "names",
        "a name allows what the session's own look-ups gave for it",
    ),
    Attack::new(
        "`hallpass run --default allow` inside, by a program that hides where it is",
        Static("starts"),
        "nested",
        "it joins the session that the kernel says it is in, and can only narrow it",
    ),
    Attack::new(
        "writing rules.json, `hallpass rules`, `hallpass release`",
        Python("rules"),
        "",
        "sessions do not watch the file, and hear no command of their own targets; *later* runs do read it",
    ),
];

const ANSWER_ATTACKS: &[Attack] = &[
    answer(
        "`hallpass answer` from inside",
        "command",
        "the control socket is out of every target's reach",
    ),
    answer(
        "the control socket, by hand",
        "socket",
        "the control socket is out of every target's reach",
    ),
    answer(
        "the control socket under another name",
        "linked",
        "known by its inode, and by who connects",
    ),
    answer(
        "the control socket, by an orphan",
        "orphan",
        "orphans stay the session's",
    ),
    Attack::new(
        "answering another session's question",
        Python("answers"),
        "another",
        "every session's control socket is out of reach",
    )
    .scene(Scene::OtherSession),
    Attack::new(
        "the same, with both sessions' sockets moved elsewhere first",
        Python("answers"),
        "another-moved",
        "sessions take no other session for a person",
    )
    .scene(Scene::OtherSession),
    Attack::new(
        "typing the answer (TIOCSTI)",
        Python("typing"),
        "tiocsti",
        "the request is refused",
    )
    .scene(Scene::Terminal)
    .needs("TIOCSTI (dev.tty.legacy_tiocsti 1)"),
    Attack::new(
        "having the terminal type its own title (CSI 21 t)",
        Python("typing"),
        "title",
        "letters beside an escape sequence are no answer",
    )
    .scene(Scene::Terminal),
    Attack::untried(
        "keys sent to the desktop window (XTEST)",
        "out of reach: who may use your X11 display may type on it. Wayland does not allow it",
    ),
];

const fn answer(name: &'static str, way: &'static str, why: &'static str) -> Attack {
    Attack::new(name, Python("answers"), way, why).scene(Scene::Patient)
}

const FILTER_ATTACKS: &[Attack] = &[
    Attack::new(
        "a filter of one's own that allows connect",
        C("filters"),
        "allow",
        "of all filters the strictest decides",
    ),
    Attack::new(
        "a listener of one's own that lets connect go on",
        C("filters"),
        "listener",
        "the kernel allows one listener",
    ),
    Attack::new(
        "a tracer that turns getppid into connect",
        C("filters"),
        "turned",
        "filters look at what the tracer has made of it",
    ),
    Attack::new(
        "the same, at a filter of one's own (SECCOMP_RET_TRACE)",
        C("filters"),
        "turned-by-filter",
        "the filters look again after the tracer",
    ),
];
