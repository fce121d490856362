//! Fixtures that do what programs should not, under real sessions. The hook's own suite
//! (`tests/hook`) has those that need no more than the hook.

use crate::column::{COLUMNS, closed_port, refused, same};
use crate::harness::{Dir, Outcome, skipped};
use std::io::Read;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Compiles `tests/fixtures/NAME.c`, once in this process.
pub(crate) fn compile(dir: &Dir, name: &str, flags: &[&str]) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/fixtures/{name}.c"));
    let program = dir.path(&format!("home/{name}"));
    let status = Command::new("gcc")
        .args(["-Wall", "-Werror", "-O1", "-pthread", "-o"])
        .arg(&program)
        .arg(&source)
        .args(flags)
        .status()
        .expect("gcc (tests/run installs it)");
    assert!(status.success(), "gcc {}", source.display());
    program.to_str().unwrap().to_owned()
}

/// The fixture, compiled, in a directory of its own that goes with it.
pub(crate) struct Nasty {
    pub(crate) path: String,
    _dir: Dir,
}

impl Nasty {
    pub(crate) fn new() -> Self {
        let dir = Dir::new();
        Self {
            path: compile(&dir, "nasty", &[]),
            _dir: dir,
        }
    }
}

/// The mode prints `line`, in each column.
#[track_caller]
fn is_same(mode: &str, more: &[&str], line: &str) {
    let (nasty, port) = (Nasty::new(), accepting().to_string());
    same(|it| {
        let mut words = vec![nasty.path.as_str(), mode, &port];
        words.extend(more);
        it.run(&words)
    })
    .ok()
    .prints(line);
}

/// A port that accepts, and counts nothing.
fn accepting() -> u16 {
    Counting::new().port
}

/// A port that counts what it accepts.
pub(crate) struct Counting {
    pub(crate) port: u16,
    accepted: Arc<AtomicUsize>,
}

impl Counting {
    pub(crate) fn new() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(4096).unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepted = Arc::new(AtomicUsize::new(0));
        let shared = Arc::clone(&accepted);
        thread::spawn(move || {
            for stream in listener.incoming() {
                shared.fetch_add(usize::from(stream.is_ok()), Ordering::SeqCst);
            }
        });
        Self { port, accepted }
    }

    /// How many it has accepted. Exact: one of our own comes last.
    pub(crate) fn accepted(&self) -> usize {
        let mut own = std::net::TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        own.set_read_timeout(Some(std::time::Duration::from_secs(20)))
            .unwrap();
        // First come, first served: when ours is closed, those before it have been counted.
        assert_eq!(own.read(&mut [0]).unwrap(), 0);
        self.accepted.fetch_sub(1, Ordering::SeqCst) - 1
    }
}

#[test]
fn a_handler_that_interrupted_malloc_connects() {
    is_same("malloc", &[], "handlers in malloc: 0 failed");
}

#[test]
fn a_threaded_program_forks_in_the_middle_of_connects() {
    is_same("fork", &[], "forks among threads: 0 wrong");
}

#[test]
fn threads_are_cancelled_in_the_middle_of_connects() {
    is_same("cancelled", &[], "cancelled: 200");
}

#[test]
fn ten_thousand_connects_on_64_threads_with_minimal_stacks() {
    is_same("many", &[], "many: 0 failed");
}

#[test]
fn a_limit_of_descriptors_below_those_that_are_open() {
    is_same("few", &[], "no descriptor left: 0 untouched");
}

#[test]
fn a_thread_with_a_minimal_stack_starts_a_program_with_a_long_environment() {
    is_same("small-exec", &[], "started");
}

#[test]
fn a_non_blocking_connect_is_polled() {
    let closed = closed_port().to_string();
    is_same("nonblocking", &[&closed], "open: connected");
    let nasty = Nasty::new();
    let refused = refused(|it| {
        let port = it.port.to_string();
        it.run(&[&nasty.path, "nonblocking", &port, &port])
    });
    refused.ok().prints("open: ECONNREFUSED");
}

#[test]
fn multipath_tcp() {
    let (nasty, port) = (Nasty::new(), accepting().to_string());
    let seen = same(|it| it.run(&[&nasty.path, "mptcp", &port]));
    seen.ok().prints("mptcp: ");
    refused(|it| it.run(&[&nasty.path, "mptcp", &it.port.to_string()]));
}

#[test]
fn chroot_and_setuid_before_connect() {
    if !nix::unistd::geteuid().is_root() {
        skipped("only root may chroot");
        return;
    }
    is_same("chroot", &[], "chroot and setuid: 0");
    let nasty = Nasty::new();
    let seen = refused(|it| it.run(&[&nasty.path, "chroot", &it.port.to_string()]));
    seen.prints("chroot and setuid: -1 ECONNREFUSED");
}

fn two_datagram_ports() -> (UdpSocket, UdpSocket) {
    let bind = || UdpSocket::bind("127.0.0.1:0").unwrap();
    (bind(), bind())
}

/// Datagrams that wait.
fn waiting(socket: &UdpSocket) -> Vec<String> {
    socket.set_nonblocking(true).unwrap();
    let mut bytes = [0; 64];
    std::iter::from_fn(|| {
        socket
            .recv(&mut bytes)
            .ok()
            .map(|length| bytes[..length].to_vec())
    })
    .map(|bytes| String::from_utf8(bytes).unwrap())
    .collect()
}

#[test]
fn a_connected_datagram_socket_that_sends_elsewhere() {
    let (here, there) = two_datagram_ports();
    let nasty = Nasty::new();
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port().to_string();
    let seen = same(|it| it.run(&[&nasty.path, "elsewhere", &port(&here), &port(&there)]));
    seen.ok().prints("sendto elsewhere: 5 untouched");
    assert_eq!(waiting(&here), ["here"; 2 * COLUMNS]);
    assert_eq!(waiting(&there), ["there"; 2 * COLUMNS]);
    let dir = Dir::new();
    let allow = format!("127.0.0.1:{}/udp", port(&here));
    let flags = ["--default", "deny", "--allow", &allow];
    let outcome: Outcome = dir
        .run(
            &flags,
            &[&nasty.path, "elsewhere", &port(&here), &port(&there)],
        )
        .output();
    for line in [
        "connect: 0 untouched",
        "sendto elsewhere: -1 ECONNREFUSED",
        "sendmsg elsewhere: -1 ECONNREFUSED",
        "send again: 4 untouched",
        "connect elsewhere: -1 ECONNREFUSED",
    ] {
        assert!(outcome.stdout.contains(line), "no {line:?}: {outcome}");
    }
    assert_eq!(waiting(&here), ["here"; 2]);
    assert!(waiting(&there).is_empty());
}
